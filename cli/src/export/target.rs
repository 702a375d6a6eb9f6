//! The formats, and what of a pin set's meaning each can say.

use clap::ValueEnum;

/// A format that a pin set is exported to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Target {
    /// Android's Network Security Config
    Nsc,
    /// NSPinnedDomains of an iOS app's Info.plist
    Nspinneddomains,
    /// Kotlin for OkHttp's CertificatePinner
    Okhttp,
    /// TrustKit's dictionary of an iOS app's Info.plist
    TrustkitIos,
    /// TrustKit's form of Android's Network Security Config
    TrustkitAndroid,
    /// Kotlin for Cronet and Android's HttpEngine
    Cronet,
    /// ssl_config.json of react-native-ssl-manager
    SslManager,
}

/// Something that a pin set may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Meaning {
    /// Names below a host, at any depth
    Subdomains,
    /// An entry with other pins below one that covers it
    Overlap,
    /// An entry that is off below one that covers it
    Exempt,
    /// Mismatches are reported only
    ReportOnly,
    /// A share of the devices enforces
    Percent,
    /// The pins end
    Expiry,
    /// Nothing is allowed after the end
    Block,
    /// A pin of the end-entity alone
    LeafOnly,
    /// A pin of an authority alone
    CaOnly,
    /// A pin that matches anywhere
    AnyPlace,
    /// Pins of the end-entity and of authorities, of which one suffices
    EitherPlace,
    /// A pin of a whole certificate
    Certificate,
    /// Authorities of the entry's own
    PrivateCa,
    /// Pins without authorities
    PinOnly,
    /// Keys that are blocked for every host
    BlockedKeys,
    /// Authorities that may inspect
    Inspection,
    /// An IP address as a host
    IpAddress,
}

/// How a format says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carry {
    /// It does.
    Exactly,
    /// It does, a little later or longer.
    Rounded(&'static str),
    /// It does not; what happens instead, with `--approximate`.
    Instead(&'static str),
    /// It does not, and anything else would lock clients out or let others in.
    Refused(&'static str),
}

use Carry::{Exactly, Instead, Refused, Rounded};

const LEFT_OUT: Carry = Instead("the entry is left out: nothing is checked, nothing reported");
const ANYWHERE: Carry = Instead("the pin matches anywhere on the path");

impl Target {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nsc => "nsc",
            Self::Nspinneddomains => "nspinneddomains",
            Self::Okhttp => "okhttp",
            Self::TrustkitIos => "trustkit-ios",
            Self::TrustkitAndroid => "trustkit-android",
            Self::Cronet => "cronet",
            Self::SslManager => "ssl-manager",
        }
    }

    /// How it says something.
    pub(crate) fn carry(self, meaning: Meaning) -> Carry {
        match meaning {
            Meaning::Subdomains => match self {
                Self::Nspinneddomains => Instead("one label below is covered, not more"),
                _ => Exactly,
            },
            Meaning::Overlap => match self {
                Self::Nspinneddomains => Refused("which of two entries holds is not documented"),
                Self::Okhttp | Self::SslManager => Refused("the pins of both entries would count"),
                _ => Exactly,
            },
            Meaning::Exempt => match self {
                Self::Nsc => Exactly,
                Self::TrustkitIos => Rounded("for the one name, not for those below it"),
                Self::TrustkitAndroid => Refused("an entry without pins stops the app"),
                _ => Refused("the entry above would hold"),
            },
            Meaning::ReportOnly => match self {
                Self::TrustkitIos | Self::SslManager => Exactly,
                _ => LEFT_OUT,
            },
            Meaning::Percent => match self {
                Self::TrustkitIos | Self::SslManager => Instead("no device enforces; all report"),
                _ => LEFT_OUT,
            },
            Meaning::Expiry => match self {
                Self::Cronet => Exactly,
                Self::Nsc | Self::TrustkitAndroid => {
                    Rounded("up to 50 hours later: the day begins when the device's zone says")
                }
                Self::TrustkitIos | Self::SslManager => Rounded("at the end of the day, UTC"),
                Self::Okhttp | Self::Nspinneddomains => {
                    Instead("the pins hold for as long as the app is installed")
                }
            },
            Meaning::Block => Instead("trust decides without pins after the end"),
            Meaning::LeafOnly | Meaning::CaOnly => match self {
                Self::Nspinneddomains => Exactly,
                _ => ANYWHERE,
            },
            Meaning::AnyPlace => match self {
                Self::Nspinneddomains => Refused("say \"leaf\" or \"ca\" in the pin set"),
                _ => Exactly,
            },
            Meaning::EitherPlace => match self {
                Self::Nspinneddomains => Refused("one pin of each place would have to match"),
                _ => Exactly,
            },
            Meaning::Certificate => Refused("only keys are pinned there"),
            Meaning::PrivateCa => Refused("servers below authorities of one's own are not trusted"),
            Meaning::PinOnly => Refused("servers without an authority are not trusted"),
            Meaning::BlockedKeys => Instead("what is not pinned is not blocked either"),
            Meaning::Inspection => Instead("devices that are inspected are locked out"),
            Meaning::IpAddress => match self {
                Self::Okhttp => Exactly,
                _ => Refused("a host is a name there"),
            },
        }
    }
}

impl Meaning {
    /// As it is written on the command line.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docs;

    #[test]
    fn the_documentation_says_what_each_format_can_say() {
        let targets = Target::value_variants();
        let head: Vec<_> =
            std::iter::once("meaning").chain(targets.iter().map(|t| t.name())).collect();
        let rows = Meaning::value_variants().iter().map(|meaning| {
            let cells = targets.iter().map(|target| match target.carry(*meaning) {
                Exactly => "yes".to_owned(),
                Rounded(how) => format!("yes: {how}"),
                Instead(what) => format!("*{what}*"),
                Refused(why) => format!("**no**: {why}"),
            });
            let help = meaning
                .to_possible_value()
                .and_then(|value| value.get_help().map(ToString::to_string));
            let name = format!("`{}`: {}", meaning.name(), help.unwrap_or_default());
            std::iter::once(name).chain(cells).collect()
        });
        docs::expect_table("export", &head, rows.collect());
    }
}
