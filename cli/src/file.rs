//! Files as they are read: the one place that says what is wrong with one, and the one that keeps
//! private keys out.
//!
//! What a library says of a file that it cannot read may quote it, and the file may be a key. So the
//! words here are fixed: an error of reading holds a path, a line and a label, and nothing else of
//! the file.

use std::io::Read;
use std::path::Path;

use crate::failure::Failure;
use crate::{pem, secret};

/// Nothing that this tool reads comes near it.
const MAX_FILE: u64 = 4 << 20;

/// A file, and where it came from.
pub(crate) struct File {
    path: String,
    bytes: Vec<u8>,
}

impl File {
    /// Reads a file, or standard input where the path is `-`. One that holds a private key in any
    /// form is refused.
    pub(crate) fn read(path: &str) -> Result<Self, Failure> {
        let file = Self::read_secret(path)?;
        match secret::find(&file.bytes) {
            Some(secret) => Err(file.wrong(secret.advice())),
            None => Ok(file),
        }
    }

    /// The same for what may be a key, or anything.
    pub(crate) fn read_secret(path: &str) -> Result<Self, Failure> {
        let reader: Box<dyn Read> = if path == "-" {
            Box::new(std::io::stdin())
        } else {
            Box::new(std::fs::File::open(Path::new(path)).map_err(|e| Failure::input(path, e))?)
        };
        let mut bytes = Vec::new();
        reader.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|e| Failure::input(path, e))?;
        let file = Self { path: path.to_owned(), bytes };
        if file.bytes.len() as u64 > MAX_FILE {
            return Err(file.wrong("larger than 4 MiB"));
        }
        Ok(file)
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Its characters, without a byte order mark and whatever their width.
    pub(crate) fn text(&self) -> String {
        pem::text_of(&self.bytes)
    }

    /// Its JSON.
    pub(crate) fn json(&self) -> Result<serde_json::Value, Failure> {
        serde_json::from_slice(&self.bytes).map_err(|e| {
            self.wrong_at(e.line(), None, if self.bytes.is_empty() { "empty" } else { "not JSON" })
        })
    }

    /// What is wrong with the whole.
    pub(crate) fn wrong(&self, reason: &'static str) -> Failure {
        Failure::input(&self.path, reason)
    }

    /// What is wrong in a line, with what begins there. A label is one that [`pem`] has read.
    pub(crate) fn wrong_at(
        &self,
        line: usize,
        label: Option<&str>,
        reason: &'static str,
    ) -> Failure {
        let place = format!("{}:{line}", self.path);
        match label {
            Some(label) => Failure::input(place, format!("{label}: {reason}")),
            None => Failure::input(place, reason),
        }
    }
}
