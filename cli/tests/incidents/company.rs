//! A company with servers, keys and an app in the field, all real but the clock of its phones.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pinfold_core::pinset::Order;
use pinfold_core::update::PinSetUpdater;
use pinfold_core::{Client, Clock, Error, Response, Roots, SystemClock};
use pinfold_testkit::{Owner, Testkit};
use serde_json::{Value, json};

const HOST: &str = "api.example.test";
const APP: &str = "android:com.example.bank";
/// Which server of the testkit plays which mirror.
const MIRRORS: [(&str, &str); 3] =
    [("www.example.test", "rsa"), ("other.example.test", "leaf_only"), ("localhost", "deep")];
/// The greatest version that there is.
pub(crate) const LAST: u64 = (1 << 53) - 1;
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

pub(crate) struct Company {
    pub(crate) kit: Testkit,
    dir: PathBuf,
    stream: &'static str,
    /// The app's embedded files that are in the field.
    apps: RefCell<Vec<String>>,
}

impl Company {
    /// Keys, and the first root by two of three of them, valid from `days` from now for two years.
    pub(crate) fn new(name: &str, days: i64) -> Self {
        println!("\n== {name}");
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("incidents").join(name);
        let _from_before = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).expect("a writable folder");
        let kit = Testkit::start().expect("loopback");
        let company = Self { kit, dir, stream: "com.example.bank/prod", apps: RefCell::default() };
        for id in ["root-a", "root-b", "root-c", "pins-1"] {
            company.key(id);
        }
        company.first_root("root-1.json", days);
        company.sign_root("root-1.json", &["root-a", "root-b"]);
        company
    }

    /// `pinfold`, which must end with that code; what it said.
    pub(crate) fn pinfold(&self, exit: i32, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pinfold"));
        let output = command.args(arguments).current_dir(&self.dir).output().expect("the tool");
        let said = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
        let said = said.concat();
        println!("  pinfold {}", arguments.join(" "));
        assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {said}");
        said
    }

    pub(crate) fn key(&self, id: &str) {
        self.pinfold(0, &["keygen", "--id", id, "--out", &format!("{id}.pem")]);
    }

    /// A key that nobody has any more.
    pub(crate) fn lose(&self, id: &str) {
        std::fs::remove_file(self.dir.join(format!("{id}.pem"))).expect("it was there");
    }

    fn first_root(&self, file: &str, days: i64) {
        let keys = ["root-a", "root-b", "root-c"].map(|id| format!("{id}={id}.pem.pub"));
        let [a, b, c] = keys.each_ref().map(String::as_str);
        let (issued, expires) = (Owner::time(days), Owner::time(days + 730));
        let init = ["root", "init", "--stream", self.stream, "--threshold", "2"];
        let signers = ["--key", a, "--key", b, "--key", c, "--pinset-key", "pins-1=pins-1.pem.pub"];
        let bounds = ["--hosts", "example.test", "--issued", &issued, "--expires", &expires];
        self.pinfold(0, &[&init[..], &signers, &bounds, &["-o", file]].concat());
    }

    /// The next root; it ends two years from now.
    pub(crate) fn rotate(&self, before: &str, file: &str, changes: &[&str]) {
        let times = ["--issued", &Owner::time(0), "--expires", &Owner::time(730)];
        self.pinfold(0, &[&["root", "rotate", before, "-o", file], &times[..], changes].concat());
    }

    pub(crate) fn sign_root(&self, file: &str, ids: &[&str]) {
        for id in ids {
            let key = format!("{id}.pem");
            self.pinfold(0, &["sign", "--in", file, "--id", id, "--key", &key]);
        }
    }

    /// A pin set that a holder of `signer` signs under `root`: its envelope.
    pub(crate) fn pinset(&self, document: &Value, signer: &str, root: &str) -> String {
        let version = document["version"].as_u64().expect("a version");
        let (file, signed) =
            (format!("{version}-{signer}-{root}"), format!("{version}-{signer}-{root}.dsse"));
        std::fs::write(self.dir.join(&file), document.to_string()).expect("a writable folder");
        let key = format!("{signer}.pem");
        let what = ["sign", "--type", "pinset", "--in", &file, "--root", root, "-o", &signed];
        self.pinfold(0, &[&what[..], &["--id", signer, "--key", &key]].concat());
        signed
    }

    /// A release of the app: its embedded file.
    pub(crate) fn release(&self, app: &str, root: &str, pinset: &str, days: i64) {
        let urls = ["--update-url", "https://www.example.test/bundle.json"];
        let more = ["--update-url", "https://other.example.test/bundle.json"];
        let embed = ["embed", "--root", root, "--pinset", pinset, "--audience", APP];
        let built = Owner::time(days);
        let rest = ["--built", &built, "-o", app];
        self.pinfold(0, &[&embed[..], &urls, &more, &rest].concat());
        self.apps.borrow_mut().push(app.to_owned());
    }

    pub(crate) fn bundle(&self, file: &str, roots: &[&str], pinset: &str) {
        let bundle = ["bundle", "--pinset", pinset, "-o", file, "--root"];
        self.pinfold(0, &[&bundle[..], roots].concat());
    }

    /// Publishes a bundle on all mirrors, if no app in the field is stranded by it.
    pub(crate) fn publish(&self, bundle: &str) {
        let apps = self.apps.borrow();
        let apps: Vec<_> = apps.iter().map(String::as_str).collect();
        let publish = ["publish", "--bundle", bundle, "--to", "site", "--embedded"];
        self.pinfold(0, &[&publish[..], &apps].concat());
        self.upload("site/bundle.json", &MIRRORS.map(|(host, _)| host));
    }

    /// What whoever holds a mirror can do.
    pub(crate) fn upload(&self, file: &str, mirrors: &[&str]) {
        let bytes = std::fs::read(self.dir.join(file)).expect("written");
        for host in mirrors {
            self.mirror(host).publish("/bundle.json", bytes.clone());
        }
    }

    pub(crate) fn mirror(&self, host: &str) -> &pinfold_testkit::Server {
        let (_, server) = MIRRORS.into_iter().find(|mirror| mirror.0 == host).expect("a mirror");
        self.kit.server(server)
    }

    /// What api.example.test presents from now on.
    pub(crate) fn server_presents(&self, chain: &str) {
        println!("  api.example.test presents {chain}");
        self.kit.server("backend").present(chain);
        self.kit.server("backend").drop_connections();
    }

    /// A document that pins keys of the testkit: name and state. Issued now, for 60 days and 60 more.
    pub(crate) fn document(
        &self,
        version: u64,
        epoch: u64,
        at: &str,
        pins: &[(&str, &str)],
    ) -> Value {
        let pins = pins.iter().map(|(name, state)| {
            let sha256 = self.kit.pki().pin(name).replace("sha256/", "");
            json!({ "sha256": sha256, "at": at, "state": state })
        });
        let urls =
            ["https://www.example.test/bundle.json", "https://other.example.test/bundle.json"];
        json!({
            "schema": 1, "stream": self.stream, "aud": [APP], "version": version, "epoch": epoch,
            "issued": Owner::time(0), "expires": Owner::time(60), "grace_days": 60,
            "update": { "urls": urls, "interval_s": 86_400, "min_interval_s": 3_600 },
            "hosts": [{ "host": HOST, "pins": pins.collect::<Vec<_>>() }],
        })
    }

    /// A company after its first day: version 1 pins the keys of `pins`, and an app has it.
    pub(crate) fn in_business(name: &str, at: &str, pins: &[(&str, &str)]) -> Self {
        let company = Self::new(name, -30);
        let signed = company.pinset(&company.document(1, 0, at, pins), "pins-1", "root-1.json");
        company.release("app-1.json", "root-1.json", &signed, 0);
        company.bundle("1.json", &["root-1.json"], &signed);
        company.publish("1.json");
        company
    }

    /// A company that begins anew, with other keys and another series, on the same mirrors.
    pub(crate) fn begun_anew(mut self) -> Self {
        self.stream = "com.example.bank/prod-2";
        for id in ["root-a", "root-b", "root-c", "pins-1"] {
            let _lost = std::fs::remove_file(self.dir.join(format!("{id}.pem")));
            std::fs::remove_file(self.dir.join(format!("{id}.pem.pub"))).expect("it was there");
            self.key(id);
        }
        self.first_root("anew-1.json", 0);
        self.sign_root("anew-1.json", &["root-a", "root-b"]);
        self
    }

    /// A phone with a release of the app. One of the same name is the same phone, started again.
    pub(crate) fn phone(&self, name: &'static str, app: &str) -> Phone<'_> {
        let hands = Hands::new();
        let embedded = std::fs::read(self.dir.join(app)).expect("released");
        let mut builder = PinSetUpdater::builder(&embedded)
            .roots(self.trusted())
            .directory(self.dir.join("phones").join(name))
            .clock(hands.clone());
        for (host, _) in MIRRORS {
            builder = builder.connect_to(host, 443, self.mirror(host).addr());
        }
        Phone {
            name,
            company: self,
            hands,
            updater: builder.build().expect("a good embedded file"),
        }
    }

    /// Two authorities that have nothing to do with each other, as every system knows them.
    fn trusted(&self) -> Roots {
        let certificate = |name| self.kit.pki().certificate(name).to_vec();
        Roots::Only(["root", "other_root"].map(certificate).into())
    }
}

pub(crate) struct Phone<'a> {
    pub(crate) name: &'static str,
    company: &'a Company,
    pub(crate) hands: Arc<Hands>,
    pub(crate) updater: PinSetUpdater,
}

impl Phone<'_> {
    /// A request over a new connection, a minute and more after the last one.
    fn request(&self) -> Result<Response, Error> {
        self.hands.pass(Duration::from_secs(61));
        let client = Client::builder_with(&self.updater)
            .roots(self.company.trusted())
            .connect_to(HOST, 443, self.company.kit.server("backend").addr())
            .clock(self.hands.clone())
            .build();
        client.and_then(|client| client.get(&format!("https://{HOST}/")))
    }

    /// It reaches the server: `match`, or what let it pass without one.
    pub(crate) fn reaches(&self, verdict: &str) {
        let response = self.request().unwrap_or_else(|e| panic!("{}: {} {e}", self.name, e.code()));
        assert_eq!(response.verdict().outcome.name(), verdict, "{}", self.name);
        println!("  {}: {verdict}, by {:?}", self.name, self.order());
    }

    /// It refuses what is there, with that code; who the error says it is.
    pub(crate) fn refuses(&self, code: &str) -> Option<String> {
        let error = self.request().map(|r| r.status()).expect_err(self.name);
        assert_eq!(error.code(), code, "{}: {error}", self.name);
        println!("  {}: {code}, by {:?}", self.name, self.order());
        let report = error.interception().map(|report| report.to_json());
        report.and_then(|report| report["kind"].as_str().map(str::to_owned))
    }

    /// Root, epoch and version in force.
    pub(crate) fn order(&self) -> (u64, u64, u64) {
        let Order { root, epoch, pinset, .. } = self.updater.status().order;
        (root, epoch, pinset)
    }
}

/// A phone's clock.
#[derive(Debug)]
pub(crate) struct Hands(Mutex<(u64, Duration)>);

impl Hands {
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new((SystemClock.wall(), DAY))))
    }

    pub(crate) fn pass(&self, time: Duration) {
        let mut now = self.0.lock().expect("no panic");
        *now = (now.0 + time.as_secs(), now.1 + time);
    }
}

impl Clock for Hands {
    fn wall(&self) -> u64 {
        self.0.lock().expect("no panic").0
    }

    fn boot(&self) -> Duration {
        self.0.lock().expect("no panic").1
    }
}
