//! Publishing to several places at once: each has the old bundle or the new one, and it is said which.

use std::io::{BufRead, BufReader};
use std::process::{Child, Output, Stdio};

use serde_json::{Value, json};

use super::support::{Web, authority, issue, key, pem, private};
use super::{AT, Desk, parsed, words};

const CDN: &str = "pins.example.com";
const DR: &str = "pins.example.org";
/// What the app of the desk asks.
const PATH: &str = "/v1/bundle.json";

/// Two versions of a bundle, and a server for both mirrors.
struct Field {
    desk: Desk,
    web: Web,
    connects: [String; 2],
}

impl Field {
    fn new(name: &str) -> Self {
        let desk = Desk::after_the_ceremony(name);
        desk.pinset(2, 0, "pin", "root-1.json");
        for version in ["1", "2"] {
            let pinset = format!("pinset-0-{version}.dsse.json");
            desk.bundle(&format!("bundle-{version}.json"), &["root-1.json"], &pinset);
        }
        let web = Web::start(&[CDN, DR]);
        desk.write("web.pem", pem(std::slice::from_ref(&web.root)));
        let connects = [CDN, DR].map(|host| web.connect(host));
        Self { desk, web, connects }
    }

    fn publish(&self, bundle: &str, targets: &[&str], more: &[&str]) -> Output {
        let given = ["publish", "--json", "--at", AT, "--embedded", "app-1.json", "--wait", "0"];
        let roots = if more.contains(&"--roots") { &[][..] } else { &["--roots", "web.pem"] };
        let [a, b] = &self.connects;
        let rest = ["--connect", a, "--connect", b, "--bundle", bundle];
        let targets: Vec<_> = targets.iter().flat_map(|target| ["--to", *target]).collect();
        self.desk.run(&[&given[..], roots, &rest, &targets, more].concat())
    }
}

fn has(output: &Output) -> Vec<String> {
    let value = parsed(output);
    let targets = value["targets"].as_array().expect("targets").iter();
    targets.map(|target| target["has"].as_str().expect("a text").to_owned()).collect()
}

#[test]
fn several_places_get_it_at_once_with_headers_for_caches() {
    let field = Field::new("mirrors-put");
    field.desk.write("token", "Bearer s3cret\n");
    set_mode(&field.desk, "token", 0o600);
    let urls = [CDN, DR].map(|host| format!("https://{host}{PATH}"));
    // Of two hosts with one path, this server has one file.
    let targets = ["site", &urls[0]];
    let more = ["--authorization-file", "token", "--url", &urls[1]];
    let output = field.publish("bundle-1.json", &targets, &more);
    assert!(output.status.success(), "{}", words(&output));
    assert_eq!(has(&output), ["new", "new"]);
    let bytes = field.desk.read("bundle-1.json");
    assert_eq!(field.desk.read("site/bundle.json"), bytes);
    assert_eq!(field.web.body(PATH), Some(bytes));
    let log = field.web.requests.lock().expect("no panic").clone();
    let put = log.iter().find(|(line, _)| line.starts_with("PUT")).expect("a PUT");
    for field in [
        "authorization: bearer s3cret",
        "cache-control: public, max-age=300, stale-if-error=86400",
        "content-type: application/json",
    ] {
        assert!(put.1.iter().any(|line| line == field), "{field}: {:?}", put.1);
    }
    assert!(!words(&output).contains("s3cret"));
    // The next one, for clients that have the first.
    let output = field.publish("bundle-2.json", &targets, &more);
    assert!(output.status.success(), "{}", words(&output));
    let fetched = parsed(&output)["fetched"].as_array().cloned().expect("URLs");
    assert_eq!(fetched.len(), 2);
    assert!(fetched.iter().all(|back| back["well"] == true), "{fetched:?}");
    let log = field.web.requests.lock().expect("no panic").clone();
    let validators: Vec<_> = log
        .iter()
        .flat_map(|(_, fields)| fields.iter().filter(|field| field.starts_with("if-none-match")))
        .collect();
    assert!(validators.len() >= 4, "with what was there, and with the new one: {validators:?}");
}

#[test]
fn a_failed_publish_says_which_has_which() {
    let field = Field::new("mirrors-failed");
    let url = format!("https://{CDN}{PATH}");
    let other = format!("https://{DR}/other.json");
    assert!(field.publish("bundle-1.json", &["site", &url, &other], &[]).status.success());
    let old = field.desk.read("bundle-1.json");
    // One refuses to be written from now on.
    field.web.answer("/other.json", 200, old.clone());
    let files = field.web.files.clone();
    files.lock().expect("no panic").insert("/other.json".into(), (503, old.clone()));
    let output = field.publish("bundle-2.json", &["site", &url, &other], &[]);
    // It cannot even be read: nothing is written anywhere.
    assert_eq!(output.status.code(), Some(2), "{}", words(&output));
    assert_eq!(field.desk.read("site/bundle.json"), old);
    assert_eq!(field.web.body(PATH), Some(old.clone()));

    // Another is not there yet, and refuses to be.
    files.lock().expect("no panic").insert("/other.json".into(), (200, old));
    let absent = format!("https://{DR}/--refused.json");
    field.web.answer("/--refused.json", 404, "");
    let output = field.publish("bundle-2.json", &["site", &absent, &url], &[]);
    assert_eq!(output.status.code(), Some(3), "{}", words(&output));
    assert_eq!(has(&output), ["new", "old", "new"]);
    let value = parsed(&output);
    assert_eq!(value["published"], false);
    assert!(value["targets"][1]["reason"].as_str().is_some_and(|r| r.contains("404")), "{value:#}");
    let new = field.desk.read("bundle-2.json");
    assert_eq!(field.desk.read("site/bundle.json"), new);
    assert_eq!(field.web.body(PATH), Some(new));
}

#[test]
fn no_place_is_written_where_one_has_something_newer() {
    let field = Field::new("mirrors-newer");
    let url = format!("https://{CDN}{PATH}");
    assert!(field.publish("bundle-2.json", &[&url], &[]).status.success());
    let output = field.publish("bundle-1.json", &["site", &url], &[]);
    assert_eq!(output.status.code(), Some(1), "{}", words(&output));
    assert_eq!(parsed(&output)["traces"][1]["reason"], "rollback");
    assert!(!field.desk.path("site").exists());
    assert_eq!(field.web.body(PATH), Some(field.desk.read("bundle-2.json")));
}

#[test]
fn what_clients_would_not_find_is_told() {
    let field = Field::new("mirrors-frozen");
    let url = format!("https://{CDN}{PATH}");
    assert!(field.publish("bundle-1.json", &["site", &url], &[]).status.success());
    // A cache that has the old one, and one that says 304 to everybody.
    field.web.put("/old.json", field.desk.read("bundle-1.json"));
    field.web.put("/--frozen.json", field.desk.read("bundle-2.json"));
    let [old, frozen] = ["old", "--frozen"].map(|name| format!("https://{DR}/{name}.json"));
    let output =
        field.publish("bundle-2.json", &["site", &url], &["--url", &old, "--url", &frozen]);
    assert_eq!(output.status.code(), Some(3), "{}", words(&output));
    assert_eq!(has(&output), ["new", "new"]);
    let fetched = parsed(&output)["fetched"].clone();
    assert_eq!(fetched[0]["well"], true, "{fetched:#}");
    for (i, said) in [(1, "something else"), (2, "304 to clients that have the one before")] {
        let trouble = fetched[i]["trouble"].as_str().unwrap_or_default();
        assert!(trouble.contains(said), "{fetched:#}");
    }
    // A folder alone is fetched only when it is asked for.
    assert_eq!(parsed(&field.publish("bundle-2.json", &["site"], &[]))["fetched"], json!([]));
    let output = field.publish("bundle-2.json", &["site"], &["--fetch-back"]);
    assert_eq!(parsed(&output)["fetched"].as_array().map(Vec::len), Some(1));
}

#[test]
fn secrets_that_others_may_read_are_refused() {
    let field = Field::new("mirrors-secrets");
    let url = format!("https://{CDN}{PATH}");
    field.desk.write("token", "Bearer s3cret");
    let publish = |more: &[&str]| field.publish("bundle-1.json", &[&url], more);
    for mode in [0o644, 0o640, 0o602] {
        set_mode(&field.desk, "token", mode);
        let output = publish(&["--authorization-file", "token"]);
        assert_eq!(output.status.code(), Some(2), "{mode:o}");
        assert!(words(&output).contains("others may read"), "{}", words(&output));
        assert!(!words(&output).contains("s3cret"));
    }
    assert_eq!(field.web.body(PATH), None);
    set_mode(&field.desk, "token", 0o600);
    field.desk.write("token", "two\nlines");
    assert!(words(&publish(&["--authorization-file", "token"])).contains("not one line"));
    for wrong in ["http://pins.example.com/b", "s3://", "s3://bucket/a b", "s3://bucket/k"] {
        let output = field.publish("bundle-1.json", &[wrong], &[]);
        assert_eq!(output.status.code(), Some(2), "{wrong}: {}", words(&output));
    }
}

fn set_mode(desk: &Desk, file: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(desk.path(file), mode).expect("its owner");
}

/// A store that speaks S3, and who may write to it.
struct Store {
    child: Child,
    endpoint: String,
    id: String,
    secret: String,
}

impl Drop for Store {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _waited = self.child.wait();
    }
}

/// A folder of `scripts/setup watch`.
const MOTO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/moto/bin");

impl Store {
    /// From then on it checks signatures.
    fn start(desk: &Desk) -> Self {
        let (ca, key) = (authority("A store's authority"), key());
        let leaf = issue(&["localhost"], &key, &ca);
        desk.write("store.pem", pem(&[ca.as_ref().der().clone()]));
        desk.write("leaf.pem", pem(&[leaf]));
        let _same = private(&key);
        desk.write("leaf.key", key.serialize_pem());
        let given = ["-H", "127.0.0.1", "-p", "0", "-s", "-c", "leaf.pem", "-k", "leaf.key"];
        let mut command = desk.command(format!("{MOTO}/moto_server"), &given);
        // What comes first needs no signature: the bucket, and who may write to it.
        command.env("INITIAL_NO_AUTH_ACTION_COUNT", "4").env("PYTHONUNBUFFERED", "1");
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut child = child.expect("moto: scripts/setup watch");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let (_, port) = line.rsplit_once("https://127.0.0.1:")?;
            Some(port.trim().to_owned())
        });
        std::thread::spawn(move || lines.for_each(drop));
        let port = port.expect("it says where it listens");
        let script = r#"
import boto3, json, sys
def client(name):
    return boto3.client(name, endpoint_url=sys.argv[1], verify="store.pem", region_name="us-east-1",
                        aws_access_key_id="x", aws_secret_access_key="x")
client("s3").create_bucket(Bucket="pins")
iam = client("iam")
iam.create_user(UserName="publisher")
iam.put_user_policy(UserName="publisher", PolicyName="p", PolicyDocument=json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}))
key = iam.create_access_key(UserName="publisher")["AccessKey"]
print(key["AccessKeyId"], key["SecretAccessKey"])
"#;
        desk.write("store.py", script);
        let endpoint = format!("https://localhost:{port}");
        let python = format!("{MOTO}/python");
        let output = desk.command(python, &["store.py", &endpoint]).output().expect("Python");
        assert!(output.status.success(), "{}", words(&output));
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let (id, secret) = text.trim().split_once(' ').expect("two words");
        Self { child, endpoint, id: id.to_owned(), secret: secret.to_owned() }
    }
}

#[test]
fn a_store_that_speaks_s3_takes_it_from_whoever_may() {
    let desk = Desk::after_the_ceremony("mirrors-s3");
    desk.pinset(2, 0, "pin", "root-1.json");
    for version in ["1", "2"] {
        let pinset = format!("pinset-0-{version}.dsse.json");
        desk.bundle(&format!("bundle-{version}.json"), &["root-1.json"], &pinset);
    }
    let store = Store::start(&desk);
    let web = Web::start(&["pins.example.com"]);
    desk.write(
        "all.pem",
        [desk.read("store.pem"), pem(std::slice::from_ref(&web.root)).into_bytes()].concat(),
    );
    let connect = web.connect("pins.example.com");
    let publish = |bundle: &str, secret: &str| -> (i32, Value, String) {
        // The URL that clients ask is another server's: a CDN in front of the store.
        web.put(PATH, desk.read(bundle));
        let given = ["publish", "--json", "--at", AT, "--embedded", "app-1.json", "--wait", "0"];
        let more = ["--bundle", bundle, "--to", "s3://pins/v1/bundle.json", "--roots", "all.pem"];
        let mut command = desk.command(
            env!("CARGO_BIN_EXE_pinfold"),
            &[&given[..], &more, &["--connect", &connect, "--s3-endpoint", &store.endpoint]]
                .concat(),
        );
        command.env("AWS_ACCESS_KEY_ID", &store.id).env("AWS_SECRET_ACCESS_KEY", secret);
        let output = command.output().expect("the binary");
        let said = words(&output);
        assert!(!said.contains(secret), "no secret is told");
        (output.status.code().expect("an end"), parsed(&output), said)
    };
    // Whoever has not the key gets nowhere.
    let (code, _, said) = publish("bundle-1.json", "wrong-wrong-wrong-wrong");
    assert_eq!(code, 2, "{said}");
    let (code, value, said) = publish("bundle-1.json", &store.secret);
    assert_eq!((code, &value["targets"][0]["has"]), (0, &json!("new")), "{said}");
    let (code, value, said) = publish("bundle-2.json", &store.secret);
    assert_eq!((code, &value["targets"][0]["has"]), (0, &json!("new")), "{said}");
    let (code, value, said) = publish("bundle-1.json", &store.secret);
    assert_eq!((code, &value["traces"][1]["reason"]), (1, &json!("rollback")), "{said}");
    // Somebody else's client reads it, with its headers.
    let script = format!(
        r#"
import boto3, os, sys
s3 = boto3.client("s3", endpoint_url="{}", verify="store.pem", region_name="us-east-1")
found = s3.get_object(Bucket="pins", Key="v1/bundle.json")
print(found["CacheControl"], found["ContentType"])
assert found["Body"].read() == open("bundle-2.json", "rb").read()
"#,
        store.endpoint
    );
    desk.write("read.py", script);
    let mut command = desk.command(format!("{MOTO}/python"), &["read.py"]);
    command.env("AWS_ACCESS_KEY_ID", &store.id).env("AWS_SECRET_ACCESS_KEY", &store.secret);
    let output = command.output().expect("Python");
    let expected = "public, max-age=300, stale-if-error=86400 application/json\n";
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{}", words(&output));
}
