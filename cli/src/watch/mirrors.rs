//! Update URLs: whether each has what git says that it should have.

use pinfold_core::Client;
use pinfold_core::pinset::{Bundle, Document};
use serde_json::{Value, json};

use super::git::{self, Published};
use super::trouble::{Code, Trouble};
use crate::failure::Failure;
use crate::verify::App;
use crate::web;

/// What an update URL has.
pub(super) struct MirrorLook {
    pub(super) url: String,
    /// Whether it has answered with a bundle.
    pub(super) up: bool,
    /// The epoch and version of its pin set.
    pub(super) order: Option<(u64, u64)>,
    /// The SHA-256 of what is signed in it.
    digest: Option<String>,
    pub(super) troubles: Vec<Trouble>,
}

/// What mirrors are compared with.
pub(super) struct Terms {
    pub(super) client: Client,
    /// What was ever published, the newest first.
    pub(super) published: Vec<Published>,
    pub(super) apps: Vec<App>,
}

/// What is published according to git, and where it should be.
pub(super) struct Watched {
    pub(super) path: String,
    pub(super) others: Vec<String>,
    pub(super) urls: Vec<String>,
}

impl Watched {
    pub(super) fn published(&self) -> Result<Vec<Published>, Failure> {
        Ok([git::history(&self.path)?, git::others(&self.others)?].into_iter().flatten().collect())
    }

    /// Every URL that clients ask: those that are named, the document's and the apps' own.
    pub(super) fn urls(&self, apps: &[App]) -> Result<Vec<String>, Failure> {
        let bundle = crate::verify::read_published(&self.path)?;
        let document = Document::parse(&bundle.pinset.payload, None);
        let own = document.map(|document| document.update().urls.clone());
        let own = own.map_err(|e| Failure::rejected(&self.path, e))?;
        let apps = apps.iter().flat_map(|app| app.update_urls().1);
        let mut urls: Vec<String> = Vec::new();
        for url in self.urls.iter().cloned().chain(own).chain(apps) {
            if !urls.contains(&url) {
                urls.push(url);
            }
        }
        Ok(urls)
    }
}

/// Asks every one at once, because one that hangs should hold up nobody.
pub(super) fn look(urls: &[String], terms: &Terms) -> Vec<MirrorLook> {
    let mut looks: Vec<_> = std::thread::scope(|scope| {
        let ask = |url: &'_ String| {
            let url = url.clone();
            scope.spawn(move || of_mirror(&url, terms))
        };
        let asked: Vec<_> = urls.iter().map(ask).collect();
        asked.into_iter().map(|look| look.join().expect("no look panics")).collect()
    });
    equivocation(&mut looks);
    looks
}

fn of_mirror(url: &str, terms: &Terms) -> MirrorLook {
    let mut look = MirrorLook {
        url: url.to_owned(),
        up: false,
        order: None,
        digest: None,
        troubles: Vec::new(),
    };
    let mut wrong = |code, text: String| look.troubles.push(Trouble::new(code, text));
    let fetched = match web::get(&terms.client, url, None) {
        Ok(fetched) if fetched.status == 200 => fetched,
        Ok(fetched) => {
            wrong(Code::MirrorUnreachable, format!("status {}", fetched.status));
            return look;
        }
        Err(e) => {
            wrong(Code::MirrorUnreachable, e.to_string());
            return look;
        }
    };
    let read = Bundle::parse(&fetched.body).and_then(|bundle| {
        let document = Document::parse(&bundle.pinset.payload, None)?;
        Ok((bundle, document))
    });
    let (bundle, document) = match read {
        Ok(read) => read,
        Err(e) => {
            wrong(Code::MirrorUnreadable, e.to_string());
            return look;
        }
    };
    for app in &terms.apps {
        if let Some(trouble) = app.replay(app.start(), &bundle).trouble() {
            wrong(Code::MirrorRejected, trouble);
        }
    }
    let order = (document.epoch(), document.version());
    if let Some((code, text)) = compare(&bundle.pinset.payload, order, &terms.published) {
        wrong(code, text);
    }
    look.up = true;
    look.order = Some(order);
    look.digest = Some(web::sha256(&bundle.pinset.payload));
    look
}

/// How what a mirror has stands to what was published.
fn compare(payload: &[u8], order: (u64, u64), published: &[Published]) -> Option<(Code, String)> {
    let (newest, _) = published.split_first()?;
    let (epoch, version) = order;
    let words = format!("version {version} of epoch {epoch}");
    if newest.payload == payload {
        return None;
    }
    if published.iter().any(|known| known.payload == payload) {
        let (epoch, version) = newest.order;
        return Some((Code::MirrorStale, format!("{words}, and git has {version} of {epoch}")));
    }
    if published.iter().any(|known| known.order == order) {
        let text = format!("{words} is another one in git: two were signed under one number");
        return Some((Code::MirrorEquivocates, text));
    }
    Some((Code::MirrorUnknown, format!("{words} was never in git")))
}

/// Mirrors that have different pin sets under one number, whatever git says.
fn equivocation(looks: &mut [MirrorLook]) {
    let seen: Vec<_> = looks.iter().map(|look| (look.order, look.digest.clone())).collect();
    for look in looks {
        let Some(order) = look.order else { continue };
        let differs = seen.iter().any(|(o, digest)| *o == Some(order) && *digest != look.digest);
        let told = look.troubles.iter().any(|trouble| trouble.code == Code::MirrorEquivocates);
        if differs && !told {
            let (epoch, version) = order;
            let text = format!("another mirror has something else as version {version} of {epoch}");
            look.troubles.push(Trouble::new(Code::MirrorEquivocates, text));
        }
    }
}

impl MirrorLook {
    pub(super) fn to_json(&self) -> Value {
        json!({
            "url": self.url,
            "up": self.up,
            "epoch": self.order.map(|(epoch, _)| epoch),
            "version": self.order.map(|(_, version)| version),
            "troubles": self.troubles.iter().map(Trouble::to_json).collect::<Vec<_>>(),
        })
    }
}
