//! JSON bodies, for those who use serde.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::request::Request;
use super::response::Response;
use super::url::Target;
use crate::error::Error;

impl Request {
    /// Sets a value as the body, in JSON, and its `Content-Type` unless there is one.
    ///
    /// ```
    /// # use pinfold_core::{Method, Request};
    /// # fn main() -> Result<(), pinfold_core::Error> {
    /// #[derive(serde::Serialize)]
    /// struct Order {
    ///     item: u32,
    /// }
    /// let request = Request::new(Method::Post, "https://api.example.com/v1/orders")?
    ///     .json(&Order { item: 7 })?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Self::body`], and [`Error::InvalidRequest`] for what has no form in JSON, such as a map whose
    /// keys are no texts.
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Result<Self, Error> {
        // Its message may quote the value.
        let bytes = serde_json::to_vec(value)
            .map_err(|_| Error::request("body", "a value that has no form in JSON"))?;
        let request = self.body(bytes)?;
        match request.headers.has("content-type") {
            true => Ok(request),
            false => request.header("Content-Type", "application/json"),
        }
    }
}

impl Response {
    /// The body's value, read from JSON in UTF-8 (RFC 8259 §8.1). Whatever the status is: look at
    /// [`Self::status`] first.
    ///
    /// # Errors
    /// [`Error::InvalidResponse`] says where it is not what was expected, but nothing of the body.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let text = self.body().strip_prefix(b"\xef\xbb\xbf").unwrap_or_else(|| self.body());
        serde_json::from_slice(text).map_err(|e| {
            let host = Target::parse(self.url()).map(|it| it.host().to_string());
            let what = match e.classify() {
                serde_json::error::Category::Data => "not the JSON that was expected",
                serde_json::error::Category::Eof => "JSON that ends early",
                _ => "no JSON",
            };
            let reason = format!("its body: {what}, line {}, column {}", e.line(), e.column());
            Error::InvalidResponse { host: host.unwrap_or_default(), reason }
        })
    }
}
