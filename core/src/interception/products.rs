//! Names that products give the authorities with which they intercept.
//!
//! `docs/interception.md` has an example and a source for each, and the test below goes through it.
//! A name proves nothing, since anybody can choose it; it explains a refusal that has happened.

use InterceptionKind::{Antivirus, DebuggingProxy, InspectionProduct};
use Text::{Contains, Is, StartsWith};

use super::InterceptionKind;
use crate::name::Name;

/// A product that intercepts.
#[derive(Debug)]
pub(super) struct Product {
    pub(super) name: &'static str,
    pub(super) kind: InterceptionKind,
    /// Any of them will do.
    rules: &'static [Rule],
}

/// What a name must say; all that is there must hold.
#[derive(Debug)]
struct Rule {
    common_name: Option<Text>,
    organisation: Option<Text>,
}

#[derive(Debug)]
enum Text {
    Is(&'static str),
    StartsWith(&'static str),
    Contains(&'static str),
}

const fn cn(text: Text) -> Rule {
    Rule { common_name: Some(text), organisation: None }
}

const fn o(text: Text) -> Rule {
    Rule { common_name: None, organisation: Some(text) }
}

const fn both(common_name: Text, organisation: Text) -> Rule {
    Rule { common_name: Some(common_name), organisation: Some(organisation) }
}

const PRODUCTS: &[Product] = &[
    Product {
        name: "mitmproxy",
        kind: DebuggingProxy,
        rules: &[both(Is("mitmproxy"), Is("mitmproxy"))],
    },
    Product {
        name: "Charles",
        kind: DebuggingProxy,
        rules: &[cn(StartsWith("Charles Proxy CA (")), o(Is("XK72 Ltd"))],
    },
    Product {
        name: "Fiddler Classic",
        kind: DebuggingProxy,
        rules: &[cn(Is("DO_NOT_TRUST_FiddlerRoot"))],
    },
    Product {
        name: "Fiddler Everywhere",
        kind: DebuggingProxy,
        rules: &[cn(Is("Fiddler Root Certificate Authority"))],
    },
    Product {
        name: "Burp Suite",
        kind: DebuggingProxy,
        rules: &[both(Is("PortSwigger CA"), Is("PortSwigger"))],
    },
    Product {
        name: "ZAP",
        kind: DebuggingProxy,
        rules: &[cn(Is("Zed Attack Proxy Root CA")), cn(Is("OWASP Zed Attack Proxy Root CA"))],
    },
    Product {
        name: "Proxyman",
        kind: DebuggingProxy,
        rules: &[cn(StartsWith("Proxyman CA (")), cn(StartsWith("Proxyman Root CA"))],
    },
    Product { name: "HTTP Toolkit", kind: DebuggingProxy, rules: &[cn(Is("HTTP Toolkit CA"))] },
    Product { name: "Requestly", kind: DebuggingProxy, rules: &[cn(Is("RQProxyCA"))] },
    Product { name: "Reqable", kind: DebuggingProxy, rules: &[o(Is("Reqable, LLC"))] },
    Product {
        name: "whistle",
        kind: DebuggingProxy,
        rules: &[both(StartsWith("whistle."), Contains(".wproxy.org"))],
    },
    Product {
        name: "AnyProxy",
        kind: DebuggingProxy,
        rules: &[both(Is("AnyProxy"), Is("AnyProxy"))],
    },
    Product { name: "HttpCanary", kind: DebuggingProxy, rules: &[cn(Is("HttpCanary Root CA"))] },
    Product { name: "ProxyPin", kind: DebuggingProxy, rules: &[cn(StartsWith("ProxyPin CA"))] },
    Product { name: "PCAPdroid", kind: DebuggingProxy, rules: &[cn(Is("PCAPdroid CA"))] },
    Product { name: "Postman", kind: DebuggingProxy, rules: &[cn(Is("Postman Proxy CA"))] },
    Product {
        name: "Avast Antivirus",
        kind: Antivirus,
        rules: &[cn(StartsWith("Avast Web/Mail Shield")), cn(StartsWith("avast! Web/Mail Shield"))],
    },
    Product {
        name: "AVG Antivirus",
        kind: Antivirus,
        rules: &[cn(StartsWith("AVG Web/Mail Shield"))],
    },
    Product { name: "Norton", kind: Antivirus, rules: &[cn(StartsWith("Norton Web/Mail Shield"))] },
    Product {
        name: "Kaspersky",
        kind: Antivirus,
        rules: &[
            o(Is("AO Kaspersky Lab")),
            cn(Is("Kaspersky Anti-Virus Personal Root Certificate")),
        ],
    },
    Product { name: "ESET", kind: Antivirus, rules: &[cn(Is("ESET SSL Filter CA"))] },
    Product {
        name: "Bitdefender",
        kind: Antivirus,
        rules: &[both(Is("Bitdefender Personal CA.Net-Defender"), Is("Bitdefender"))],
    },
    Product {
        name: "AdGuard",
        kind: Antivirus,
        rules: &[
            cn(Is("AdGuard Personal CA")),
            cn(Is("Adguard Personal CA")),
            cn(Is("AdGuard Intermediate CA")),
        ],
    },
    Product {
        name: "Sophos Endpoint",
        kind: Antivirus,
        rules: &[both(Is("Sophos Internet Protection Root CA"), Is("Sophos"))],
    },
    Product { name: "Zscaler", kind: InspectionProduct, rules: &[o(Is("Zscaler Inc."))] },
    Product {
        name: "Netskope",
        kind: InspectionProduct,
        rules: &[
            cn(Contains(".goskope.com")),
            cn(Is("caadmin.netskope.com")),
            both(Is("certadmin"), Is("Netskope Inc.")),
        ],
    },
    Product {
        name: "Cisco Umbrella",
        kind: InspectionProduct,
        rules: &[both(StartsWith("Cisco Umbrella "), Is("Cisco"))],
    },
    Product {
        name: "Cisco Secure Access",
        kind: InspectionProduct,
        rules: &[both(StartsWith("Cisco Secure Access "), Is("Cisco"))],
    },
    Product {
        name: "Cloudflare Gateway",
        kind: InspectionProduct,
        rules: &[
            cn(StartsWith("Gateway CA - Cloudflare Managed")),
            cn(Is("Cloudflare for Teams ECC Certificate Authority")),
        ],
    },
    Product {
        name: "FortiGate",
        kind: InspectionProduct,
        rules: &[o(Is("Fortinet")), o(Is("Fortinet Ltd."))],
    },
    Product {
        name: "Forcepoint",
        kind: InspectionProduct,
        rules: &[
            both(Is("Forcepoint Cloud CA"), Is("Forcepoint LLC")),
            both(Is("Forcepoint Certificate Authority"), Is("Forcepoint LLC")),
        ],
    },
    Product {
        name: "Sophos Firewall",
        kind: InspectionProduct,
        rules: &[both(StartsWith("Sophos SSL CA_"), Is("Sophos")), cn(StartsWith("Sophos_CA_"))],
    },
    Product {
        name: "Sophos UTM",
        kind: InspectionProduct,
        rules: &[both(Is("sophosutm Proxy CA"), Is("sophosutm"))],
    },
    Product {
        name: "Sophos Web Appliance",
        kind: InspectionProduct,
        rules: &[both(Is("Sophos Web Appliance"), Is("Sophos Plc"))],
    },
    Product {
        name: "WatchGuard Firebox",
        kind: InspectionProduct,
        rules: &[both(StartsWith("Fireware HTTPS Proxy"), Is("WatchGuard_Technologies"))],
    },
    Product {
        name: "Arista NG Firewall",
        kind: InspectionProduct,
        rules: &[
            both(Is("edge.arista.com"), Is("Arista")),
            both(Is("www.edge.arista.com"), Is("Arista")),
            both(Is("www.untangle.com"), Is("Untangle")),
        ],
    },
    Product { name: "Securly", kind: InspectionProduct, rules: &[o(Is("Securly, Inc"))] },
    Product {
        name: "McAfee Web Gateway",
        kind: InspectionProduct,
        rules: &[cn(Is("McAfee Web Gateway"))],
    },
    Product {
        name: "Smoothwall",
        kind: InspectionProduct,
        rules: &[cn(Is("Smoothwall-default-root-certificate-authority"))],
    },
    Product {
        name: "ContentKeeper",
        kind: InspectionProduct,
        rules: &[both(
            StartsWith("ContentKeeper Appliance CA ("),
            Is("ContentKeeper Technologies"),
        )],
    },
    Product {
        name: "Cyberoam",
        kind: InspectionProduct,
        rules: &[o(Is("Cyberoam Certificate Authority"))],
    },
    Product { name: "Trend Micro IWSS", kind: InspectionProduct, rules: &[cn(Is("IWSS.TREND"))] },
    Product {
        name: "NetSpark",
        kind: InspectionProduct,
        rules: &[both(Is("www.netspark.com"), Is("NetSpark"))],
    },
    Product {
        name: "Mockttp",
        kind: DebuggingProxy,
        rules: &[cn(StartsWith("Mockttp Testing CA - DO NOT TRUST"))],
    },
    Product { name: "http-mitm-proxy", kind: DebuggingProxy, rules: &[cn(Is("NodeMITMProxyCA"))] },
    Product {
        name: "goproxy",
        kind: DebuggingProxy,
        rules: &[both(Is("goproxy.github.io"), Is("GoProxy"))],
    },
    Product {
        name: "Titanium.Web.Proxy",
        kind: DebuggingProxy,
        rules: &[cn(Is("Titanium Root Certificate Authority"))],
    },
    Product { name: "Selenium Wire", kind: DebuggingProxy, rules: &[cn(Is("Selenium Wire CA"))] },
    Product {
        name: "BrowserMob Proxy",
        kind: DebuggingProxy,
        rules: &[cn(Is("LittleProxy MITM"))],
    },
];

/// The product that calls its authority so, and the part of the name that says it.
pub(super) fn recognise(name: &Name) -> Option<(&'static Product, String)> {
    let product = PRODUCTS.iter().find(|product| product.rules.iter().any(|r| r.fits(name)))?;
    Some((product, name.clone().text().unwrap_or_default()))
}

impl Rule {
    fn fits(&self, name: &Name) -> bool {
        let fits = |rule: &Option<Text>, text: &Option<String>| match (rule, text) {
            (None, _) => true,
            (Some(rule), Some(text)) => rule.fits(text),
            (Some(_), None) => false,
        };
        fits(&self.common_name, &name.common_name) && fits(&self.organisation, &name.organisation)
    }
}

impl Text {
    fn fits(&self, text: &str) -> bool {
        match self {
            Is(wanted) => text == *wanted,
            StartsWith(wanted) => text.starts_with(wanted),
            Contains(wanted) => text.contains(wanted),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `| product | kind | CN | O | sources |`
    fn documented() -> Vec<(String, String, Name)> {
        let table = include_str!("../../../docs/interception.md").lines();
        let rows = table.skip_while(|line| !line.starts_with("| product |")).skip(2);
        let rows = rows.take_while(|line| line.starts_with('|'));
        let row = |line: &str| {
            let cells = line.trim_matches('|').split(" | ").map(str::trim).collect::<Vec<_>>();
            let [product, kind, common_name, organisation, source] = cells[..] else {
                panic!("{line}")
            };
            assert!(source.contains("](https://"), "{product} has no source");
            let cell = |text: &str| (text != "–").then(|| text.trim_matches('`').to_owned());
            let name = Name { common_name: cell(common_name), organisation: cell(organisation) };
            (product.to_owned(), kind.trim_matches('`').to_owned(), name)
        };
        rows.map(row).collect()
    }

    #[test]
    fn every_product_is_documented_and_known_by_its_example() {
        let documented = documented();
        assert_eq!(documented.len(), PRODUCTS.len());
        for ((product, kind, name), listed) in documented.iter().zip(PRODUCTS) {
            let found = recognise(name).map(|(product, _)| (product.name, product.kind.code()));
            assert_eq!(found, Some((product.as_str(), kind.as_str())), "{name:?}");
            assert_eq!(listed.name, product);
        }
    }

    /// They have issued certificates to the public, so a product's rule must not be so wide.
    #[test]
    fn public_authorities_are_no_products() {
        for (common_name, organisation) in [
            ("Blue Coat Public Services Intermediate CA", "Blue Coat Systems, Inc."),
            ("McAfee RSA Organization Validation Secure Server CA 3", "McAfee, Inc."),
            ("Cloudflare TLS Issuing ECC CA 1", "SSL Corporation"),
            ("Cloudflare Inc ECC CA-3", "Cloudflare, Inc."),
            ("Symantec Class 3 Secure Server CA - G4", "Symantec Corporation"),
            ("Go Daddy Secure Certificate Authority - G2", "GoDaddy.com, Inc."),
            ("Cisco XSSL-R2", "Cisco Systems"),
            ("R11", "Let's Encrypt"),
            ("WE1", "Google Trust Services"),
            ("mitmproxy.example.com", "Example"),
        ] {
            let name = Name {
                common_name: Some(common_name.into()),
                organisation: Some(organisation.into()),
            };
            assert!(recognise(&name).is_none(), "{common_name}");
        }
        #[cfg(feature = "bundled-roots")]
        for root in webpki_roots::TLS_SERVER_ROOTS {
            let name =
                crate::name::read_name(crate::der::Der(&root.subject)).expect("a root's name");
            assert!(recognise(&name).is_none(), "{name:?}");
        }
    }
}
