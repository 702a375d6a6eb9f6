//! From what was seen to what it probably is.

use super::products::{self, Product};
use super::{Confidence, Evidence, InterceptionKind, InterceptionReport};
use crate::error::UntrustedReason;
use crate::name::{Name, printable};
use crate::time::RELEASED;

/// Names beyond these are left out: a certificate can have hundreds.
const MAX_NAMES: usize = 5;

/// Why there is a report at all.
pub(crate) enum Cause<'a> {
    /// Trusted, but not pinned.
    Mismatch,
    /// Not trusted.
    Untrusted(&'a UntrustedReason),
}

/// What was seen of a refused certificate.
pub(crate) struct Scene<'a> {
    pub(crate) cause: Cause<'a>,
    /// What exactly is wrong, where that is known.
    pub(crate) exactly: Option<Evidence>,
    /// The host that was asked for.
    pub(crate) host: String,
    /// Subject and issuer of everything at hand, the end-entity's first.
    pub(crate) names: Vec<(Name, Name)>,
    /// Whether the end-entity's own key has signed it.
    pub(crate) self_signed: bool,
    /// The DNS names and addresses that it is for.
    pub(crate) hosts: Vec<String>,
    /// First and last second of the end-entity's validity.
    pub(crate) validity: Option<(u64, u64)>,
    /// Whether there are authorities' certificates at hand and all of them have expired.
    pub(crate) authorities_expired: bool,
    pub(crate) now: u64,
    /// Whether that is what the device's clock says.
    pub(crate) live: bool,
    /// Whether a path leads to a public authority; none where that cannot be known.
    pub(crate) public: Option<bool>,
    /// Whether the platform says that the authority was added to the device.
    pub(crate) added: Option<bool>,
    /// Whether the authority is one that the app or its pin set brings along.
    pub(crate) own_authority: bool,
    /// Whether the key of the host's certificate is pinned.
    pub(crate) pinned_key: bool,
    /// An authority whose key is pinned and has signed the certificate, directly or not.
    pub(crate) pinned_authority: Option<String>,
}

impl Scene<'_> {
    /// The most telling explanation; none where there is nothing to explain.
    pub(crate) fn classify(&self) -> Option<InterceptionReport> {
        let mut evidence = Vec::new();
        let product = self.product(&mut evidence);
        let (kind, confidence) = match &self.cause {
            Cause::Mismatch => self.mismatch(product, &mut evidence),
            Cause::Untrusted(UntrustedReason::Expired | UntrustedReason::NotYetValid) => {
                match &self.exactly {
                    Some(authority) => self.outdated_authority(authority, product, &mut evidence),
                    None => self.out_of_date(product, &mut evidence)?,
                }
            }
            Cause::Untrusted(UntrustedReason::WrongHost) => self.wrong_name(product, &mut evidence),
            // Routers and portals often present an authority of their own as their certificate,
            // which is no server's.
            Cause::Untrusted(UntrustedReason::Invalid(_))
                if self.self_signed || self.exactly.is_some() =>
            {
                self.unknown(product, &mut evidence)
            }
            Cause::Untrusted(UntrustedReason::UnknownIssuer) => {
                self.unknown(product, &mut evidence)
            }
            // Each is a cause of its own. A product's name may still tell whose certificate it is.
            Cause::Untrusted(
                UntrustedReason::Invalid(_)
                | UntrustedReason::Revoked
                | UntrustedReason::Unverified(_),
            ) => (product?.kind, Confidence::Possible),
        };
        let authority = self.names.first().and_then(|(_, issuer)| issuer.clone().text());
        let product = product.filter(|product| product.kind == kind).map(|product| product.name);
        Some(InterceptionReport { kind, confidence, product, authority, evidence })
    }

    fn product(&self, evidence: &mut Vec<Evidence>) -> Option<&'static Product> {
        // A public authority's certificate is no product's, whatever it says: the authority has
        // seen to its names. Nor is one whose key is pinned.
        if self.public == Some(true) || self.is_the_owners() {
            return None;
        }
        // Not by the end-entity's own subject: some products have public websites.
        let names = self.names.iter().enumerate();
        let mut names = names.flat_map(|(depth, (subject, issuer))| {
            std::iter::once(issuer).chain((depth > 0).then_some(subject))
        });
        let (product, name) = names.find_map(products::recognise)?;
        evidence.push(Evidence::ProductName(name));
        Some(product)
    }

    fn mismatch(
        &self,
        product: Option<&Product>,
        evidence: &mut Vec<Evidence>,
    ) -> (InterceptionKind, Confidence) {
        if self.added == Some(true) {
            evidence.push(Evidence::AddedAuthority);
        }
        match self.public {
            Some(true) => evidence.push(Evidence::Public),
            Some(false) => evidence.push(Evidence::NotPublic),
            None => {}
        }
        if let Some(product) = product {
            return (product.kind, Confidence::Likely);
        }
        if self.added == Some(true) {
            return (InterceptionKind::LocalAuthority, Confidence::Certain);
        }
        match self.public {
            Some(true) => (InterceptionKind::RotatedOrMisissued, Confidence::Likely),
            // The app's own authority is no stranger on the device.
            _ if self.own_authority => (InterceptionKind::RotatedOrMisissued, Confidence::Possible),
            Some(false) => (InterceptionKind::LocalAuthority, Confidence::Likely),
            // Without roots compiled in, the platform's word.
            None if self.added == Some(false) => {
                (InterceptionKind::RotatedOrMisissued, Confidence::Possible)
            }
            None => (InterceptionKind::LocalAuthority, Confidence::Possible),
        }
    }

    fn out_of_date(
        &self,
        product: Option<&Product>,
        evidence: &mut Vec<Evidence>,
    ) -> Option<(InterceptionKind, Confidence)> {
        if let Some((from, until)) = self.validity {
            evidence.push(Evidence::Validity { from, until, now: self.now });
        }
        if self.pinned_key {
            evidence.push(Evidence::PinnedKey);
        }
        // Software cannot run before it was made.
        if self.live && self.now < RELEASED {
            evidence.push(Evidence::ClockBeforeRelease(self.now));
            return Some((InterceptionKind::WrongClock, Confidence::Certain));
        }
        if let Some(product) = product {
            return Some((product.kind, Confidence::Possible));
        }
        let too_early = matches!(self.cause, Cause::Untrusted(UntrustedReason::NotYetValid));
        Some(match (too_early, self.live) {
            // Servers hardly ever present a certificate from the future.
            (true, true) => (InterceptionKind::WrongClock, Confidence::Likely),
            // Somebody asks about another time: there is nothing to explain.
            (true, false) => return None,
            // One certificate is forgotten easily, all of them at once are not.
            (false, true) if self.authorities_expired => {
                evidence.push(Evidence::AuthoritiesExpired);
                (InterceptionKind::WrongClock, Confidence::Possible)
            }
            (false, _) => (InterceptionKind::Expired, Confidence::Likely),
        })
    }

    /// The pins know the key of the certificate, or of an authority that has signed it: no
    /// interceptor has one of those.
    fn is_the_owners(&self) -> bool {
        self.pinned_key || self.pinned_authority.is_some()
    }

    /// Evidence against anybody in the middle.
    fn tell_pins(&self, evidence: &mut Vec<Evidence>) {
        if self.pinned_key {
            evidence.push(Evidence::PinnedKey);
        }
        evidence.extend(self.pinned_authority.clone().map(Evidence::PinnedAuthority));
    }

    /// The certificate's own dates are good, so it is not the device's clock.
    fn outdated_authority(
        &self,
        authority: &Evidence,
        product: Option<&Product>,
        evidence: &mut Vec<Evidence>,
    ) -> (InterceptionKind, Confidence) {
        evidence.extend([authority.clone(), Evidence::InDate]);
        self.tell_pins(evidence);
        match product {
            Some(product) => (product.kind, Confidence::Possible),
            None if self.is_the_owners() => {
                (InterceptionKind::ServerMisconfigured, Confidence::Likely)
            }
            None => (InterceptionKind::ServerMisconfigured, Confidence::Possible),
        }
    }

    fn wrong_name(
        &self,
        product: Option<&Product>,
        evidence: &mut Vec<Evidence>,
    ) -> (InterceptionKind, Confidence) {
        let names_only_itself = match &self.exactly {
            Some(Evidence::NoName(common_name)) => {
                common_name.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(&self.host))
            }
            _ => false,
        };
        evidence.extend(self.exactly.clone());
        if names_only_itself {
            evidence.push(Evidence::InCommonName);
        }
        let wrong_order = matches!(self.exactly, Some(Evidence::FurtherDown(_)));
        if !self.hosts.is_empty() && !wrong_order {
            evidence
                .push(Evidence::OtherNames(self.hosts.iter().take(MAX_NAMES).cloned().collect()));
        }
        if self.self_signed && !wrong_order {
            evidence.push(Evidence::SelfSigned);
        }
        // An authority issues for many: its pin says nothing of another name.
        if self.pinned_key {
            evidence.push(Evidence::PinnedKey);
        }
        if wrong_order || names_only_itself || self.pinned_key {
            return (InterceptionKind::ServerMisconfigured, Confidence::Likely);
        }
        // Without any name nothing speaks for another server either.
        let confidence = match &self.exactly {
            Some(_) => Confidence::Possible,
            None => Confidence::Likely,
        };
        match product {
            Some(product) => (product.kind, Confidence::Likely),
            None if self.self_signed => (InterceptionKind::CaptivePortal, confidence),
            None => (InterceptionKind::WrongName, confidence),
        }
    }

    fn unknown(
        &self,
        product: Option<&Product>,
        evidence: &mut Vec<Evidence>,
    ) -> (InterceptionKind, Confidence) {
        evidence.extend(self.exactly.clone());
        if self.self_signed {
            evidence.push(Evidence::SelfSigned);
        }
        self.tell_pins(evidence);
        match (&self.exactly, product) {
            (Some(Evidence::FurtherDown(_)), _) => {
                (InterceptionKind::ServerMisconfigured, Confidence::Likely)
            }
            _ if self.is_the_owners() => {
                (InterceptionKind::ServerMisconfigured, Confidence::Likely)
            }
            (_, Some(product)) => (product.kind, Confidence::Likely),
            _ if self.self_signed => (InterceptionKind::CaptivePortal, Confidence::Possible),
            // Its own dates are good, and public authorities say where their certificates are.
            (
                Some(
                    Evidence::AuthorityExpired { .. }
                    | Evidence::AuthorityNotYetValid { .. }
                    | Evidence::IssuerMissing { published: true, .. },
                ),
                None,
            ) => (InterceptionKind::ServerMisconfigured, Confidence::Possible),
            (Some(Evidence::UntrustedAuthority(_)), None) => {
                (InterceptionKind::UnknownAuthority, Confidence::Likely)
            }
            _ => (InterceptionKind::UnknownAuthority, Confidence::Possible),
        }
    }
}

/// What an answer to a ClientHello means that is not TLS: portals that catch every port speak HTTP
/// there too. None where it is no HTTP either.
pub(crate) fn http_in_clear(answer: &[u8]) -> Option<InterceptionReport> {
    let text = String::from_utf8_lossy(answer);
    if !text.starts_with("HTTP/1.") {
        return None;
    }
    let status = text.get(9..12).unwrap_or_default();
    let location = text.lines().skip(1).take_while(|line| !line.is_empty()).find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("location").then(|| place(value.trim()))
    });
    let redirects = matches!(status, "301" | "302" | "303" | "307" | "308" | "511");
    let (kind, confidence) = match redirects {
        true => (InterceptionKind::CaptivePortal, Confidence::Likely),
        // A server that expects no TLS on this port says so too, with 400.
        false => (InterceptionKind::CaptivePortal, Confidence::Possible),
    };
    let evidence = vec![Evidence::HttpInClear(location)];
    Some(InterceptionReport { kind, confidence, product: None, authority: None, evidence })
}

/// Scheme and host of a URL: portals put the device's address into the query.
fn place(url: &str) -> String {
    let end = match url.find("://") {
        Some(i) => url[i + 3..].find(['/', '?', '#']).map_or(url.len(), |j| i + 3 + j),
        None => url.find(['?', '#']).unwrap_or(url.len()),
    };
    // Before the host there may be a name and a password.
    let shown = match (url.find("://"), url[..end].rfind('@')) {
        (Some(i), Some(at)) => format!("{}{}", &url[..i + 3], &url[at + 1..end]),
        _ => url[..end].to_owned(),
    };
    printable(&shown, 256)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the Android library sees a server's new certificate by a public authority: Android says
    /// that nobody has added it, and no roots are compiled in.
    #[test]
    fn an_authority_that_nobody_has_added_is_none_of_the_devices() {
        let scene = Scene {
            cause: Cause::Mismatch,
            exactly: None,
            host: "api.example.com".into(),
            names: Vec::new(),
            self_signed: false,
            hosts: vec!["api.example.com".into()],
            validity: Some((0, u64::MAX)),
            authorities_expired: false,
            now: RELEASED,
            live: true,
            public: None,
            added: Some(false),
            own_authority: false,
            pinned_key: false,
            pinned_authority: None,
        };
        let report = scene.classify().expect("a mismatch");
        let found = (report.kind, report.confidence);
        assert_eq!(found, (InterceptionKind::RotatedOrMisissued, Confidence::Possible));
    }

    #[test]
    fn an_answer_in_the_clear_is_a_portals_if_it_is_http() {
        for (answer, expected) in [
            (
                &b"HTTP/1.1 302 Found\r\nServer: x\r\nlocation:  http://login.test/a?mac=1\r\n\r\n"
                    [..],
                Some((Confidence::Likely, Some("http://login.test"))),
            ),
            (
                b"HTTP/1.0 307 x\r\nLocation: /login?mac=1\r\n\r\n",
                Some((Confidence::Likely, Some("/login"))),
            ),
            (
                b"HTTP/1.1 511 x\r\n\r\nLocation: http://body.test/",
                Some((Confidence::Likely, None)),
            ),
            (b"HTTP/1.1 400 Bad Request\r\n\r\n", Some((Confidence::Possible, None))),
            (b"HTTP/1.", Some((Confidence::Possible, None))),
            (b"HTTP/1.1 3\xff\xff", Some((Confidence::Possible, None))),
            (b"SSH-2.0-OpenSSH", None),
            (b"", None),
        ] {
            let report = http_in_clear(answer);
            let found = report.map(|report| {
                assert_eq!(report.kind, InterceptionKind::CaptivePortal);
                let [Evidence::HttpInClear(to)] = &report.evidence[..] else { panic!("{report}") };
                (report.confidence, to.clone())
            });
            let expected = expected.map(|(confidence, to)| (confidence, to.map(str::to_owned)));
            assert_eq!(found, expected, "{}", String::from_utf8_lossy(answer));
        }
    }
}
