//! The root document: which keys count, how many of them, and what they may say.

use super::dsse::{Envelope, MAX_PAYLOAD, ROOT_TYPE, Ring, Verify, pae};
use super::key::{Key, read_keys};
use crate::json::{self, MAX_INTEGER, Node, Value};
use crate::pin::HostName;
use crate::rejection::{Cause, Rejection};

/// The format that this version reads.
pub(super) const SCHEMA: u64 = 1;
/// The longest validity of a pin set, whatever the root says.
pub(super) const MAX_VALIDITY_DAYS: u64 = 398;
/// The longest grace after it, whatever the root says.
pub(super) const MAX_GRACE_DAYS: u64 = 180;
pub(super) const DAY: u64 = 86_400;

const MAX_ROLE_KEYS: usize = 16;
const MAX_CONSTRAINED_HOSTS: usize = 256;
const MAX_CRIT: usize = 16;

/// A checked root document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    stream: String,
    version: u64,
    epoch: u64,
    issued: u64,
    expires: u64,
    keys: Vec<Key>,
    root: Role,
    pinset: Role,
    constraints: Constraints,
}

/// Who may sign one type of document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Indices of the root's keys.
    keys: Vec<usize>,
    threshold: usize,
}

/// What the signers of a pin set may say: the bounds of what a stolen key can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraints {
    /// The hosts that may be named, with everything below them; none where any may.
    pub hosts: Option<Vec<HostName>>,
    /// The longest validity, in days.
    pub max_validity_days: u64,
    /// The longest grace, in days.
    pub max_grace_days: u64,
    /// Whether inspection authorities may be named at all.
    pub inspection: bool,
}

impl Root {
    /// Reads the payload of a root, whoever has signed it: for the tools of its owners.
    ///
    /// # Errors
    /// `malformed`, `too_large`, `unsupported` or `window`.
    pub fn parse(payload: &[u8]) -> Result<Self, Rejection> {
        Self::read(&json::parse(payload, MAX_PAYLOAD)?)
    }

    /// The root in `envelope`, if a client that trusts this one would follow it: it is the next of
    /// the series, and enough keys of both have signed it.
    ///
    /// # Errors
    /// The [`Rejection`] for which the client would stay at this one.
    pub fn follow(&self, envelope: &Envelope) -> Result<Self, Rejection> {
        let value = json::parse(&envelope.payload, MAX_PAYLOAD)?;
        self.endorse(envelope, &value, &Ring).map(|(next, _)| next)
    }

    /// The keys of `role` whose signatures of `envelope` count, in the role's order.
    pub fn signers(&self, role: &Role, envelope: &Envelope) -> Vec<&Key> {
        let keys = self.keys_of(role);
        let counted = (1..=keys.len()).map_while(|n| envelope.verify(&keys, n, &Ring).ok());
        let counted = counted.last().unwrap_or_default();
        let message = pae(&envelope.payload_type, &envelope.payload);
        let has_signed = |key: &&Key| {
            let mut counted = counted.iter().filter_map(|i| envelope.signatures.get(*i));
            let key = key.es256();
            counted.any(|signature| key.is_some_and(|key| key.verify(&message, &signature.sig)))
        };
        keys.into_iter().filter(has_signed).collect()
    }

    /// Reads a payload whose signatures have been, or are about to be, checked.
    pub(super) fn read(value: &Value) -> Result<Self, Rejection> {
        let document = Node::document(value)?;
        let Preamble { stream, version, epoch, issued, expires } = Preamble::read(&document)?;
        if issued >= expires {
            let reason = "not after the time of issue";
            return Err(Rejection::new(Cause::Window, "expires", reason));
        }
        let keys = read_keys(&document.required("keys")?)?;
        let roles = document.required("roles")?;
        let root = Role::read(&roles.required("root")?, &keys)?;
        let pinset = Role::read(&roles.required("pinset")?, &keys)?;
        // The next root needs them; without, this version would be cut off for ever. The other
        // role may be beyond this version for a while: a later root can change that.
        if root.keys.iter().filter(|i| keys[**i].es256().is_some()).count() < root.threshold {
            let reason = "this version does not know the algorithms of enough keys";
            return Err(Rejection::new(Cause::Unsupported, "roles.root", reason));
        }
        let constraints = match document.optional("constraints")? {
            None => Constraints::default(),
            Some(node) => Constraints::read(&node)?,
        };
        Ok(Self { stream, version, epoch, issued, expires, keys, root, pinset, constraints })
    }

    /// The root in `envelope`, if it may follow this one, and the envelope with the signatures that
    /// say so. `value` is the payload's JSON.
    pub(super) fn endorse(
        &self,
        envelope: &Envelope,
        value: &Value,
        verifier: &dyn Verify,
    ) -> Result<(Self, Envelope), Rejection> {
        // a. Signed by enough keys of the role as it was, and only then read …
        envelope.expect_type(ROOT_TYPE)?;
        let mut signatures =
            envelope.verify(&self.keys_of(&self.root), self.root.threshold, verifier)?;
        let next = Self::read(value)?;
        // … and as it will be: a root whose own keys are lost would end the chain.
        signatures.extend(envelope.verify(
            &next.keys_of(&next.root),
            next.root.threshold,
            verifier,
        )?);
        // b. The same series, and an epoch that moves by one at most: no typing error exhausts it.
        if next.stream != self.stream {
            return Err(other_stream(&next.stream, &self.stream));
        }
        if next.version != self.version + 1 {
            let reason = format!("{} behind {}", next.version, self.version);
            return Err(Rejection::malformed("version", reason));
        }
        if next.epoch != self.epoch && next.epoch != self.epoch + 1 {
            let reason = format!("{} after {}", next.epoch, self.epoch);
            return Err(Rejection::new(Cause::Epoch, "epoch", reason));
        }
        // Signatures that did not count are left out: strangers can add those, and what is kept
        // must not grow by what strangers add.
        Ok((next, envelope.with_signatures(&signatures)))
    }

    /// The series of documents that it belongs to.
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// Its number: each root follows the one before by one.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Raised by one, it lets the numbers of pin sets begin anew.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// When it was issued, in seconds since 1970.
    pub fn issued(&self) -> u64 {
        self.issued
    }

    /// No pin set under it is valid for longer; seconds since 1970.
    pub fn expires(&self) -> u64 {
        self.expires
    }

    /// Every key, those of unknown algorithms included.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Who signs the next root, together with that root's own.
    pub fn root_role(&self) -> &Role {
        &self.root
    }

    /// Who signs pin sets.
    pub fn pinset_role(&self) -> &Role {
        &self.pinset
    }

    /// What pin sets may say.
    pub fn constraints(&self) -> &Constraints {
        &self.constraints
    }

    /// The keys of one of its roles.
    pub fn keys_of(&self, role: &Role) -> Vec<&Key> {
        role.keys.iter().filter_map(|i| self.keys.get(*i)).collect()
    }
}

impl Role {
    fn read(node: &Node<'_>, keys: &[Key]) -> Result<Self, Rejection> {
        let mut indices = Vec::new();
        for node in node.required("keys")?.list(MAX_ROLE_KEYS)? {
            let id = node.text()?;
            match keys.iter().position(|key| key.id() == id) {
                None => return Err(node.wrong("no key has this id")),
                Some(i) if indices.contains(&i) => return Err(node.wrong("listed before")),
                Some(i) => indices.push(i),
            }
        }
        let threshold = node.required("threshold")?;
        let threshold = threshold.integer(1..=MAX_ROLE_KEYS as u64)? as usize;
        if threshold > indices.len() {
            return Err(node.wrong(format!("{threshold} of {} keys", indices.len())));
        }
        Ok(Self { keys: indices, threshold })
    }

    /// How many distinct keys must sign.
    pub fn threshold(&self) -> usize {
        self.threshold
    }
}

impl Default for Constraints {
    /// Those of a root that names none.
    fn default() -> Self {
        Self {
            hosts: None,
            max_validity_days: MAX_VALIDITY_DAYS,
            max_grace_days: MAX_GRACE_DAYS,
            inspection: false,
        }
    }
}

impl Constraints {
    fn read(node: &Node<'_>) -> Result<Self, Rejection> {
        let mut read = Self::default();
        if let Some(hosts) = node.optional("hosts")? {
            let hosts = hosts.list(MAX_CONSTRAINED_HOSTS)?;
            read.hosts = Some(hosts.iter().map(read_host).collect::<Result<_, _>>()?);
        }
        // A root may say more than this version allows; the smaller number holds.
        if let Some(days) = node.optional("max_validity_days")? {
            read.max_validity_days = days.integer(1..=MAX_INTEGER)?.min(MAX_VALIDITY_DAYS);
        }
        if let Some(days) = node.optional("max_grace_days")? {
            read.max_grace_days = days.integer(0..=MAX_INTEGER)?.min(MAX_GRACE_DAYS);
        }
        if let Some(inspection) = node.optional("inspection")? {
            read.inspection = inspection.flag()?;
        }
        Ok(read)
    }

    /// Whether a pin set may name the host: on label boundaries, never by the end of the text.
    pub(super) fn allow(&self, host: &HostName) -> bool {
        let under = |parent: &HostName| {
            host == parent
                || !parent.is_ip()
                    && host
                        .as_str()
                        .strip_suffix(parent.as_str())
                        .is_some_and(|front| front.ends_with('.'))
        };
        self.hosts.as_ref().is_none_or(|hosts| hosts.iter().any(under))
    }
}

/// What both types of documents begin with.
pub(super) struct Preamble {
    pub(super) stream: String,
    pub(super) version: u64,
    pub(super) epoch: u64,
    pub(super) issued: u64,
    pub(super) expires: u64,
}

impl Preamble {
    pub(super) fn read(document: &Node<'_>) -> Result<Self, Rejection> {
        let schema = document.required("schema")?;
        let found = schema.integer(1..=MAX_INTEGER)?;
        if found > SCHEMA {
            let reason = format!("{found} where this version reads {SCHEMA}");
            return Err(schema.rejected(Cause::Unsupported, reason));
        }
        // There are no features yet that a reader could have to understand.
        if let Some(feature) = document.optional_list("crit", MAX_CRIT)?.first() {
            let reason = format!("{:?} is not known to this version", feature.text()?);
            return Err(feature.rejected(Cause::Unsupported, reason));
        }
        Ok(Self {
            stream: document.required("stream")?.label()?.to_owned(),
            version: document.required("version")?.integer(1..=MAX_INTEGER)?,
            epoch: document.required("epoch")?.integer(0..=MAX_INTEGER)?,
            issued: document.required("issued")?.time()?,
            expires: document.required("expires")?.time()?,
        })
    }
}

pub(super) fn other_stream(found: &str, expected: &str) -> Rejection {
    Rejection::new(Cause::Stream, "stream", format!("{found:?} where {expected:?} belongs"))
}

/// A host in its one canonical form: in a signed document nothing is left to interpretation.
pub(super) fn read_host(node: &Node<'_>) -> Result<HostName, Rejection> {
    let text = node.text()?;
    let host = HostName::parse(text).map_err(|reason| node.wrong(reason))?;
    if host.as_str() != text {
        return Err(node.wrong(format!("not canonical: write {host}")));
    }
    Ok(host)
}
