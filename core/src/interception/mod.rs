//! Who is in the middle, when a certificate is refused: a guess with its evidence.
//!
//! It decides nothing. A refused connection stays refused whatever is said here, and everything
//! that is said can be forged by whoever made the certificate. It is for the user who wants to know
//! what to do, and for the support desk that has to tell "our rotation" from "his antivirus".

mod classify;
mod products;

use std::fmt;

pub(crate) use classify::{Cause, Scene, http_in_clear};
use serde_json::{Value, json};

use crate::time::format_rfc3339_utc;

/// Who is probably in the middle, or what else is wrong, and why that is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterceptionReport {
    /// What it probably is.
    pub kind: InterceptionKind,
    /// How well the evidence supports that.
    pub confidence: Confidence,
    /// The product, where its name was recognised.
    pub product: Option<&'static str>,
    /// The authority that issued the certificate, as it calls itself.
    pub authority: Option<String>,
    /// What speaks for it.
    pub evidence: Vec<Evidence>,
}

/// What is probably between the app and its server, or wrong with one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum InterceptionKind {
    /// Antivirus or parental control software on this device.
    Antivirus,
    /// A network that wants a login first.
    CaptivePortal,
    /// A developer's proxy, such as mitmproxy or Charles.
    DebuggingProxy,
    /// The server's certificate has expired.
    Expired,
    /// A company's gateway that inspects traffic.
    InspectionProduct,
    /// An authority that the user or administrator of the device has added.
    LocalAuthority,
    /// An authority that is trusted anyhow, with a key that is not pinned: a rotation that the pin
    /// set does not know of, or a certificate that should not exist.
    RotatedOrMisissued,
    /// Somebody whom neither the device nor this table knows.
    UnknownAuthority,
    /// The device's clock is wrong.
    WrongClock,
    /// The certificate is another host's.
    WrongName,
}

/// How well the evidence supports a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Confidence {
    /// Nothing speaks against it, little for it.
    Possible,
    /// What is usually behind such evidence.
    Likely,
    /// There is no other explanation.
    Certain,
}

/// One observation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The platform says that the authority was added to the device.
    AddedAuthority,
    /// The device's clock, in seconds since 1970, is before this version of Pinfold was made.
    ClockBeforeRelease(u64),
    /// The certificates of the authorities have expired as well.
    AuthoritiesExpired,
    /// The server answered in the clear, with a redirect to this place where there is one.
    HttpInClear(Option<String>),
    /// The authority is none of the public web's.
    NotPublic,
    /// The names that the certificate is for.
    OtherNames(Vec<String>),
    /// The certificate's key is pinned: this is the right server.
    PinnedKey,
    /// The issuer calls itself as a known product does.
    ProductName(String),
    /// The authority is one of the public web's.
    Public,
    /// The certificate is signed by its own key.
    SelfSigned,
    /// First and last second of the certificate's validity and the device's clock, in seconds
    /// since 1970.
    Validity {
        /// The first second.
        from: u64,
        /// The last second.
        until: u64,
        /// The device's clock.
        now: u64,
    },
}

impl InterceptionKind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Antivirus,
        Self::CaptivePortal,
        Self::DebuggingProxy,
        Self::Expired,
        Self::InspectionProduct,
        Self::LocalAuthority,
        Self::RotatedOrMisissued,
        Self::UnknownAuthority,
        Self::WrongClock,
        Self::WrongName,
    ];

    /// The stable code, for logs and as a key for the app's own translation.
    pub fn code(self) -> &'static str {
        match self {
            Self::Antivirus => "antivirus",
            Self::CaptivePortal => "captive_portal",
            Self::DebuggingProxy => "debugging_proxy",
            Self::Expired => "expired",
            Self::InspectionProduct => "inspection_product",
            Self::LocalAuthority => "local_authority",
            Self::RotatedOrMisissued => "rotated_or_misissued",
            Self::UnknownAuthority => "unknown_authority",
            Self::WrongClock => "wrong_clock",
            Self::WrongName => "wrong_name",
        }
    }
}

impl Confidence {
    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::Certain => "certain",
        }
    }
}

impl Evidence {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::AddedAuthority => "added_authority",
            Self::AuthoritiesExpired => "authorities_expired",
            Self::ClockBeforeRelease(_) => "clock_before_release",
            Self::HttpInClear(_) => "http_in_clear",
            Self::NotPublic => "not_public",
            Self::OtherNames(_) => "other_names",
            Self::PinnedKey => "pinned_key",
            Self::ProductName(_) => "product_name",
            Self::Public => "public",
            Self::SelfSigned => "self_signed",
            Self::Validity { .. } => "validity",
        }
    }
}

impl InterceptionReport {
    /// A sentence in English that an app can show to its user. To translate it, use
    /// [`InterceptionKind::code`] as the key and [`Self::product`] as the one argument.
    pub fn message(&self) -> String {
        let product = self.product.unwrap_or("software");
        match self.kind {
            InterceptionKind::Antivirus => format!(
                "{product} on this device is reading encrypted traffic. Switch its HTTPS \
                 scanning off for this app, then try again."
            ),
            InterceptionKind::CaptivePortal => "This network seems to want a login first. Open a \
                web page in the browser, log in, then try again."
                .into(),
            InterceptionKind::DebuggingProxy => format!(
                "A debugging proxy ({product}) is reading this app's traffic. Remove it from the \
                 network settings, then try again."
            ),
            InterceptionKind::Expired => "The server's certificate has expired. Check this \
                device's date and time; if they are right, try again later."
                .into(),
            InterceptionKind::InspectionProduct => format!(
                "{product} on this network is reading encrypted traffic. Try another network, or \
                 ask your administrator to exempt this app."
            ),
            InterceptionKind::LocalAuthority => "A certificate that was added to this device is \
                being used to read this app's traffic. Remove it or ask your administrator."
                .into(),
            InterceptionKind::RotatedOrMisissued => "The server showed a certificate that this \
                version of the app does not know. Update the app; if that does not help, try \
                another network."
                .into(),
            InterceptionKind::UnknownAuthority => "The server could not prove who it is. Somebody \
                may be reading this network's traffic: try another network."
                .into(),
            InterceptionKind::WrongClock => {
                "This device's date and time are wrong. Set them right, then try again.".into()
            }
            InterceptionKind::WrongName => "Another server answered. The network may want a login \
                first: open a web page in the browser, then try again."
                .into(),
        }
    }
}

impl InterceptionReport {
    /// Everything, the message included.
    pub fn to_json(&self) -> Value {
        let evidence =
            |evidence: &Evidence| json!({ "code": evidence.code(), "text": evidence.to_string() });
        json!({
            "kind": self.kind.code(),
            "confidence": self.confidence.code(),
            "product": self.product,
            "authority": self.authority,
            "evidence": self.evidence.iter().map(evidence).collect::<Vec<_>>(),
            "message": self.message(),
        })
    }
}

impl fmt::Display for InterceptionReport {
    /// For a log: kind, confidence, product and evidence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.confidence.code(), self.kind.code())?;
        if let Some(product) = self.product {
            write!(f, " ({product})")?;
        }
        for (i, evidence) in self.evidence.iter().enumerate() {
            write!(f, "{}{evidence}", if i == 0 { ", because " } else { ", " })?;
        }
        Ok(())
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddedAuthority => f.write_str("its authority was added to this device"),
            Self::AuthoritiesExpired => f.write_str("its authorities have expired as well"),
            Self::ClockBeforeRelease(now) => {
                let now = format_rfc3339_utc(*now);
                write!(f, "this device's clock says {now}, before this software was made")
            }
            Self::HttpInClear(None) => f.write_str("the answer was HTTP in the clear"),
            Self::HttpInClear(Some(to)) => {
                write!(f, "the answer was HTTP in the clear, a redirect to {to}")
            }
            Self::NotPublic => f.write_str("its authority is none of the public web's"),
            Self::OtherNames(names) => write!(f, "it is for {}", names.join(", ")),
            Self::PinnedKey => f.write_str("its key is pinned"),
            Self::ProductName(name) => write!(f, "the issuer calls itself {name:?}"),
            Self::Public => f.write_str("its authority is one of the public web's"),
            Self::SelfSigned => f.write_str("it is signed by its own key"),
            Self::Validity { from, until, now } => {
                let [from, until, now] = [from, until, now].map(|at| format_rfc3339_utc(*at));
                write!(f, "it is valid from {from} to {until}, and this device's clock says {now}")
            }
        }
    }
}
