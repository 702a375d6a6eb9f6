//! The life of a pin set at its owner's desk: written, compared, carried to other formats and back.

mod authoring;
mod differences;
mod exporting;
mod importing;
mod live;
#[path = "../support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const A: &str = "YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=";
const B: &str = "sRHdihwgkaib1P1gxX8HFszlD+7/gTfNvuAybgLPNis=";
const C: &str = "C5+lpZ7tcVwmwQIMcRtPbsQtWLABXhQzejna0wHFr8M=";
const D: &str = "Vjs8r4z+80wjNcr1YKepWQboSIRi63WsWXhIMN+eWys=";

/// A root that nobody has the key of.
const CERT: &str = include_str!("anchor.b64").trim_ascii();

/// A folder; every command runs in it.
struct Desk {
    dir: PathBuf,
}

impl Desk {
    fn new(name: &str) -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("owner").join(name);
        let _from_before = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).expect("a writable folder");
        Self { dir }
    }

    /// With one file in it.
    fn with(name: &str, file: &str, text: &str) -> Self {
        let desk = Self::new(name);
        desk.write(file, text);
        desk
    }

    fn write(&self, file: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.dir.join(file), bytes).expect("a writable folder");
    }

    fn text(&self, file: &str) -> String {
        std::fs::read_to_string(self.dir.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
    }

    fn json(&self, file: &str) -> Value {
        serde_json::from_str(&self.text(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pinfold"));
        command.args(arguments).current_dir(&self.dir).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the binary")
    }

    /// Must end with this code; what it printed on standard output.
    fn ends(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", words(&output));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    fn ok(&self, arguments: &[&str]) -> String {
        self.ends(0, arguments)
    }

    /// Must fail as unusable input, without a word on standard output; the words of the error.
    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", words(&output));
        assert!(output.stdout.is_empty(), "{arguments:?}: {}", words(&output));
        words(&output)
    }
}

fn words(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|b| String::from_utf8_lossy(b));
    format!("{out}{err}")
}
