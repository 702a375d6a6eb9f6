//! Where a bundle is put: a folder, a store that speaks S3, or a URL that takes PUT.

use std::path::Path;

use clap::Args;
use pinfold_core::Client;
use pinfold_core::client::{Method, Request};
use pinfold_core::pinset::Bundle;
use url::Url;

use super::s3::{Credentials, Object};
use super::secrets;
use crate::failure::Failure;
use crate::file::File;
use crate::{output, web, when};

/// What caches may do: keep it for five minutes, and for a day where its server is down. Clients of
/// the library ask caches to ask their server.
const CACHE_CONTROL: &str = "public, max-age=300, stale-if-error=86400";
const HEADERS: [(&str, &str); 2] =
    [("cache-control", CACHE_CONTROL), ("content-type", "application/json")];

/// How stores and URLs are reached.
#[derive(Args)]
pub(super) struct Access {
    /// The store behind s3:// [default: AWS's, of the region]
    #[arg(long, value_name = "URL", env = "AWS_ENDPOINT_URL_S3")]
    s3_endpoint: Option<String>,
    /// Its region
    #[arg(long, value_name = "NAME", env = "AWS_REGION", default_value = "us-east-1")]
    s3_region: String,
    /// A file with the secret key, in place of AWS_SECRET_ACCESS_KEY; nobody else may read it
    #[arg(long, value_name = "FILE")]
    s3_secret_file: Option<String>,
    /// A file with what the field Authorization says to URLs that take PUT
    #[arg(long, value_name = "FILE")]
    authorization_file: Option<String>,
}

/// A place for the bundle.
pub(super) enum Target {
    Folder { folder: String, file: String },
    Store { name: String, object: Box<Object> },
    Url { url: String, authorization: Option<String> },
}

impl Access {
    /// What `--to` names.
    pub(super) fn target(&self, text: &str) -> Result<Target, Failure> {
        if let Some(place) = text.strip_prefix("s3://") {
            return self.store(text, place);
        }
        if text.starts_with("https://") {
            let authorization =
                self.authorization_file.as_deref().map(secrets::read).transpose()?;
            return Ok(Target::Url { url: text.to_owned(), authorization });
        }
        if text.contains("://") {
            return Err(Failure::input("--to", format!("{text}: neither s3:// nor https://")));
        }
        let folder = Path::new(text);
        if folder.exists() && !folder.is_dir() {
            return Err(Failure::output(text, "not a folder"));
        }
        let file = folder.join("bundle.json");
        let file = file.to_str().ok_or_else(|| Failure::output(text, "not UTF-8"))?;
        Ok(Target::Folder { folder: text.to_owned(), file: file.to_owned() })
    }

    /// `BUCKET/KEY`; a key that ends in `/`, or none, gets bundle.json.
    fn store(&self, text: &str, place: &str) -> Result<Target, Failure> {
        let wrong = |reason: &str| Failure::input("--to", format!("{text}: {reason}"));
        let (bucket, key) = place.split_once('/').unwrap_or((place, ""));
        if bucket.is_empty() {
            return Err(wrong("no bucket"));
        }
        let key = if key.is_empty() || key.ends_with('/') {
            format!("{key}bundle.json")
        } else {
            key.to_owned()
        };
        // Blanks and the like would have to be signed as they are sent: nobody needs them.
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._/".contains(c);
        if !bucket.chars().chain(key.chars()).all(plain) {
            return Err(wrong("letters, digits, and -._/ only"));
        }
        let endpoint = match &self.s3_endpoint {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("https://s3.{}.amazonaws.com", self.s3_region),
        };
        let url = Url::parse(&format!("{endpoint}/{bucket}/{key}"));
        let url = url.ok().filter(|url| url.scheme() == "https");
        let url = url.ok_or_else(|| Failure::input("--s3-endpoint", "not an https:// URL"))?;
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let missing = |name: &str| wrong(&format!("{name} is not set"));
        let id = variable("AWS_ACCESS_KEY_ID").ok_or_else(|| missing("AWS_ACCESS_KEY_ID"))?;
        let secret = match &self.s3_secret_file {
            Some(path) => secrets::read(path)?,
            None => {
                variable("AWS_SECRET_ACCESS_KEY").ok_or_else(|| missing("AWS_SECRET_ACCESS_KEY"))?
            }
        };
        let credentials = Credentials { id, secret, token: variable("AWS_SESSION_TOKEN") };
        let object = Object { url, region: self.s3_region.clone(), credentials };
        Ok(Target::Store { name: text.to_owned(), object: Box::new(object) })
    }
}

impl Target {
    /// What people call it.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Folder { file, .. } => file,
            Self::Store { name, .. } => name,
            Self::Url { url, .. } => url,
        }
    }

    pub(super) fn is_remote(&self) -> bool {
        !matches!(self, Self::Folder { .. })
    }

    /// What is there; nothing where nothing is.
    pub(super) fn read(&self, client: &Client) -> Result<Option<Vec<u8>>, Failure> {
        let fetched = match self {
            Self::Folder { file, .. } => {
                return match Path::new(file).try_exists() {
                    Ok(false) => Ok(None),
                    Ok(true) => Ok(Some(File::read(file)?.into_bytes())),
                    Err(e) => Err(Failure::input(file, e)),
                };
            }
            Self::Store { object, .. } => object.get(client, when::time_or_now("", None)?)?,
            Self::Url { url, .. } => web::get(client, url, None)?,
        };
        match fetched.status {
            200 => Ok(Some(fetched.body)),
            404 | 410 => Ok(None),
            status => Err(Failure::input(self.name(), format!("status {status}"))),
        }
    }

    /// The bundle that is there.
    pub(super) fn published(&self, client: &Client) -> Result<Option<(Bundle, Vec<u8>)>, Failure> {
        let Some(bytes) = self.read(client)? else { return Ok(None) };
        let bundle = Bundle::parse(&bytes).map_err(|e| Failure::rejected(self.name(), e))?;
        Ok(Some((bundle, bytes)))
    }

    /// Puts it there, whole or not at all as far as the place lets that be.
    pub(super) fn write(&self, client: &Client, bytes: &[u8]) -> Result<(), Failure> {
        let status = match self {
            Self::Folder { folder, file } => {
                std::fs::create_dir_all(folder).map_err(|e| Failure::output(folder, e))?;
                return output::write_file(file, bytes);
            }
            Self::Store { object, .. } => {
                object.put(client, &HEADERS, bytes, when::time_or_now("", None)?)?
            }
            Self::Url { url, authorization } => {
                let mut request = Request::new(Method::Put, url)?;
                for (name, value) in HEADERS {
                    request = request.header(name, value)?;
                }
                if let Some(authorization) = authorization {
                    request = request.sensitive_header("Authorization", authorization)?;
                }
                client.send(&request.body(bytes.to_vec())?)?.status()
            }
        };
        match status {
            200 | 201 | 204 => Ok(()),
            status => Err(Failure::output(self.name(), format!("status {status}"))),
        }
    }
}
