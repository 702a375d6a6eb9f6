//! What clients find at a URL, once something was published: the new bundle, whatever they have.

use std::time::{Duration, Instant};

use pinfold_core::Client;
use pinfold_core::pinset::Bundle;
use serde_json::{Value, json};

use crate::verify::App;
use crate::web;

/// Between two attempts, while caches catch up.
const PAUSE: Duration = Duration::from_secs(3);

/// What was published, and for whom.
pub(super) struct Expected<'a> {
    pub(super) bytes: &'a [u8],
    /// The digests of what was there before.
    pub(super) before: Vec<String>,
    pub(super) apps: &'a [App],
    /// How long caches may take.
    pub(super) patience: Duration,
}

/// How it looks from a URL.
pub(super) struct Back {
    pub(super) url: String,
    /// What is wrong; nothing where every client gets on.
    pub(super) trouble: Option<String>,
}

impl Expected<'_> {
    /// Asks as every client would: with nothing, with what was there before, and with the new one.
    pub(super) fn look(&self, client: &Client, url: &str) -> Back {
        let until = Instant::now() + self.patience;
        loop {
            let trouble = self.ask(client, url).err();
            if trouble.is_none() || Instant::now() + PAUSE > until {
                return Back { url: url.to_owned(), trouble };
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn ask(&self, client: &Client, url: &str) -> Result<(), String> {
        let get = |known: Option<&str>| web::get(client, url, known).map_err(|e| e.to_string());
        let plain = get(None)?;
        if plain.status != 200 {
            return Err(format!("status {}", plain.status));
        }
        if plain.body != self.bytes {
            return Err("it has something else than what was published".to_owned());
        }
        let bundle = Bundle::parse(&plain.body).map_err(|e| e.to_string())?;
        for app in self.apps {
            if let Some(trouble) = app.replay(app.start(), &bundle).trouble() {
                return Err(trouble);
            }
        }
        for known in &self.before {
            let fetched = get(Some(known))?;
            if fetched.status == 304 {
                return Err("it says 304 to clients that have the one before: they stay with that"
                    .to_owned());
            }
            if (fetched.status, fetched.body.as_slice()) != (200, self.bytes) {
                return Err(format!(
                    "status {} to clients that have the one before",
                    fetched.status
                ));
            }
        }
        let fetched = get(Some(&web::sha256(self.bytes)))?;
        let same = fetched.status == 200 && fetched.body == self.bytes;
        if fetched.status != 304 && !same {
            return Err(format!("status {} to clients that have it", fetched.status));
        }
        match plain.cache_control.as_deref().map(str::to_lowercase) {
            Some(text) if text.contains("immutable") => {
                Err("Cache-Control says immutable: caches on the way keep it for good".to_owned())
            }
            _ => Ok(()),
        }
    }
}

impl Back {
    pub(super) fn to_json(&self) -> Value {
        json!({ "url": self.url, "well": self.trouble.is_none(), "trouble": self.trouble })
    }

    pub(super) fn words(&self) -> String {
        match &self.trouble {
            None => format!("fetched    {}\n", self.url),
            Some(trouble) => format!("TROUBLE    {}: {trouble}\n", self.url),
        }
    }
}
