//! The binary, as the tests of other languages use it.

mod client;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

#[test]
fn the_control_api_shows_and_changes_a_server() {
    let kit = Process::start(&[]);
    let (status, info) = kit.call("GET", "/info");
    assert_eq!(status, 200);
    assert_eq!(info["servers"], kit.hello["servers"]);
    assert!(info["pins"]["backup"].as_str().expect("a pin").starts_with("sha256/"));
    assert!(info["certificates"]["root"].as_str().expect("a certificate").len() > 100);

    let port = info["servers"]["backend"].as_u64().expect("a port");
    drop(TcpStream::connect(("127.0.0.1", port as u16)).expect("a server"));
    let (status, events) =
        kit.call("GET", "/wait?server=backend&event=closed&count=1&timeout_ms=10000");
    assert_eq!(status, 200);
    assert_eq!(events[0], serde_json::json!({ "event": "accepted", "conn": 1 }));
    assert_eq!(kit.call("GET", "/events?server=backend").1, events);

    assert_eq!(kit.call("POST", "/clear?server=backend").0, 200);
    assert_eq!(kit.call("GET", "/events?server=backend").1, serde_json::json!([]));
    assert_eq!(kit.call("GET", "/wait?server=backend&event=alert&timeout_ms=1").0, 408);
    assert_eq!(kit.call("POST", "/present?server=backend&chain=rotated").0, 200);
    assert_eq!(kit.call("POST", "/drop?server=backend").0, 200);

    for (method, path, status) in [
        ("GET", "/events?server=nobody", 404),
        ("GET", "/events", 400),
        ("POST", "/present?server=backend&chain=nothing", 404),
        ("GET", "/nowhere", 404),
    ] {
        let answer = kit.call(method, path);
        assert_eq!(answer.0, status, "{path}");
        assert!(answer.1["error"].is_string(), "{path}");
    }
}

#[test]
fn quit_ends_the_process() {
    let mut kit = Process::start(&[]);
    assert_eq!(kit.call("POST", "/quit").0, 200);
    assert!(kit.child.wait().expect("a child").success());
}

#[test]
fn the_end_of_its_input_ends_the_process() {
    let mut kit = Process::start(&[]);
    drop(kit.child.stdin.take());
    assert!(kit.child.wait().expect("a child").success());
}

#[test]
fn the_pki_can_be_written_to_files() {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("pki");
    let _kit = Process::start(&["--pki-dir", dir.to_str().expect("a path in UTF-8")]);
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).expect(name);
    assert_eq!(read("deep.chain.pem").matches("BEGIN CERTIFICATE").count(), 3);
    assert!(read("rsa.key.pem").contains("BEGIN PRIVATE KEY"));
    assert!(read("root.pem").contains("BEGIN CERTIFICATE"));
    assert!(dir.join("other_root.der").exists());
}

struct Process {
    child: Child,
    hello: Value,
}

impl Process {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_pinfold-testkit"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary");
        let mut line = String::new();
        let output = child.stdout.as_mut().expect("a pipe");
        BufReader::new(output).read_line(&mut line).expect("a line");
        Self { child, hello: serde_json::from_str(&line).expect("JSON") }
    }

    fn call(&self, method: &str, path: &str) -> (u16, Value) {
        let url = self.hello["control"].as_str().expect("a URL");
        let address = url.strip_prefix("http://").expect("plain HTTP");
        let mut stream = TcpStream::connect(address).expect("the control API");
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n").expect("an open connection");
        stream.shutdown(std::net::Shutdown::Write).expect("an open connection");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
        (status, serde_json::from_str(body).expect("JSON"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
