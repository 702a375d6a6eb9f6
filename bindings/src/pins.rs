//! Pin sets.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pinfold_core::{Error, pin};

use crate::failure::PinfoldFailure;

macro_rules! mirror {
    ($(#[$doc:meta])* $name:ident { $($(#[$case_doc:meta])* $case:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
        pub enum $name { $($(#[$case_doc])* $case),+ }

        impl From<$name> for pin::$name {
            fn from(value: $name) -> Self {
                match value { $($name::$case => Self::$case),+ }
            }
        }

        impl From<pin::$name> for $name {
            fn from(value: pin::$name) -> Self {
                match value { $(pin::$name::$case => Self::$case),+ }
            }
        }
    };
}

mirror! {
    /// What to do when no pin matches.
    Mode { /** Refuse. */ Enforce, /** Allow and say so. */ ReportOnly, /** Do not look. */ Off }
}
mirror! {
    /// What makes a certificate trusted before pins are looked at.
    Trust {
        /** The system's authorities, and a pin. */ SystemAndPin,
        /** The entry's own authorities, and a pin. */ PrivateCa,
        /** A pin of the end-entity alone. */ PinOnly,
    }
}
mirror! {
    /// Where on the verified path a pin may match.
    PinAt { /** End-entity. */ Leaf, /** Above it. */ Ca, /** Anywhere. */ Any }
}
mirror! {
    /// Where in its life a pin is.
    PinState { /** In use. */ Active, /** Kept ready. */ Backup, /** On its way out. */ Retiring }
}
/// A pin set put together in code.
#[derive(Clone, Debug, uniffi::Record)]
pub struct PinSetSpec {
    /// Its own version, for errors and reports.
    pub version: Option<u64>,
    /// Keys that no path may contain, `sha256/…`.
    pub blocked_spki: Vec<String>,
    /// The entries.
    pub hosts: Vec<HostSpec>,
}

/// The entry of one host.
#[derive(Clone, Debug, uniffi::Record)]
pub struct HostSpec {
    /// Name or IP address.
    pub host: String,
    /// Whether it covers every name below.
    pub include_subdomains: bool,
    /// What to do when no pin matches.
    pub mode: Mode,
    /// What makes a certificate trusted.
    pub trust: Trust,
    /// When the entry lapses, `YYYY-MM-DDTHH:MM:SSZ`.
    pub expires: Option<String>,
    /// The pins.
    pub pins: Vec<PinSpec>,
    /// The authorities of `PrivateCa`, DER.
    pub anchors: Vec<Vec<u8>>,
}

/// One pin.
#[derive(Clone, Debug, uniffi::Record)]
pub struct PinSpec {
    /// `sha256/…` or `cert-sha256/…`.
    pub pin: String,
    /// Where it may match.
    pub at: PinAt,
    /// Where in its life it is.
    pub state: PinState,
    /// For people.
    pub label: Option<String>,
    /// The pinned authority's certificate, DER, where servers do not send it.
    pub certificate: Option<Vec<u8>>,
}

/// A checked pin set.
#[derive(Debug, uniffi::Object)]
pub struct PinSet(pub(crate) pin::PinSet);

#[uniffi::export]
impl PinSet {
    /// Reads the JSON of a static pin set.
    #[uniffi::constructor]
    pub fn parse(json: &[u8]) -> Result<Arc<Self>, PinfoldFailure> {
        Ok(Arc::new(Self(pin::PinSet::parse(json)?)))
    }

    /// Checks a pin set that was put together in code.
    #[uniffi::constructor]
    pub fn build(spec: PinSetSpec) -> Result<Arc<Self>, PinfoldFailure> {
        let hosts = spec.hosts.into_iter().enumerate().map(|(i, host)| host_spec(i, host));
        let spec = pin::PinSetSpec {
            schema: 1,
            version: spec.version,
            blocked_spki: spec
                .blocked_spki
                .into_iter()
                .enumerate()
                .map(blocked)
                .collect::<Result<_, _>>()?,
            hosts: hosts.collect::<Result<_, _>>()?,
            ..pin::PinSetSpec::default()
        };
        Ok(Arc::new(Self(pin::PinSet::new(spec)?)))
    }

    /// Its version, where it has one.
    pub fn version(&self) -> Option<u64> {
        self.0.version()
    }

    /// The hosts of its entries, in the order written.
    pub fn hosts(&self) -> Vec<String> {
        self.0.hosts().iter().map(|policy| policy.host().to_string()).collect()
    }
}

fn blocked((i, pin): (usize, String)) -> Result<String, Error> {
    let fail = |reason| Error::InvalidPinSet { place: format!("blocked_spki[{i}]"), reason };
    match pin.parse().map_err(fail)? {
        pin::PinDigest::Spki(key) => Ok(STANDARD.encode(key.as_bytes())),
        pin::PinDigest::Certificate(_) => {
            Err(fail("a certificate's digest where a key's belongs".into()))
        }
    }
}

fn host_spec(i: usize, host: HostSpec) -> Result<pin::HostSpec, Error> {
    let pin = |(j, pin)| pin_spec(&format!("hosts[{i}].pins[{j}]"), pin);
    Ok(pin::HostSpec {
        host: host.host,
        include_subdomains: host.include_subdomains,
        mode: Some(host.mode.into()),
        trust: Some(host.trust.into()),
        expires: host.expires,
        pins: host.pins.into_iter().enumerate().map(pin).collect::<Result<_, _>>()?,
        anchors: host.anchors.iter().map(|der| STANDARD.encode(der)).collect(),
        ..pin::HostSpec::default()
    })
}

fn pin_spec(place: &str, spec: PinSpec) -> Result<pin::PinSpec, Error> {
    // With its prefix: bare base64 could be the digest of either.
    let digest = spec.pin.parse::<pin::PinDigest>().map_err(|reason| {
        let member = if spec.pin.starts_with("cert-") { "cert_sha256" } else { "sha256" };
        Error::InvalidPinSet { place: format!("{place}.{member}"), reason }
    })?;
    let (sha256, cert_sha256) = match digest {
        pin::PinDigest::Spki(digest) => (Some(STANDARD.encode(digest.as_bytes())), None),
        pin::PinDigest::Certificate(digest) => (None, Some(STANDARD.encode(digest.as_bytes()))),
    };
    Ok(pin::PinSpec {
        sha256,
        cert_sha256,
        at: spec.at.into(),
        state: spec.state.into(),
        label: spec.label,
        cert: spec.certificate.map(|der| STANDARD.encode(der)),
    })
}
