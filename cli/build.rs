//! What `pinfold --version` says of how it was built.

use std::process::Command;

fn main() {
    let said = |mut command: Command| {
        let output = command.output().ok().filter(|output| output.status.success());
        let text = output.and_then(|output| String::from_utf8(output.stdout).ok());
        text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let mut rustc = Command::new(std::env::var_os("RUSTC").expect("cargo sets it"));
    rustc.arg("--version");
    let mut git = Command::new("git");
    git.args(["rev-parse", "--short=12", "HEAD"]);
    for (name, value) in [
        ("PINFOLD_RUSTC", said(rustc)),
        ("PINFOLD_COMMIT", said(git)),
        ("PINFOLD_TARGET", std::env::var("TARGET").ok()),
        ("PINFOLD_PROFILE", std::env::var("PROFILE").ok()),
    ] {
        println!("cargo::rustc-env={name}={}", value.as_deref().unwrap_or("unknown"));
    }
    // Of a released archive there is no .git, and then it is built once.
    let head = "../.git/HEAD";
    let watched = if std::path::Path::new(head).exists() { head } else { "build.rs" };
    println!("cargo::rerun-if-changed={watched}");
}
