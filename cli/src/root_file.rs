//! Root documents as files, and whether one follows another.

use pinfold_core::pinset::es256::PublicKey;
use pinfold_core::pinset::{Bundle, Cause, Document, Envelope, Key, Rejection, Role, Root};

use crate::document::{self, Kind};
use crate::failure::Failure;
use crate::file::File;

/// A root that the library reads without complaint; who has signed it is another question.
pub(crate) struct RootFile {
    pub(crate) path: String,
    pub(crate) envelope: Envelope,
    pub(crate) root: Root,
}

impl RootFile {
    pub(crate) fn read(path: &str) -> Result<Self, Failure> {
        Self::of(path, document::read_envelope(path, Kind::Root)?)
    }

    /// The same of one that is signed and in the field, whose members nobody can change
    /// any more.
    pub(crate) fn read_in_field(path: &str) -> Result<Self, Failure> {
        let document = document::of_any(&File::read(path)?, Some(Kind::Root))?;
        document.expect_enveloped(path)?;
        Self::of(path, document.envelope)
    }

    /// Refuses members that no reader knows.
    pub(crate) fn expect_known(&self) -> Result<(), Failure> {
        document::expect_known(&self.path, "", Kind::Root, &self.envelope)
    }

    pub(crate) fn of(path: &str, envelope: Envelope) -> Result<Self, Failure> {
        let root = Root::parse(&envelope.payload).map_err(|e| Failure::rejected(path, e))?;
        Ok(Self { path: path.to_owned(), envelope, root })
    }

    /// Who signs documents of a kind.
    pub(crate) fn role(&self, kind: Kind) -> &Role {
        match kind {
            Kind::Root => self.root.root_role(),
            Kind::Pinset => self.root.pinset_role(),
        }
    }

    /// The ids of those who do.
    pub(crate) fn ids(&self, kind: Kind) -> Vec<&str> {
        self.root.keys_of(self.role(kind)).into_iter().map(Key::id).collect()
    }

    /// The key of an id among them, if this version knows its algorithm.
    pub(crate) fn key(&self, kind: Kind, id: &str) -> Option<PublicKey> {
        let keys = self.root.keys_of(self.role(kind));
        keys.into_iter().find(|key| key.id() == id)?.es256().copied()
    }

    /// The ids of those whose signatures count.
    pub(crate) fn signers(&self, kind: Kind, envelope: &Envelope) -> Vec<String> {
        let signers = self.root.signers(self.role(kind), envelope);
        signers.into_iter().map(|key| key.id().to_owned()).collect()
    }

    /// Whether enough keys of this root have signed `envelope`.
    fn expect_signed(&self, kind: Kind, place: &str, envelope: &Envelope) -> Result<(), Failure> {
        let signers = self.root.signers(self.role(kind), envelope).len();
        let threshold = self.role(kind).threshold();
        if signers >= threshold {
            return Ok(());
        }
        let reason = format!(
            "signed by {signers} of {threshold} {} keys that must, by root {}",
            kind.name(),
            self.root.version(),
        );
        let (cause, at) = (Cause::Threshold, "signatures".to_owned());
        Err(Failure::rejected(place, Rejection { cause, place: at, reason }))
    }
}

/// The ids of the keys of a root that have signed the document, and how many of them must; for a
/// root that is its own role, unless another root is given.
pub(crate) fn progress(
    path: &str,
    document: &document::Document,
    root: Option<&RootFile>,
) -> Result<Option<(Vec<String>, usize)>, Failure> {
    let of = |root: &RootFile| {
        (root.signers(document.kind, &document.envelope), root.role(document.kind).threshold())
    };
    Ok(match (root, document.kind) {
        (Some(root), _) => Some(of(root)),
        (None, Kind::Root) => Some(of(&RootFile::of(path, document.envelope.clone())?)),
        (None, Kind::Pinset) => None,
    })
}

/// Whether the roots are a chain without gaps that clients can walk, in this order.
pub(crate) fn expect_chain(roots: &[RootFile]) -> Result<(), Failure> {
    for root in roots {
        root.expect_signed(Kind::Root, &root.path, &root.envelope)?;
    }
    for pair in roots.windows(2) {
        let [old, new] = pair else { continue };
        // Told first, because it says whose signatures are missing.
        old.expect_signed(Kind::Root, &new.path, &new.envelope)?;
        old.root.follow(&new.envelope).map_err(|e| Failure::rejected(&new.path, e))?;
    }
    Ok(())
}

/// Judges a pin set under a root as a client does for which it is.
pub(crate) fn expect_pinset(root: &RootFile, path: &str, pinset: &Envelope) -> Result<(), Failure> {
    root.expect_signed(Kind::Pinset, path, pinset)?;
    let read = Document::parse(&pinset.payload, Some(&root.root));
    read.map(drop).map_err(|e| Failure::rejected(path, e))
}

/// The newest of the roots that can be read.
pub(crate) fn last_root(bundle: &Bundle) -> Option<Root> {
    let roots = bundle.roots.iter().filter_map(|root| Root::parse(&root.payload).ok());
    roots.max_by_key(Root::version)
}
