//! A pin set that has been checked: what cannot be wrong any more.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::{CertificateDer, TrustAnchor};
use webpki::anchor_from_trusted_cert;

use super::blocked::Blocked;
use super::host::HostName;
use super::inspection::InspectionAuthority;
use super::limits::{MAX_ANCHORS, MAX_BLOCKED, MAX_HOSTS, MAX_PINS};
use super::spec::{HostSpec, Mode, OnLapse, PinAt, PinSetSpec, PinSpec, PinState, Trust};
use super::spki::{CertSha256, PinDigest, SpkiSha256, decode_digest};
use crate::error::Error;
use crate::time::parse_rfc3339_utc;

const SCHEMA: u32 = 1;
/// Ignoring it would open what somebody wants shut.
const NO_BLOCK: &str = "a static pin set cannot block for ever; only system_trust";
const MAX_TEXT: usize = 1_024;
const MAX_CERTIFICATE: usize = 16 * 1024;
/// The largest integer that every JSON reader keeps exactly (RFC 7493 §2.2).
const MAX_INTEGER: u64 = (1 << 53) - 1;

/// A checked pin set. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PinSet(Arc<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    version: Option<u64>,
    hosts: Vec<HostPolicy>,
    by_name: HashMap<HostName, usize>,
    /// No right clock says less.
    floor: u64,
    blocked: Blocked,
    /// The public roots among the blocked keys.
    blocked_roots: Anchors,
    inspection: Vec<InspectionAuthority>,
}

/// What holds for one host, or for a host and every name below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPolicy {
    host: HostName,
    include_subdomains: bool,
    mode: Mode,
    trust: Trust,
    expires: Option<u64>,
    on_lapse: OnLapse,
    pins: Vec<Pin>,
    anchors: Anchors,
    /// The certificates of the same, in DER.
    authorities: Vec<Vec<u8>>,
    /// Pinned authorities that the pin set carries or that are public roots: anchors for
    /// rebuilding a path to a root that the server does not send.
    pinned_roots: Anchors,
    pins_certificates: bool,
}

/// What of an entry depends on the device and the document around it.
pub(crate) struct Terms {
    pub(crate) mode: Mode,
    pub(crate) expires: u64,
    pub(crate) on_lapse: OnLapse,
}

/// One pin of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// What is pinned.
    pub digest: PinDigest,
    /// Where on the verified path it may match.
    pub at: PinAt,
    /// Where in its life it is.
    pub state: PinState,
    /// For people.
    pub label: Option<String>,
}

/// Authorities as webpki wants them, with the digests of their certificates where those are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Anchors {
    list: Vec<TrustAnchor<'static>>,
    certificates: Vec<Option<CertSha256>>,
}

impl Anchors {
    pub(crate) fn push(&mut self, anchor: TrustAnchor<'static>, certificate: Option<CertSha256>) {
        self.list.push(anchor);
        self.certificates.push(certificate);
    }

    pub(crate) fn list(&self) -> &[TrustAnchor<'static>] {
        &self.list
    }

    /// The digest of the certificate of an authority with this name and key.
    pub(crate) fn certificate(&self, anchor: &TrustAnchor<'_>) -> Option<CertSha256> {
        let i = self.list.iter().position(|known| known == anchor)?;
        self.certificates[i]
    }
}

impl PinSet {
    /// Reads the JSON of a static pin set.
    ///
    /// # Errors
    /// [`Error::InvalidPinSet`] names the place and what is wrong there.
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        Self::new(PinSetSpec::from_json(json)?)
    }

    /// Checks a pin set that was put together in code.
    ///
    /// # Errors
    /// [`Error::InvalidPinSet`] names the place as it would be in JSON.
    pub fn new(spec: PinSetSpec) -> Result<Self, Error> {
        if spec.schema != SCHEMA {
            let reason = format!("{} where this version reads {SCHEMA}", spec.schema);
            return Err(Error::pin_set("schema", reason));
        }
        if spec.version.is_some_and(|v| v == 0 || v > MAX_INTEGER) {
            return Err(Error::pin_set("version", "not between 1 and 2^53-1"));
        }
        check_text("note", spec.note.as_deref())?;
        if spec.hosts.len() > MAX_HOSTS {
            let reason = format!("{} where {MAX_HOSTS} are allowed", spec.hosts.len());
            return Err(Error::pin_set("hosts", reason));
        }
        if spec.defaults.on_lapse == OnLapse::Block {
            return Err(Error::pin_set("defaults.on_lapse", NO_BLOCK));
        }
        let mut hosts = Vec::with_capacity(spec.hosts.len());
        let mut by_name = HashMap::with_capacity(spec.hosts.len());
        for (i, host) in spec.hosts.iter().enumerate() {
            let policy = HostPolicy::new(&format!("hosts[{i}]"), host, &spec)?;
            if let Some(first) = by_name.insert(policy.host.clone(), i) {
                let reason = format!("the same host as hosts[{first}]");
                return Err(Error::pin_set(format!("hosts[{i}].host"), reason));
            }
            hosts.push(policy);
        }
        let (blocked, blocked_roots) = parse_blocked(&spec.blocked_spki)?;
        let version = spec.version;
        let (floor, inspection) = (0, Vec::new());
        let inner = Inner { version, hosts, by_name, floor, blocked, blocked_roots, inspection };
        Ok(Self(Arc::new(inner)))
    }

    /// Its version, where it has one.
    pub fn version(&self) -> Option<u64> {
        self.0.version
    }

    /// Every entry, in the order written.
    pub fn hosts(&self) -> &[HostPolicy] {
        &self.0.hosts
    }

    /// The same pin set as it holds here and now: each entry on the terms that `terms` gives it, and
    /// the clock never before `floor`, in seconds since 1970.
    pub(crate) fn on_terms(
        &self,
        floor: u64,
        inspection: &[InspectionAuthority],
        terms: impl Fn(&HostPolicy) -> Terms,
    ) -> Self {
        let mut inner = (*self.0).clone();
        inner.floor = floor;
        inner.inspection = inspection.to_vec();
        for policy in &mut inner.hosts {
            let Terms { mode, expires, on_lapse } = terms(policy);
            (policy.mode, policy.expires, policy.on_lapse) = (mode, Some(expires), on_lapse);
        }
        Self(Arc::new(inner))
    }

    /// Whether both are one pin set, not only equal ones.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The time that counts when the device's clock says `now`.
    pub(crate) fn effective_now(&self, now: u64) -> u64 {
        now.max(self.0.floor)
    }

    /// Keys that no path may contain.
    pub(crate) fn blocked(&self) -> &Blocked {
        &self.0.blocked
    }

    /// The public roots among the blocked keys, to see whether a hidden path ends in one.
    pub(crate) fn blocked_roots(&self) -> &Anchors {
        &self.0.blocked_roots
    }

    /// Authorities that may inspect some of the hosts.
    pub(crate) fn inspection(&self) -> &[InspectionAuthority] {
        &self.0.inspection
    }

    /// The one entry that holds for `host`: its own, else the one with the most labels that
    /// includes subdomains. The most specific wins entirely, even if it is `off`.
    pub fn policy(&self, host: &HostName) -> Option<&HostPolicy> {
        host.and_parents().enumerate().find_map(|(depth, name)| {
            let policy = &self.0.hosts[*self.0.by_name.get(name)?];
            (depth == 0 || policy.include_subdomains).then_some(policy)
        })
    }
}

impl std::borrow::Borrow<str> for HostName {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl HostPolicy {
    fn new(place: &str, spec: &HostSpec, set: &PinSetSpec) -> Result<Self, Error> {
        let fail = |member: &str, reason: &str| Err(Error::pin_set(at(place, member), reason));
        let host = HostName::parse(&spec.host).map_err(|e| Error::pin_set(at(place, "host"), e))?;
        if host.is_public_suffix() {
            return fail("host", "a public suffix: anybody can register names under it");
        }
        if spec.include_subdomains && host.is_ip() {
            return fail("include_subdomains", "an IP address has no subdomains");
        }
        let mode = match (spec.mode.unwrap_or(set.defaults.mode), spec.enforce_percent) {
            (mode, None | Some(100)) => mode,
            (Mode::Enforce, Some(0)) => Mode::ReportOnly,
            (mode, Some(0)) => mode,
            (_, Some(1..=99)) => {
                return fail("enforce_percent", "a static pin set can only say 0 or 100");
            }
            (_, Some(_)) => return fail("enforce_percent", "not between 0 and 100"),
        };
        if spec.on_lapse == Some(OnLapse::Block) {
            return fail("on_lapse", NO_BLOCK);
        }
        let trust = spec.trust.unwrap_or(set.defaults.trust);
        let expires = match &spec.expires {
            None => None,
            Some(text) => match parse_rfc3339_utc(text) {
                Some(at) => Some(at),
                None => return fail("expires", "not a time of the form 2027-01-31T00:00:00Z"),
            },
        };

        if spec.pins.len() > MAX_PINS {
            return fail("pins", &format!("more than {MAX_PINS}"));
        }
        let mut pins = Vec::with_capacity(spec.pins.len());
        let mut pinned_roots = Anchors::default();
        for (i, pin) in spec.pins.iter().enumerate() {
            let place = format!("{place}.pins[{i}]");
            let (pin, root) = parse_pin(&place, pin)?;
            if pins.iter().any(|p: &Pin| p.digest == pin.digest && p.at == pin.at) {
                return Err(Error::pin_set(place, "the same pin is listed before"));
            }
            pins.push(pin);
            if let Some((anchor, certificate)) = root {
                pinned_roots.push(anchor, Some(certificate));
            }
        }
        let distinct = pins.iter().map(|p| p.digest).collect::<BTreeSet<_>>().len();
        if mode == Mode::Enforce && distinct < 2 {
            return fail(
                "pins",
                "enforce needs two distinct pins: one is a lock without a spare key",
            );
        }
        if mode == Mode::ReportOnly && distinct == 0 {
            return fail("pins", "nothing to report on without a pin");
        }

        let (anchors, authorities) = parse_anchors(place, &spec.anchors)?;
        match (trust, mode) {
            (Trust::PrivateCa, _) if spec.anchors.is_empty() => {
                return fail("anchors", "private_ca needs at least one authority");
            }
            (Trust::PinOnly, mode) if mode != Mode::Enforce => {
                return fail("mode", "pin_only has nothing but the pin: it must enforce");
            }
            (Trust::PinOnly, _) if pins.iter().any(|p| p.at != PinAt::Leaf) => {
                return fail("pins", "pin_only needs every pin to say \"at\": \"leaf\"");
            }
            (Trust::PinOnly | Trust::SystemAndPin, _) if !spec.anchors.is_empty() => {
                return fail("anchors", "only private_ca uses them");
            }
            _ => {}
        }
        let above_leaf =
            |spki| pins.iter().any(|p| p.at != PinAt::Leaf && p.digest == PinDigest::Spki(spki));
        if pins.iter().any(|p| p.at != PinAt::Leaf) {
            // A pin on a public root must hold although servers need not send roots (RFC 8446
            // §4.4.2).
            add_public_roots(above_leaf, &mut pinned_roots);
        }
        let pins_certificates = pins.iter().any(|p| matches!(p.digest, PinDigest::Certificate(_)));
        Ok(Self {
            host,
            include_subdomains: spec.include_subdomains,
            mode,
            trust,
            expires,
            on_lapse: OnLapse::SystemTrust,
            pins,
            anchors,
            authorities,
            pinned_roots,
            pins_certificates,
        })
    }

    /// The host of the entry.
    pub fn host(&self) -> &HostName {
        &self.host
    }

    /// Whether it covers every name below the host.
    pub fn include_subdomains(&self) -> bool {
        self.include_subdomains
    }

    /// What happens when no pin matches.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// What makes a certificate trusted before pins are looked at.
    pub fn trust(&self) -> Trust {
        self.trust
    }

    /// When the entry lapses, in seconds since 1970.
    pub fn expires(&self) -> Option<u64> {
        self.expires
    }

    /// What decides then.
    pub fn on_lapse(&self) -> OnLapse {
        self.on_lapse
    }

    /// Its pins.
    pub fn pins(&self) -> &[Pin] {
        &self.pins
    }

    /// The certificates of the entry's own authorities, in DER.
    pub(crate) fn authorities(&self) -> &[Vec<u8>] {
        &self.authorities
    }

    pub(crate) fn anchors(&self) -> &Anchors {
        &self.anchors
    }

    pub(crate) fn pinned_roots(&self) -> &Anchors {
        &self.pinned_roots
    }

    /// Whether any pin is of a whole certificate, so that hashing those is worth it.
    pub(crate) fn pins_certificates(&self) -> bool {
        self.pins_certificates
    }
}

type CarriedRoot = (TrustAnchor<'static>, CertSha256);

fn parse_pin(place: &str, spec: &PinSpec) -> Result<(Pin, Option<CarriedRoot>), Error> {
    let digest = match (&spec.sha256, &spec.cert_sha256) {
        (Some(text), None) => decode_digest(text)
            .map(|d| PinDigest::Spki(SpkiSha256::new(d)))
            .map_err(|e| Error::pin_set(at(place, "sha256"), e))?,
        (None, Some(text)) => decode_digest(text)
            .map(|d| PinDigest::Certificate(CertSha256::new(d)))
            .map_err(|e| Error::pin_set(at(place, "cert_sha256"), e))?,
        (None, None) => return Err(Error::pin_set(place, "sha256 or cert_sha256 is missing")),
        (Some(_), Some(_)) => {
            return Err(Error::pin_set(place, "sha256 and cert_sha256 exclude each other"));
        }
    };
    check_text(&at(place, "label"), spec.label.as_deref())?;
    let root = match &spec.cert {
        None => None,
        Some(text) => {
            let place = at(place, "cert");
            if spec.at == PinAt::Leaf {
                return Err(Error::pin_set(place, "only a pinned authority carries one"));
            }
            let (anchor, certificate, _) = parse_certificate(&place, text)?;
            let spki = SpkiSha256::of_spki_contents(&anchor.subject_public_key_info);
            if digest != PinDigest::Certificate(certificate) && digest != PinDigest::Spki(spki) {
                return Err(Error::pin_set(place, format!("not the one pinned: {spki}")));
            }
            Some((anchor, certificate))
        }
    };
    Ok((Pin { digest, at: spec.at, state: spec.state, label: spec.label.clone() }, root))
}

fn parse_anchors(place: &str, anchors: &[String]) -> Result<(Anchors, Vec<Vec<u8>>), Error> {
    if anchors.len() > MAX_ANCHORS {
        return Err(Error::pin_set(at(place, "anchors"), format!("more than {MAX_ANCHORS}")));
    }
    let (mut parsed, mut ders) = (Anchors::default(), Vec::new());
    for (i, text) in anchors.iter().enumerate() {
        let (anchor, certificate, der) = parse_certificate(&format!("{place}.anchors[{i}]"), text)?;
        parsed.push(anchor, Some(certificate));
        ders.push(der);
    }
    Ok((parsed, ders))
}

/// A certificate in base64: as webpki wants it, its digest, and itself in DER.
fn parse_certificate(
    place: &str,
    text: &str,
) -> Result<(TrustAnchor<'static>, CertSha256, Vec<u8>), Error> {
    if text.len() > MAX_CERTIFICATE {
        return Err(Error::pin_set(place, format!("longer than {MAX_CERTIFICATE} characters")));
    }
    if text.starts_with("-----BEGIN") {
        return Err(Error::pin_set(place, "PEM; write the base64 alone, on one line"));
    }
    let der = STANDARD
        .decode(text)
        .map_err(|_| Error::pin_set(place, "not base64 (standard alphabet, padded)"))?;
    let anchor = anchor_from_trusted_cert(&CertificateDer::from(der.as_slice()))
        .map_err(|e| Error::pin_set(place, format!("not an X.509 certificate: {e}")))?
        .to_owned();
    Ok((anchor, CertSha256::of_certificate(&der), der))
}

fn parse_blocked(keys: &[String]) -> Result<(Blocked, Anchors), Error> {
    if keys.len() > MAX_BLOCKED {
        return Err(Error::pin_set("blocked_spki", format!("more than {MAX_BLOCKED}")));
    }
    let mut blocked = BTreeSet::new();
    for (i, text) in keys.iter().enumerate() {
        let key = decode_digest(text).map(SpkiSha256::new);
        let key = key.map_err(|e| Error::pin_set(format!("blocked_spki[{i}]"), e))?;
        if !blocked.insert(key) {
            return Err(Error::pin_set(format!("blocked_spki[{i}]"), "listed before"));
        }
    }
    let mut roots = Anchors::default();
    if !blocked.is_empty() {
        add_public_roots(|spki| blocked.contains(&spki), &mut roots);
    }
    Ok((Blocked::new(blocked), roots))
}

#[cfg(feature = "bundled-roots")]
fn add_public_roots(wanted: impl Fn(SpkiSha256) -> bool, roots: &mut Anchors) {
    for (spki, anchor) in super::roots::public_roots() {
        if wanted(*spki) {
            roots.push((*anchor).clone(), None);
        }
    }
}

#[cfg(not(feature = "bundled-roots"))]
fn add_public_roots(_: impl Fn(SpkiSha256) -> bool, _: &mut Anchors) {}

fn check_text(place: &str, text: Option<&str>) -> Result<(), Error> {
    let Some(text) = text else { return Ok(()) };
    if text.len() > MAX_TEXT {
        return Err(Error::pin_set(place, format!("longer than {MAX_TEXT} bytes")));
    }
    if text.contains(char::is_control) {
        return Err(Error::pin_set(place, "contains a control character"));
    }
    Ok(())
}

fn at(place: &str, member: &str) -> String {
    format!("{place}.{member}")
}
