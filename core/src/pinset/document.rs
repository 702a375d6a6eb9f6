//! The signed pin set: a static one's members, and when, for whom and how long it holds.
//!
//! Its entries are checked by the rules of static pin sets ([`PinSet::new`]). What only a signed
//! document can say of a host is kept beside them, in [`HostRules`].

use std::collections::BTreeMap;

use url::Url;

use super::dsse::MAX_PAYLOAD;
use super::root::{Constraints, DAY, Preamble, Root, other_stream, read_host};
use crate::json::{self, MAX_INTEGER, Node};
use crate::pin::{
    DefaultsSpec, HostName, HostSpec, InspectionAuthority, MAX_BLOCKED, MAX_HOSTS, OnLapse, PinSet,
    PinSetSpec, Trust,
};
use crate::rejection::{Cause, Rejection};

const MAX_AUDIENCE: usize = 64;
const MAX_URLS: usize = 8;
const HOUR: u64 = 3_600;
const MINUTE: u64 = 60;

/// A checked pin set document.
#[derive(Clone, Debug)]
pub struct Document {
    head: Head,
    pins: PinSet,
    rules: BTreeMap<HostName, HostRules>,
    update: Update,
    inspection: Vec<InspectionAuthority>,
    reporting: Option<Reporting>,
}

/// What decides whether a document may be used at all.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) stream: String,
    pub(super) version: u64,
    pub(super) epoch: u64,
    pub(super) issued: u64,
    pub(super) expires: u64,
    pub(super) audience: Vec<String>,
    grace_days: u64,
}

/// What only a signed document can say of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostRules {
    /// An end before the document's, in seconds since 1970.
    pub expires: Option<u64>,
    /// The share of devices that enforce where the mode is `enforce`; the others report.
    pub enforce_percent: u8,
    /// What decides after the end.
    pub on_lapse: OnLapse,
}

/// Where and how often to look for the next document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// To be tried before those of the embedded configuration, which always follow.
    pub urls: Vec<String>,
    /// Seconds between regular attempts: 1 hour to 7 days, whatever the document says.
    pub interval: u64,
    /// Seconds between attempts while the pin set is stale: 1 minute to `interval`.
    pub min_interval: u64,
}

/// Where and how much to report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reporting {
    /// Every report goes to the first that takes it.
    pub urls: Vec<String>,
    /// The share of devices that report.
    pub sample_percent: u8,
    /// The most reports of one device in a day.
    pub max_per_day: u64,
    /// Whether reports carry the presented certificates.
    pub include_chain: bool,
}

impl Head {
    /// Whether it belongs to the root's series.
    pub(super) fn check_stream(&self, root: &Root) -> Result<(), Rejection> {
        if self.stream == root.stream() {
            return Ok(());
        }
        Err(other_stream(&self.stream, root.stream()))
    }

    /// Whether it belongs to the root's epoch.
    pub(super) fn check_epoch(&self, root: &Root) -> Result<(), Rejection> {
        if self.epoch == root.epoch() {
            return Ok(());
        }
        let reason = format!("{} under a root of {}", self.epoch, root.epoch());
        Err(Rejection::new(Cause::Epoch, "epoch", reason))
    }

    /// `issued < expires`, no longer than the limits allow, and no longer than the root.
    pub(super) fn check_window(&self, root: &Root) -> Result<(), Rejection> {
        self.check_window_within(root.expires(), root.constraints())
    }

    fn check_window_within(&self, end: u64, constraints: &Constraints) -> Result<(), Rejection> {
        let window = |reason: &str| Err(Rejection::new(Cause::Window, "expires", reason));
        let Constraints { max_validity_days, max_grace_days, .. } = *constraints;
        if self.issued >= self.expires {
            return window("not after the time of issue");
        }
        // So a key that a newer root has withdrawn is dead by the end of the root that named it,
        // even for clients from which the newer root is kept.
        if self.expires > end {
            return window("after the root's");
        }
        if self.expires - self.issued > max_validity_days * DAY {
            return window(&format!("more than {max_validity_days} days after the time of issue"));
        }
        if self.grace_days > max_grace_days {
            let reason = format!("more than {max_grace_days}");
            return Err(Rejection::new(Cause::Grace, "grace_days", reason));
        }
        Ok(())
    }
}

impl Document {
    /// Reads the payload of a pin set, whoever has signed it: for the tools of its owners, so that
    /// nobody signs what no client would take. Without a root, by the limits that hold under any.
    ///
    /// # Errors
    /// The [`Rejection`] of every client, or of those that have the root.
    pub fn parse(payload: &[u8], root: Option<&Root>) -> Result<Self, Rejection> {
        let value = json::parse(payload, MAX_PAYLOAD)?;
        let document = Node::document(&value)?;
        let head = Self::read_head(&document)?;
        if head.audience.is_empty() {
            return Err(Rejection::new(Cause::Audience, "aud", "for no app"));
        }
        let Some(root) = root else {
            let any = Constraints { inspection: true, ..Constraints::default() };
            head.check_window_within(u64::MAX, &any)?;
            return Self::read(&document, head, &any);
        };
        head.check_stream(root)?;
        head.check_epoch(root)?;
        head.check_window(root)?;
        Self::read(&document, head, root.constraints())
    }

    pub(super) fn read_head(document: &Node<'_>) -> Result<Head, Rejection> {
        let Preamble { stream, version, epoch, issued, expires } = Preamble::read(document)?;
        let audience = document.required("aud")?.list(MAX_AUDIENCE)?;
        let audience = audience.iter().map(|name| name.label().map(str::to_owned));
        let audience = audience.collect::<Result<_, _>>()?;
        let grace_days = document.required("grace_days")?.integer(0..=MAX_INTEGER)?;
        Ok(Head { stream, version, epoch, issued, expires, audience, grace_days })
    }

    /// Reads everything else.
    pub(super) fn read(
        document: &Node<'_>,
        head: Head,
        constraints: &Constraints,
    ) -> Result<Self, Rejection> {
        let defaults = match document.optional("defaults")? {
            None => DefaultsSpec::default(),
            Some(node) => DefaultsSpec::read(&node)?,
        };
        let mut spec = PinSetSpec {
            schema: 1,
            version: Some(head.version),
            note: document.optional_text("note")?,
            // What a static pin set cannot say is in the rules.
            defaults: DefaultsSpec { on_lapse: OnLapse::SystemTrust, ..defaults },
            blocked_spki: document.texts("blocked_spki", MAX_BLOCKED)?,
            hosts: Vec::new(),
        };
        let mut rules = BTreeMap::new();
        for node in document.required("hosts")?.list(MAX_HOSTS)? {
            let host = read_host(&node.required("host")?)?;
            if !constraints.allow(&host) {
                let reason = format!("the root does not allow {host}");
                return Err(node.required("host")?.rejected(Cause::Constraints, reason));
            }
            let (host_spec, host_rules) = read_entry(&node, &host, &defaults, &head)?;
            spec.hosts.push(host_spec);
            rules.insert(host, host_rules);
        }
        let update = match document.optional("update")? {
            None => Update::default(),
            Some(node) => Update::read(&node)?,
        };
        let inspection = match document.optional("inspection_authorities")? {
            None => Vec::new(),
            Some(node) => InspectionAuthority::read_all(&node, constraints)?,
        };
        let reporting = document.optional("reporting")?;
        let reporting = reporting.map(|node| Reporting::read(&node)).transpose()?;
        let pins = PinSet::new(spec)?;
        Ok(Self { head, pins, rules, update, inspection, reporting })
    }

    /// The series of documents that it belongs to.
    pub fn stream(&self) -> &str {
        &self.head.stream
    }

    /// Its number, which rises within an epoch.
    pub fn version(&self) -> u64 {
        self.head.version
    }

    /// The epoch, which is its root's.
    pub fn epoch(&self) -> u64 {
        self.head.epoch
    }

    /// When it was issued, in seconds since 1970.
    pub fn issued(&self) -> u64 {
        self.head.issued
    }

    /// When it becomes stale, in seconds since 1970.
    pub fn expires(&self) -> u64 {
        self.head.expires
    }

    /// How many seconds after that it lapses.
    pub fn grace(&self) -> u64 {
        self.head.grace_days * DAY
    }

    /// The apps that it is for.
    pub fn audience(&self) -> &[String] {
        &self.head.audience
    }

    /// Its entries and blocked keys. An entry that only a share of the devices enforces is
    /// `enforce` here.
    pub fn pins(&self) -> &PinSet {
        &self.pins
    }

    /// What else it says of the entry of exactly this host.
    pub fn rules(&self, host: &HostName) -> Option<&HostRules> {
        self.rules.get(host)
    }

    /// Where and how often to look for the next one.
    pub fn update(&self) -> &Update {
        &self.update
    }

    /// The authorities that may inspect connections, each in its narrow bounds.
    pub fn inspection_authorities(&self) -> &[InspectionAuthority] {
        &self.inspection
    }

    /// Where and how much to report, where it asks for reports.
    pub fn reporting(&self) -> Option<&Reporting> {
        self.reporting.as_ref()
    }
}

impl Default for Update {
    /// Daily, from the embedded URLs alone.
    fn default() -> Self {
        Self { urls: Vec::new(), interval: DAY, min_interval: HOUR }
    }
}

impl Update {
    fn read(node: &Node<'_>) -> Result<Self, Rejection> {
        let mut update = Self::default();
        if let Some(urls) = node.optional("urls")? {
            update.urls = read_urls(&urls)?;
        }
        // Clamped, so that no document can stop the search for the next, or flood its hosts.
        if let Some(seconds) = node.optional("interval_s")? {
            update.interval = seconds.integer(0..=MAX_INTEGER)?.clamp(HOUR, 7 * DAY);
        }
        if let Some(seconds) = node.optional("min_interval_s")? {
            update.min_interval = seconds.integer(0..=MAX_INTEGER)?.max(MINUTE);
        }
        update.min_interval = update.min_interval.min(update.interval);
        Ok(update)
    }
}

impl Reporting {
    fn read(node: &Node<'_>) -> Result<Self, Rejection> {
        let member = |name, limit, absent| match node.optional(name)? {
            None => Ok(absent),
            Some(n) => n.integer(0..=limit),
        };
        let include_chain = node.optional("include_chain")?;
        Ok(Self {
            urls: read_urls(&node.required("urls")?)?,
            sample_percent: member("sample_percent", 100, 100)? as u8,
            max_per_day: member("max_per_day", 1_000, 5)?,
            include_chain: include_chain.map_or(Ok(false), |flag| flag.flag())?,
        })
    }
}

fn read_entry(
    node: &Node<'_>,
    host: &HostName,
    defaults: &DefaultsSpec,
    head: &Head,
) -> Result<(HostSpec, HostRules), Rejection> {
    let spec = HostSpec::read(node)?;
    let percent = spec.enforce_percent.unwrap_or(100);
    if let Some(node) = node.optional("enforce_percent")?
        && spec.trust.unwrap_or(defaults.trust) == Trust::PinOnly
        && percent != 100
    {
        return Err(node.wrong("pin_only has nothing but the pin: every device must enforce"));
    }
    let expires = match node.optional("expires")? {
        None => None,
        Some(expires) => {
            let at = expires.time()?;
            if at > head.expires {
                return Err(expires.rejected(Cause::Window, "after the document's"));
            }
            Some(at)
        }
    };
    let on_lapse = spec.on_lapse.unwrap_or(defaults.on_lapse);
    let rules = HostRules { expires, enforce_percent: percent, on_lapse };
    // A static entry is the same on every device, and for as long as its document.
    let spec = HostSpec {
        host: host.to_string(),
        enforce_percent: (percent == 0).then_some(0),
        on_lapse: None,
        expires: None,
        ..spec
    };
    Ok((spec, rules))
}

/// https only: what is fetched is signed, but who asks and when is nobody's business.
pub(super) fn read_urls(node: &Node<'_>) -> Result<Vec<String>, Rejection> {
    let mut urls = Vec::new();
    for node in node.list(MAX_URLS)? {
        let text = node.label()?;
        let url = Url::parse(text).map_err(|e| node.wrong(format!("not a URL: {e}")))?;
        let bare = url.username().is_empty() && url.password().is_none();
        if url.scheme() != "https" || !bare || url.fragment().is_some() {
            return Err(node.wrong("not https, or with credentials or a fragment"));
        }
        urls.push(text.to_owned());
    }
    Ok(urls)
}
