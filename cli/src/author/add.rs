//! `pinfold host add`: an entry, or more pins for one.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, ValueEnum};
use pinfold_core::pin::{
    HostName, HostSpec, Mode, PinAt, PinDigest, PinSetSpec, PinSpec, PinState, Trust,
};
use pinfold_core::verify::CertificateIdentity;
use pinfold_core::{Client, Explanation, PinSet, Roots, format_rfc3339_utc};

use super::entries::{lines, object};
use super::mode::ModeWord;
use super::source::{self, Manner, NewPin};
use super::text::{Step, quoted};
use super::{Common, Draft, ENTRY, host_name};
use crate::failure::Failure;
use crate::{input, survey, when};

/// Add a host with its pins, or more pins to a host.
///
/// Pins come from what the server presents (--live), from files (certificates, certificate requests,
/// public keys) or as `sha256/…`. A certificate of an authority is pinned as such, everything else as
/// the end-entity's; --at says otherwise. A new entry only reports until `pinfold host mode` lets it
/// enforce, for which it needs two pins: the second is of a key that lies elsewhere.
#[derive(Args)]
#[command(
    group = clap::ArgGroup::new("source").required(true).multiple(true),
    after_help = "\
Examples:
  pinfold host add pins.json api.example.com --live --backup next.csr
  pinfold host add pins.json api.example.com --pin server.pem --backup next.csr --mode enforce
  pinfold host add pins.json api.example.com --backup sha256/sRHdihwgkaib1P1gxX8HFszlD+7/gTfNvuAybgLPNis=
  pinfold host add pins.json example.com --subdomains --live www.example.com --at ca
  pinfold host add pins.json intranet.example.com --trust private_ca --anchor ca.pem --pin ca.pem \\
      --backup next-ca.pem
  pinfold host add pins.json status.example.com --mode off --no-pins"
)]
pub(super) struct Add {
    #[command(flatten)]
    pub(super) common: Common,
    /// A host's name or IP address
    host: String,
    /// Pin what the server presents: its key, or with --at ca the root of its path
    #[arg(
        long, value_name = "HOST[:PORT]", num_args = 0..=1, default_missing_value = "", group = "source"
    )]
    live: Option<String>,
    /// A pin in use; may be given several times
    #[arg(long = "pin", value_name = "PIN|FILE", group = "source")]
    pins: Vec<String>,
    /// A pin that no server uses yet; may be given several times
    #[arg(long = "backup", value_name = "PIN|FILE", group = "source")]
    backups: Vec<String>,
    /// No pin at all, for an entry that is `off`
    #[arg(long, group = "source", conflicts_with_all = ["live", "pins", "backups"])]
    no_pins: bool,
    /// Where on the verified path the pins match
    #[arg(long)]
    at: Option<AtWord>,
    /// What people call the pin
    #[arg(long)]
    label: Option<String>,
    /// Carry the certificates of pinned authorities, where servers do not send them
    #[arg(long)]
    carry: bool,
    /// Cover every name below the host, at any depth
    #[arg(long)]
    subdomains: bool,
    /// What happens when no pin matches [default: report_only]
    #[arg(long)]
    mode: Option<ModeWord>,
    /// What makes a certificate trusted before pins are looked at
    #[arg(long)]
    trust: Option<TrustWord>,
    /// The certificates of an authority of `private_ca`; may be given several times
    #[arg(long = "anchor", value_name = "FILE")]
    anchors: Vec<String>,
    /// When the entry ends, if before the document
    #[arg(long, value_name = "RFC3339")]
    expires: Option<String>,
    /// Connect to this address instead of looking the host up
    #[arg(long, value_name = "IP:PORT", requires = "live")]
    connect: Option<SocketAddr>,
    /// The authorities that the server is judged by: `system`, `bundled` or a file of certificates
    #[arg(long, value_name = "FILE|system|bundled", default_value = "system", requires = "live")]
    roots: String,
    /// Pin what is not trusted too: it was compared with the server's own files
    #[arg(long, requires = "live")]
    accept_untrusted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum AtWord {
    /// The end-entity only
    Leaf,
    /// An authority above it only
    Ca,
    /// Anywhere
    Any,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum TrustWord {
    /// The system's authorities, and a pin
    SystemAndPin,
    /// The entry's own authorities and no others, and a pin
    PrivateCa,
    /// The pin of an end-entity alone
    PinOnly,
}

impl TrustWord {
    fn word(self) -> &'static str {
        match self {
            Self::SystemAndPin => "system_and_pin",
            Self::PrivateCa => "private_ca",
            Self::PinOnly => "pin_only",
        }
    }
}

impl Add {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let mut draft = Draft::read(&self.common)?;
        let host = host_name("HOST", &self.host)?;
        let anchors = self.anchors.iter().map(|path| input::certificates(path));
        let anchors = anchors.collect::<Result<Vec<_>, _>>()?.concat();
        let how = self.manner();
        let mut pins = Vec::new();
        if let Some(target) = &self.live {
            pins.push(self.live_pin(&host, target, &anchors, &how)?);
        }
        for (texts, state) in [(&self.pins, PinState::Active), (&self.backups, PinState::Backup)] {
            for text in texts {
                pins.extend(source::pins(text, state, &how)?);
            }
        }
        match draft.position(&host) {
            None => {
                let entry = self.entry(&host, &pins, &anchors)?;
                draft.push_to("hosts", &entry)?;
            }
            Some(i) => self.extend(&mut draft, i, &pins)?,
        }
        draft.finish()
    }

    fn manner(&self) -> Manner {
        let at = self.at.map(|at| match at {
            AtWord::Leaf => PinAt::Leaf,
            AtWord::Ca => PinAt::Ca,
            AtWord::Any => PinAt::Any,
        });
        Manner { at, label: self.label.clone(), carry: self.carry }
    }

    fn trust(&self) -> Trust {
        match self.trust {
            None | Some(TrustWord::SystemAndPin) => Trust::SystemAndPin,
            Some(TrustWord::PrivateCa) => Trust::PrivateCa,
            Some(TrustWord::PinOnly) => Trust::PinOnly,
        }
    }

    /// A new entry, as it is written.
    fn entry(
        &self,
        host: &HostName,
        pins: &[NewPin],
        anchors: &[Vec<u8>],
    ) -> Result<String, Failure> {
        // With nothing but the pin there is nothing to report beside it.
        let default =
            if self.trust() == Trust::PinOnly { ModeWord::Enforce } else { ModeWord::ReportOnly };
        let mut members = vec![("host", quoted(host.as_str()))];
        if self.subdomains {
            members.push(("include_subdomains", "true".to_owned()));
        }
        members.push(("mode", quoted(self.mode.unwrap_or(default).word())));
        if let Some(trust) = self.trust {
            members.push(("trust", quoted(trust.word())));
        }
        if self.expires.is_some() {
            let at = when::time_or_now("--expires", self.expires.as_deref())?;
            members.push(("expires", quoted(&format_rfc3339_utc(at))));
        }
        members.push(("pins", lines(&pins.iter().map(NewPin::to_text).collect::<Vec<_>>())));
        if !anchors.is_empty() {
            let anchors: Vec<_> = anchors.iter().map(|der| quoted(&STANDARD.encode(der))).collect();
            members.push(("anchors", lines(&anchors)));
        }
        Ok(object(&members))
    }

    /// Adds pins to an entry that is there.
    fn extend(&self, draft: &mut Draft<'_>, i: usize, pins: &[NewPin]) -> Result<(), Failure> {
        let settings = [
            (self.mode.is_some(), "--mode (`pinfold host mode` changes it)"),
            (self.subdomains, "--subdomains"),
            (self.trust.is_some(), "--trust"),
            (!self.anchors.is_empty(), "--anchor"),
            (self.expires.is_some(), "--expires"),
        ];
        if let Some((_, option)) = settings.iter().find(|(given, _)| *given) {
            let reason = format!("the host has an entry, which gets more pins only, not {option}");
            return Err(Failure::input(&self.common.file, reason));
        }
        let entry = [Step::Member("hosts"), Step::Item(i)];
        if draft.json()["hosts"][i].get("pins").is_none() {
            draft.set(&entry, "pins", "[]", &ENTRY)?;
        }
        for pin in pins {
            draft.push(&[entry[0], entry[1], Step::Member("pins")], &pin.to_text())?;
        }
        Ok(())
    }

    /// What a server presents, once it is clear that it is not somebody else.
    fn live_pin(
        &self,
        host: &HostName,
        target: &str,
        anchors: &[Vec<u8>],
        how: &Manner,
    ) -> Result<NewPin, Failure> {
        let target = match target {
            "" if host.as_str().contains(':') => format!("[{host}]"),
            "" => host.to_string(),
            target => target.to_owned(),
        };
        let presented = survey::chain(&target, self.connect)?;
        let missing = || Failure::input(&target, "presents no certificate");
        let leaf = presented.chain.first().ok_or_else(missing)?;
        let identity = CertificateIdentity::read(leaf, &target)?;
        let others = presented.chain.iter().skip(1);
        if others
            .filter_map(|der| CertificateIdentity::read(der, "").ok())
            .any(|ca| ca.spki == identity.spki)
        {
            let reason = "its key is also that of its issuer, as with proxies that inspect: it is \
                          not the server's";
            return Err(Failure::input(&target, reason));
        }
        let explanation = self.judged(&target, &presented.chain, anchors, &identity)?;
        if let Err(reason) = &explanation.trust
            && self.trust() != Trust::PinOnly
            && !self.accept_untrusted
        {
            let reason = format!(
                "not trusted ({}), and so perhaps an impostor: name its authorities with --roots or \
                 --anchor, or compare it with the server's own files and use --accept-untrusted",
                reason.name(),
            );
            return Err(Failure::input(&target, reason));
        }
        if how.at == Some(PinAt::Ca) {
            return authority(&target, &explanation, &presented.chain, how);
        }
        source::of_certificate(&target, leaf, PinState::Active, how)
    }

    /// What a client would think of the server, pins aside.
    fn judged(
        &self,
        target: &str,
        chain: &[Vec<u8>],
        anchors: &[Vec<u8>],
        leaf: &CertificateIdentity,
    ) -> Result<Explanation, Failure> {
        let name = survey::host(target)?;
        let spki = leaf.spki.to_string();
        let pin = PinSpec {
            sha256: Some(spki.trim_start_matches("sha256/").to_owned()),
            ..PinSpec::default()
        };
        let entry = HostSpec {
            host: name.to_string(),
            mode: Some(Mode::ReportOnly),
            pins: vec![pin],
            ..HostSpec::default()
        };
        let pins =
            PinSet::new(PinSetSpec { schema: 1, hosts: vec![entry], ..PinSetSpec::default() })?;
        let roots = match self.trust() {
            Trust::PrivateCa => Roots::Only(anchors.to_vec()),
            Trust::SystemAndPin | Trust::PinOnly => input::roots(&self.roots)?,
        };
        let client = Client::builder(pins).roots(roots).build()?;
        let at = when::time_or_now("", None)?;
        Ok(client.explain(name.as_str(), chain, at)?)
    }
}

/// The root of the path that a client verifies: intermediates change without notice.
fn authority(
    target: &str,
    explanation: &Explanation,
    chain: &[Vec<u8>],
    how: &Manner,
) -> Result<NewPin, Failure> {
    let path = explanation.paths.last().filter(|_| explanation.trust.is_ok());
    let path = path.map(|path| path.certificates.as_slice()).unwrap_or_default();
    let [_, .., root] = path else {
        let reason = "no verified path leads to an authority: name its file with --pin";
        return Err(Failure::input(target, reason));
    };
    let presented = chain.iter().find(|der| {
        CertificateIdentity::read(der, "").is_ok_and(|identity| identity.spki == root.spki)
    });
    if let Some(der) = presented {
        return source::of_certificate(target, der, PinState::Active, how);
    }
    let label = how.label.clone().or_else(|| root.subject());
    let digest = PinDigest::Spki(root.spki);
    Ok(NewPin { digest, at: PinAt::Ca, state: PinState::Active, label, cert: None })
}
