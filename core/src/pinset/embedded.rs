//! What is compiled into the app: where trust begins, and what no document can change.

use super::bundle::expect_format;
use super::document::read_urls;
use super::dsse::Envelope;
use crate::json::{self, Node};
use crate::rejection::Rejection;

const MAX_BYTES: usize = 256 * 1024;

/// The embedded configuration. Its root is trusted because it is compiled in; its pin set must
/// verify under that root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Embedded {
    /// The newest root when the app was built.
    pub root: Envelope,
    /// The newest pin set then.
    pub pinset: Envelope,
    /// The series of documents that the app follows.
    pub stream: String,
    /// The app's own name among a pin set's audience, such as `android:com.example.bank`.
    pub audience: String,
    /// Where updates come from. Documents can add to them, never take away.
    pub update_urls: Vec<String>,
    /// When the app was built, in seconds since 1970: no right clock says less.
    pub built: u64,
    /// Whether a document may say `"on_lapse": "block"`. It gives up that every pin set that is
    /// forgotten ends by itself.
    pub allow_block: bool,
}

impl Embedded {
    /// Reads the file that ships with the app.
    ///
    /// # Errors
    /// `malformed`, `too_large` or `unsupported`.
    pub fn parse(json: &[u8]) -> Result<Self, Rejection> {
        let value = json::parse(json, MAX_BYTES)?;
        let container = Node::document(&value)?;
        expect_format(&container, "embedded")?;
        let allow_block = container.optional("allow_block")?;
        Ok(Self {
            root: Envelope::read(&container.required("root")?)?,
            pinset: Envelope::read(&container.required("pinset")?)?,
            stream: container.required("stream")?.label()?.to_owned(),
            audience: container.required("audience")?.label()?.to_owned(),
            update_urls: read_urls(&container.required("update_urls")?)?,
            built: container.required("built")?.time()?,
            allow_block: allow_block.map_or(Ok(false), |flag| flag.flag())?,
        })
    }
}
