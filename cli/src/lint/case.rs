//! What the rules look at: a pin set, and everything that is known around it.

use pinfold_core::pin::HostName;
use pinfold_core::pinset::{Bundle, Document, Envelope, Root};
use serde_json::Value;
use url::Url;

use crate::failure::Failure;

/// A pin set that can be read, whoever has signed it.
pub(crate) struct PinSetFile {
    pub(crate) document: Document,
    /// Its JSON, for what the document checks and does not keep.
    pub(crate) json: Value,
    pub(crate) payload: Vec<u8>,
}

/// A pin set that is about to be signed or published.
pub(crate) struct Case {
    pub(crate) pinset: PinSetFile,
    /// What clients have now.
    pub(crate) published: Option<PinSetFile>,
    /// The root that it is signed under, as far as that is known.
    pub(crate) root: Option<Root>,
    /// Update URLs compiled into apps, and the file of each app.
    pub(crate) apps: Vec<(String, Vec<String>)>,
    /// The size of the bundle that is published, or as much of it as is known.
    pub(crate) bytes: usize,
    /// When, in seconds since 1970.
    pub(crate) at: u64,
}

impl PinSetFile {
    pub(crate) fn read(
        path: &str,
        pinset: &Envelope,
        root: Option<&Root>,
    ) -> Result<Self, Failure> {
        let document = Document::parse(&pinset.payload, root);
        let document = document.map_err(|e| Failure::rejected(path, e))?;
        let json = serde_json::from_slice(&pinset.payload).map_err(|e| Failure::input(path, e))?;
        Ok(Self { document, json, payload: pinset.payload.clone() })
    }

    /// The texts of a list.
    pub(crate) fn texts(&self, pointer: &str) -> Vec<&str> {
        let list = self.json.pointer(pointer).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect()
    }
}

impl Case {
    /// The document in question.
    pub(crate) fn document(&self) -> &Document {
        &self.pinset.document
    }

    /// What is published, where that is something else.
    pub(crate) fn before(&self) -> Option<&PinSetFile> {
        self.published.as_ref().filter(|published| published.payload != self.pinset.payload)
    }

    /// Where updates come from: for each app, or as far as the document says.
    pub(crate) fn channels(&self) -> Vec<(&str, Vec<HostName>)> {
        let own = hosts(&self.document().update().urls);
        if self.apps.is_empty() && !own.is_empty() {
            return vec![("update.urls", own)];
        }
        let apps = self.apps.iter();
        apps.map(|(path, urls)| (path.as_str(), [own.clone(), hosts(urls)].concat())).collect()
    }
}

/// The newest of the roots that can be read.
pub(crate) fn last_root(bundle: &Bundle) -> Option<Root> {
    let roots = bundle.roots.iter().filter_map(|root| Root::parse(&root.payload).ok());
    roots.max_by_key(Root::version)
}

fn hosts(urls: &[String]) -> Vec<HostName> {
    let host = |url: &String| HostName::parse(Url::parse(url).ok()?.host_str()?).ok();
    urls.iter().filter_map(host).collect()
}
