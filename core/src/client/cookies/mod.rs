//! Cookies, by the algorithms of RFC 6265bis, for whoever wants them.

mod file;
mod line;
mod store;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use file::Kept;
use store::{Store, Stored};

use super::url::Target;

/// Keeps the cookies that servers set, and sends them back: each to its own host, path and, where its
/// server says so, the hosts below. Cheap to clone; clones are the same jar, and so are those of two
/// clients or sessions that are given one.
///
/// A name under which anybody can register (`co.uk`) gets none. `SameSite` says nothing here: an app's
/// requests come from no other site. A request with a `Cookie` header of its own sends that and no other.
#[derive(Clone)]
pub struct CookieJar(Arc<Inner>);

struct Inner {
    clock: Arc<dyn Clock>,
    store: Mutex<Store>,
    /// Held while it is written, so that what is newer is written later.
    kept: Option<Mutex<Kept>>,
}

/// A cookie, for an app that looks.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cookie {
    /// Its name; empty for one without.
    pub name: String,
    /// Its value, which may be a secret.
    pub value: String,
    /// The host that gets it.
    pub domain: String,
    /// Whether hosts below do not.
    pub host_only: bool,
    /// Where the path of a URL begins that gets it.
    pub path: String,
    /// When it ends, in seconds since 1970; none for one that ends with the process.
    pub expires: Option<u64>,
    /// Whether browsers would send it over TLS only, as everything is sent here.
    pub secure: bool,
    /// Whether browsers would hide it from scripts.
    pub http_only: bool,
}

impl Default for CookieJar {
    fn default() -> Self {
        Self::new()
    }
}

impl CookieJar {
    /// An empty jar in memory.
    pub fn new() -> Self {
        Self::of(Arc::new(SystemClock), Store::default(), None)
    }

    /// A jar whose cookies outlive the process where their server says so, in a file that nobody else may
    /// read. It is written after each change. One jar at a time has a file.
    ///
    /// # Errors
    /// [`Error::IoFailed`] where the file cannot be read. One that is damaged is put aside as
    /// `NAME.damaged`, and the jar begins empty.
    pub fn persistent(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::persistent_by(Arc::new(SystemClock), path)
    }

    /// As [`Self::persistent`], by a clock of the caller's. For tests.
    ///
    /// # Errors
    /// As [`Self::persistent`].
    pub fn persistent_by(clock: Arc<dyn Clock>, path: impl AsRef<Path>) -> Result<Self, Error> {
        let (kept, all) = Kept::open(path.as_ref(), clock.wall())?;
        let moments = all.iter().map(|it| it.created.max(it.used)).max().unwrap_or(0);
        Ok(Self::of(clock, Store { all, moments }, Some(Mutex::new(kept))))
    }

    fn of(clock: Arc<dyn Clock>, store: Store, kept: Option<Mutex<Kept>>) -> Self {
        Self(Arc::new(Inner { clock, store: Mutex::new(store), kept }))
    }

    /// Sets a cookie as a server at `url` would with a `Set-Cookie` field; whether it counts.
    ///
    /// # Errors
    /// [`Error::InvalidUrl`].
    pub fn set(&self, url: &str, field: &str) -> Result<bool, Error> {
        Ok(self.take_all(&Target::parse(url)?, [field].into_iter()))
    }

    /// The `Cookie` header of a request to `url`, if it has one.
    ///
    /// # Errors
    /// [`Error::InvalidUrl`].
    pub fn header(&self, url: &str) -> Result<Option<String>, Error> {
        Ok(self.of_request(&Target::parse(url)?))
    }

    /// All cookies, the oldest first.
    pub fn cookies(&self) -> Vec<Cookie> {
        self.lock().living(self.0.clock.wall()).into_iter().map(Cookie::from).collect()
    }

    /// Drops all cookies, in the file, too.
    ///
    /// # Errors
    /// [`Error::IoFailed`].
    pub fn clear(&self) -> Result<(), Error> {
        self.lock().all.clear();
        self.save()
    }

    /// Writes the file, where there is one and it is not up to date. That happens after each change by
    /// itself; where it fails no request does, and the next change tries again.
    ///
    /// # Errors
    /// [`Error::IoFailed`].
    pub fn save(&self) -> Result<(), Error> {
        let Some(kept) = &self.0.kept else { return Ok(()) };
        // What is written is whole at every point where a panic could leave it.
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let living = self.lock().living(self.0.clock.wall());
        kept.write(living)
    }

    pub(super) fn of_request(&self, target: &Target) -> Option<String> {
        self.lock().header(target, self.0.clock.wall())
    }

    /// Takes what a response brought; whether anything has changed.
    pub(super) fn take_all<'a>(
        &self,
        target: &Target,
        fields: impl Iterator<Item = &'a str>,
    ) -> bool {
        let now = self.0.clock.wall();
        let mut store = self.lock();
        let mut changed = false;
        for field in fields {
            changed |= store.set(target, field, now);
        }
        drop(store);
        if changed {
            // The request is not to blame.
            let _tried_again = self.save();
        }
        changed
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        // A cookie is in it or not at every point where a panic could leave it.
        self.0.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Stored> for Cookie {
    fn from(it: Stored) -> Self {
        let Stored { name, value, domain, host_only, path, expires, secure, http_only, .. } = it;
        Self { name, value, domain, host_only, path, expires, secure, http_only }
    }
}

impl fmt::Debug for Cookie {
    /// Without the value: that may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cookie")
            .field("name", &self.name)
            .field("domain", &self.domain)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for CookieJar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CookieJar").field("cookies", &self.lock().all.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use super::*;
    use crate::clock::tests::Hands;

    const URL: &str = "https://api.example.com/";

    /// A folder that is gone with the value.
    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("pinfold-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).expect("a folder");
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _gone = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn only_what_shall_outlive_the_process_does_and_nobody_else_may_read_it() {
        let (folder, hands) = (Folder::new("cookies"), Arc::new(Hands::default()));
        let path = folder.0.join("cookies");
        let open = || CookieJar::persistent_by(hands.clone(), &path).expect("a file");
        let jar = open();
        jar.set(URL, "first=1; Max-Age=60; Path=/x").expect("a URL");
        jar.set(URL, "id=s3cret; Max-Age=3600; Domain=example.com").expect("a URL");
        jar.set(URL, "session=2").expect("a URL");
        assert_eq!(jar.header(URL), Ok(Some("id=s3cret; session=2".into())));
        let told = format!("{jar:?} {:?}", jar.cookies());
        assert!(told.contains("id") && !told.contains("s3cret"), "{told}");
        drop(jar);
        assert_eq!(fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o600);
        hands.pass(Duration::from_secs(60));
        let jar = open();
        assert_eq!(jar.header("https://www.example.com/"), Ok(Some("id=s3cret".into())));
        assert_eq!(jar.cookies().len(), 1);
        jar.clear().expect("written");
        assert!(open().cookies().is_empty());
    }

    #[test]
    fn a_damaged_file_is_put_aside_and_one_that_cannot_be_read_is_told() {
        let folder = Folder::new("damaged");
        let path = folder.0.join("cookies");
        for damaged in ["{", "[]", r#"{"schema":2,"cookies":[]}"#, r#"{"schema":1,"cookies":[{}]}"#]
        {
            fs::write(&path, damaged).expect("written");
            assert!(CookieJar::persistent(&path).expect("empty").cookies().is_empty());
            let aside = fs::read_to_string(folder.0.join("cookies.damaged"));
            assert_eq!(aside.expect("it is there"), damaged);
        }
        // What a server could not have set is not sent.
        let injected = r#"{"schema":1,"cookies":[{"name":"a","value":"b\r\nX: y","domain":"a.test","host_only":true,
            "path":"/","expires":99999999999,"created":1}]}"#;
        fs::write(&path, injected).expect("written");
        assert!(CookieJar::persistent(&path).expect("empty").cookies().is_empty());
        let error = CookieJar::persistent(&folder.0).expect_err("a folder");
        assert_eq!((error.code(), error.place()), ("io_failed", Some("cookies")));
    }

    #[test]
    fn a_jar_that_cannot_be_written_tells_who_asks_and_is_written_later() {
        let folder = Folder::new("unwritten");
        let path = folder.0.join("below").join("cookies");
        let jar = CookieJar::persistent(&path).expect("nothing there yet");
        assert_eq!(jar.set(URL, "a=b; Max-Age=60"), Ok(true), "it counts all the same");
        assert_eq!(jar.save().expect_err("no folder").place(), Some("cookies"));
        fs::create_dir(folder.0.join("below")).expect("a folder");
        jar.save().expect("now");
        assert_eq!(CookieJar::persistent(&path).expect("a file").cookies().len(), 1);
    }
}
