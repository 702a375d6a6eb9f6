//! Stores that speak S3's protocol: one file, put and fetched, with AWS's Signature Version 4.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>; the tests have the
//! examples of that page.

use pinfold_core::client::{Method, Request};
use pinfold_core::{Client, Error, format_rfc3339_utc};
use ring::hmac;
use url::Url;

use crate::web::{self, Fetched};

/// Who signs.
#[derive(Clone)]
pub(super) struct Credentials {
    pub(super) id: String,
    pub(super) secret: String,
    /// Of those that are lent for a while.
    pub(super) token: Option<String>,
}

/// A file in a store.
#[derive(Clone)]
pub(super) struct Object {
    /// Such as `https://s3.eu-central-1.amazonaws.com/bucket/v1/bundle.json`.
    pub(super) url: Url,
    pub(super) region: String,
    pub(super) credentials: Credentials,
}

/// The parts of a request that are signed.
struct Signed<'a> {
    method: &'a str,
    host: &'a str,
    path: &'a str,
    /// In lower case, and sorted; without `host`, and those that follow from the rest.
    headers: &'a [(&'a str, &'a str)],
    body: &'a [u8],
    /// `YYYYMMDDThhmmssZ`.
    time: &'a str,
}

impl Object {
    /// # Errors
    /// Those of the request; any status is an answer.
    pub(super) fn get(&self, client: &Client, at: u64) -> Result<Fetched, Error> {
        let response = client.send(&self.request(Method::Get, &[], Vec::new(), at)?)?;
        Ok(Fetched {
            status: response.status(),
            cache_control: response.header("Cache-Control").map(str::to_owned),
            body: response.body().to_vec(),
        })
    }

    /// The status. The store has the new file or the old one, never a part.
    pub(super) fn put(
        &self,
        client: &Client,
        headers: &[(&str, &str)],
        body: &[u8],
        at: u64,
    ) -> Result<u16, Error> {
        let request = self.request(Method::Put, headers, body.to_vec(), at)?;
        Ok(client.send(&request)?.status())
    }

    fn request(
        &self,
        method: Method,
        headers: &[(&str, &str)],
        body: Vec<u8>,
        at: u64,
    ) -> Result<Request, Error> {
        let host = match (self.url.host_str().unwrap_or_default(), self.url.port()) {
            (host, Some(port)) => format!("{host}:{port}"),
            (host, None) => host.to_owned(),
        };
        let time = format_rfc3339_utc(at).replace(['-', ':'], "");
        let mut signed: Vec<_> = headers.to_vec();
        if let Some(token) = &self.credentials.token {
            signed.push(("x-amz-security-token", token));
        }
        signed.sort_unstable();
        let parts = Signed {
            method: method.as_str(),
            host: &host,
            path: self.url.path(),
            headers: &signed,
            body: &body,
            time: &time,
        };
        let authorization = parts.authorization(&self.credentials, &self.region);
        let mut request = Request::new(method, self.url.as_str())?
            .header("x-amz-date", &time)?
            .header("x-amz-content-sha256", &web::sha256(&body))?
            .sensitive_header("Authorization", &authorization)?;
        for (name, value) in headers {
            request = request.header(name, value)?;
        }
        if let Some(token) = &self.credentials.token {
            request = request.sensitive_header("x-amz-security-token", token)?;
        }
        if method == Method::Put { request.body(body) } else { Ok(request) }
    }
}

impl Signed<'_> {
    fn authorization(&self, credentials: &Credentials, region: &str) -> String {
        let digest = web::sha256(self.body);
        let mut headers = self.headers.to_vec();
        headers.extend([
            ("host", self.host),
            ("x-amz-content-sha256", &digest),
            ("x-amz-date", self.time),
        ]);
        headers.sort_unstable();
        let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let lines: String =
            headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
        // Nothing is asked for in a query.
        let request = format!("{}\n{}\n\n{lines}\n{names}\n{digest}", self.method, self.path);
        let day = &self.time[..8];
        let scope = format!("{day}/{region}/s3/aws4_request");
        let text = format!(
            "AWS4-HMAC-SHA256\n{}\n{scope}\n{}",
            self.time,
            web::sha256(request.as_bytes())
        );
        let mut key = format!("AWS4{}", credentials.secret).into_bytes();
        for part in [day, region, "s3", "aws4_request"] {
            key = mac(&key, part).as_ref().to_vec();
        }
        let signature = mac(&key, &text);
        let signature: String = signature.as_ref().iter().map(|b| format!("{b:02x}")).collect();
        format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope},SignedHeaders={names},Signature={signature}",
            credentials.id,
        )
    }
}

fn mac(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(signed: &Signed<'_>) -> String {
        // AWS's own example.
        let credentials = Credentials {
            id: "AKIAIOSFODNN7EXAMPLE".into(),
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
            token: None,
        };
        let text = signed.authorization(&credentials, "us-east-1");
        text.rsplit_once('=').map(|(_, signature)| signature.to_owned()).expect("a signature")
    }

    #[test]
    fn it_signs_as_the_documentation_does() {
        let get = Signed {
            method: "GET",
            host: "examplebucket.s3.amazonaws.com",
            path: "/test.txt",
            headers: &[("range", "bytes=0-9")],
            body: b"",
            time: "20130524T000000Z",
        };
        let expected = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
        assert_eq!(signature(&get), expected);
        let put = Signed {
            method: "PUT",
            path: "/test%24file.text",
            headers: &[
                ("date", "Fri, 24 May 2013 00:00:00 GMT"),
                ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ],
            body: b"Welcome to Amazon S3.",
            ..get
        };
        let expected = "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd";
        assert_eq!(signature(&put), expected);
    }
}
