//! Runs a testkit for tests that are not written in Rust. See the documentation of the library.

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use clap::Parser;
use pinfold_testkit::{Control, Testkit};
use serde_json::json;

/// Runs the test servers until the standard input closes or `POST /quit`.
///
/// Prints one line of JSON: the URL of the control API and the port of each server.
#[derive(Parser)]
struct Options {
    /// Also write the certificates, chains and keys into this folder.
    #[arg(long, value_name = "DIR")]
    pki_dir: Option<PathBuf>,
}

fn main() -> io::Result<()> {
    let options = Options::parse();
    let testkit = Arc::new(Testkit::start()?);
    if let Some(dir) = options.pki_dir {
        testkit.pki().write_to(&dir)?;
    }
    let control = Control::start(testkit.clone())?;
    println!("{}", json!({ "control": control.url(), "servers": testkit.ports() }));

    let quitter = control.quitter();
    thread::spawn(move || {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        let _ = quitter.send(());
    });
    control.wait_for_quit();
    Ok(())
}
