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
    /// The server itself: what it presents is wrong, and its owner can mend it.
    ServerMisconfigured,
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
    /// An authority's certificate has ended, at this second since 1970.
    AuthorityExpired {
        /// How the authority calls itself.
        name: String,
        /// The last second of its validity.
        until: u64,
    },
    /// An authority's certificate begins later, at this second since 1970.
    AuthorityNotYetValid {
        /// How the authority calls itself.
        name: String,
        /// The first second of its validity.
        from: u64,
    },
    /// The device's clock, in seconds since 1970, is before this version of Pinfold was made.
    ClockBeforeRelease(u64),
    /// The certificates of the authorities have expired as well.
    AuthoritiesExpired,
    /// The certificate for the host is not the first one that the server sent, but this one, counted
    /// from 1.
    FurtherDown(usize),
    /// The server answered in the clear, with a redirect to this place where there is one.
    HttpInClear(Option<String>),
    /// The certificate's own dates are good.
    InDate,
    /// The certificate names the host as its common name, where nobody looks any more (RFC 9525).
    InCommonName,
    /// An issuer may not sign certificates: its key usage says for what else it is.
    IssuerMayNotSign(String),
    /// The server did not send the certificate of an issuer, and no authority of that name counts
    /// here.
    IssuerMissing {
        /// How the issuer is called.
        name: String,
        /// Whether the certificate below says where the issuer's is, as those of public authorities
        /// do (RFC 5280 §4.2.2.1).
        published: bool,
    },
    /// The certificate has no name of a host at all (subjectAltName), but perhaps this common name.
    NoName(Option<String>),
    /// The authority is none of the public web's.
    NotPublic,
    /// The names that the certificate is for.
    OtherNames(Vec<String>),
    /// The key of an authority that has signed the certificate is pinned.
    PinnedAuthority(String),
    /// The certificate's key is pinned: this is the right server.
    PinnedKey,
    /// The issuer calls itself as a known product does.
    ProductName(String),
    /// The authority is one of the public web's.
    Public,
    /// The certificate is signed by its own key.
    SelfSigned,
    /// An authority that the server did not send is not within its dates; all that it sent is.
    UnseenAuthority,
    /// The server sent everything up to an authority that is not trusted.
    UntrustedAuthority(String),
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
    pub const ALL: [Self; 11] = [
        Self::Antivirus,
        Self::CaptivePortal,
        Self::DebuggingProxy,
        Self::Expired,
        Self::InspectionProduct,
        Self::LocalAuthority,
        Self::RotatedOrMisissued,
        Self::ServerMisconfigured,
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
            Self::ServerMisconfigured => "server_misconfigured",
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
            Self::AuthorityExpired { .. } => "authority_expired",
            Self::AuthorityNotYetValid { .. } => "authority_not_yet_valid",
            Self::ClockBeforeRelease(_) => "clock_before_release",
            Self::FurtherDown(_) => "further_down",
            Self::HttpInClear(_) => "http_in_clear",
            Self::InDate => "in_date",
            Self::InCommonName => "in_common_name",
            Self::IssuerMayNotSign(_) => "issuer_may_not_sign",
            Self::IssuerMissing { .. } => "issuer_missing",
            Self::NoName(_) => "no_name",
            Self::NotPublic => "not_public",
            Self::OtherNames(_) => "other_names",
            Self::PinnedAuthority(_) => "pinned_authority",
            Self::PinnedKey => "pinned_key",
            Self::ProductName(_) => "product_name",
            Self::Public => "public",
            Self::SelfSigned => "self_signed",
            Self::UnseenAuthority => "unseen_authority",
            Self::UntrustedAuthority(_) => "untrusted_authority",
            Self::Validity { .. } => "validity",
        }
    }
}

impl Evidence {
    /// What a server's owner can do about it.
    fn mend(&self) -> Option<String> {
        Some(match self {
            Self::AuthorityExpired { name, .. } => format!(
                "The server sends an outdated certificate of {name:?}: send the current one, or \
                 none where clients know another path."
            ),
            Self::AuthorityNotYetValid { name, .. } => {
                format!(
                    "The server sends a certificate of {name:?} too early: send the current one."
                )
            }
            Self::UnseenAuthority => "The authority's own certificate has ended: let the server \
                send a path to one that clients trust today."
                .into(),
            Self::FurtherDown(_) => "Wrong order: let the server send its own certificate first, \
                then its issuer's, and so on."
                .into(),
            Self::IssuerMayNotSign(name) => format!(
                "{name:?} has a key usage without keyCertSign: let another authority issue the \
                 certificate."
            ),
            Self::IssuerMissing { name, .. } => {
                format!("Let the server send the certificate of {name:?} after its own.")
            }
            Self::NoName(_) => "Have the certificate issued again with the host's name in \
                subjectAltName."
                .into(),
            Self::OtherNames(_) => {
                "Have the certificate issued again for this host's name as well.".into()
            }
            Self::SelfSigned => "Install a certificate by an authority that clients trust, or let \
                the pin set trust this key alone (pin_only)."
                .into(),
            _ => return None,
        })
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
            InterceptionKind::ServerMisconfigured => "This service has a problem with its \
                certificate, not your device or your network. Try again later."
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
    /// What the server's owner can do about [`InterceptionKind::ServerMisconfigured`]: a sentence
    /// in English for the support desk, not for the user.
    pub fn mend(&self) -> Option<String> {
        if self.kind != InterceptionKind::ServerMisconfigured {
            return None;
        }
        Some(self.evidence.iter().find_map(Evidence::mend).unwrap_or_else(|| {
            "Install a certificate by an authority that clients trust, with its intermediates."
                .into()
        }))
    }

    /// As for a log, without what has been said already.
    pub(crate) fn beside(&self, said: Option<&Evidence>) -> String {
        let mut text = format!("{}: {}", self.confidence.code(), self.kind.code());
        if let Some(product) = self.product {
            text += &format!(" ({product})");
        }
        let rest = self.evidence.iter().filter(|evidence| Some(*evidence) != said);
        for (i, evidence) in rest.enumerate() {
            text += &format!("{}{evidence}", if i == 0 { ", because " } else { ", " });
        }
        if let Some(mend) = self.mend() {
            text += &format!("; to mend it: {mend}");
        }
        text
    }

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
            "mend": self.mend(),
            "message": self.message(),
        })
    }
}

impl fmt::Display for InterceptionReport {
    /// For a log: kind, confidence, product and evidence, and what the server's owner can do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.beside(None))
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddedAuthority => f.write_str("its authority was added to this device"),
            Self::AuthoritiesExpired => f.write_str("its authorities have expired as well"),
            Self::AuthorityExpired { name, until } => {
                let until = format_rfc3339_utc(*until);
                write!(f, "the certificate of its authority {name:?} ended on {until}")
            }
            Self::AuthorityNotYetValid { name, from } => {
                let from = format_rfc3339_utc(*from);
                write!(f, "the certificate of its authority {name:?} begins on {from}")
            }
            Self::ClockBeforeRelease(now) => {
                let now = format_rfc3339_utc(*now);
                write!(f, "this device's clock says {now}, before this software was made")
            }
            Self::FurtherDown(place) => {
                write!(f, "the one for the host stands further down, as number {place}")
            }
            Self::InDate => f.write_str("its own dates are good"),
            Self::InCommonName => f.write_str("its common name is the host"),
            Self::IssuerMayNotSign(name) => write!(
                f,
                "its issuer {name:?} may not sign certificates (no keyCertSign in its key usage)"
            ),
            Self::IssuerMissing { name, published } => {
                write!(f, "its issuer {name:?} was not sent and is not known here")?;
                f.write_str(if *published { ", but it says where to get it" } else { "" })
            }
            Self::NoName(None) => f.write_str("it has no name at all (subjectAltName)"),
            Self::NoName(Some(common_name)) => write!(
                f,
                "it has no name at all (subjectAltName), only the common name {common_name:?}"
            ),
            Self::HttpInClear(None) => f.write_str("the answer was HTTP in the clear"),
            Self::HttpInClear(Some(to)) => {
                write!(f, "the answer was HTTP in the clear, a redirect to {to}")
            }
            Self::NotPublic => f.write_str("its authority is none of the public web's"),
            Self::OtherNames(names) => write!(f, "it is for {}", names.join(", ")),
            Self::PinnedAuthority(name) => {
                write!(f, "the key of its authority {name:?} is pinned")
            }
            Self::PinnedKey => f.write_str("its key is pinned"),
            Self::ProductName(name) => write!(f, "the issuer calls itself {name:?}"),
            Self::Public => f.write_str("its authority is one of the public web's"),
            Self::SelfSigned => f.write_str("it is signed by its own key"),
            Self::UnseenAuthority => f.write_str(
                "its own dates are good, those of an authority that was not sent are not",
            ),
            Self::UntrustedAuthority(name) => {
                write!(f, "it leads to {name:?}, which is not trusted here")
            }
            Self::Validity { from, until, now } => {
                let [from, until, now] = [from, until, now].map(|at| format_rfc3339_utc(*at));
                write!(f, "it is valid from {from} to {until}, and this device's clock says {now}")
            }
        }
    }
}
