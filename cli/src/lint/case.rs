//! What the rules look at: a pin set, and everything that is known around it.

use pinfold_core::pin::{HostName, InspectionAuthority};
use pinfold_core::pinset::{Document, Root};
use url::Url;

use super::logged::Issued;
use crate::pinset_file::PinSetFile;
use crate::stores::Version;

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
    /// The oldest phones that the app runs on.
    pub(crate) phones: Phones,
    /// What logs of certificates show.
    pub(crate) issued: Vec<Issued>,
}

/// The oldest versions of the systems that an app runs on.
#[derive(Clone, Debug)]
pub(crate) struct Phones {
    pub(crate) android: Version,
    pub(crate) ios: Version,
}

impl Default for Phones {
    /// The oldest Android that the table of authorities knows, and the oldest iOS that the library
    /// is made for.
    fn default() -> Self {
        Self { android: vec![8], ios: vec![15] }
    }
}

/// A signed pin set that takes the place of another.
pub(crate) struct Change<'a> {
    pub(crate) before: &'a PinSetFile,
    pub(crate) old: &'a Document,
    pub(crate) new: &'a Document,
}

impl Case {
    /// The document in question; a static pin set is none.
    pub(crate) fn document(&self) -> Option<&Document> {
        self.pinset.document.as_ref()
    }

    /// Who may inspect.
    pub(crate) fn authorities(&self) -> &[InspectionAuthority] {
        self.document().map_or(&[], Document::inspection_authorities)
    }

    /// What is published and what is to be, where that is something else.
    pub(crate) fn change(&self) -> Option<Change<'_>> {
        let before = self.published.as_ref();
        let before = before.filter(|published| published.payload != self.pinset.payload)?;
        Some(Change { before, old: before.document.as_ref()?, new: self.document()? })
    }

    /// Where updates come from: for each app, or as far as the document says.
    pub(crate) fn channels(&self) -> Vec<(&str, Vec<HostName>)> {
        let own = self.document().map_or_else(Vec::new, |document| hosts(&document.update().urls));
        if self.apps.is_empty() && !own.is_empty() {
            return vec![("update.urls", own)];
        }
        let apps = self.apps.iter();
        apps.map(|(path, urls)| (path.as_str(), [own.clone(), hosts(urls)].concat())).collect()
    }
}

fn hosts(urls: &[String]) -> Vec<HostName> {
    let host = |url: &String| HostName::parse(Url::parse(url).ok()?.host_str()?).ok();
    urls.iter().filter_map(host).collect()
}
