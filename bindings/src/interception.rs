//! Who is in the middle, on the way across.

use pinfold_core::interception;

/// Who is probably in the middle, or what else is wrong, and why that is believed.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Interception {
    /// What it probably is: the code of `InterceptionKind`.
    pub kind: String,
    /// How well the evidence supports that: the code of `Confidence`.
    pub confidence: String,
    /// The product, where its name was recognised.
    pub product: Option<String>,
    /// The authority that issued the certificate, as it calls itself.
    pub authority: Option<String>,
    /// What speaks for it.
    pub evidence: Vec<Evidence>,
    /// What the server's owner can do, in English, where it is the server's own mistake.
    pub mend: Option<String>,
    /// A sentence for the app's user, in English.
    pub message: String,
}

/// One observation.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Evidence {
    /// The stable code.
    pub code: String,
    /// What was seen, in English.
    pub text: String,
}

impl From<&interception::InterceptionReport> for Interception {
    fn from(report: &interception::InterceptionReport) -> Self {
        let evidence = |evidence: &interception::Evidence| Evidence {
            code: evidence.code().to_owned(),
            text: evidence.to_string(),
        };
        Self {
            kind: report.kind.code().to_owned(),
            confidence: report.confidence.code().to_owned(),
            product: report.product.map(str::to_owned),
            authority: report.authority.clone(),
            evidence: report.evidence.iter().map(evidence).collect(),
            mend: report.mend(),
            message: report.message(),
        }
    }
}

/// Every code of a kind, for the tests that every language knows each of them.
#[uniffi::export]
pub fn interception_kinds() -> Vec<String> {
    interception::InterceptionKind::ALL.iter().map(|kind| kind.code().to_owned()).collect()
}
