//! What the owner does on a bad day, as scripts, with every expected result.

use super::{Desk, words};

fn play(name: &str) {
    let desk = Desk::new(&format!("playbook-{name}"));
    let script = format!("{}/../scripts/playbooks/{name}", env!("CARGO_MANIFEST_DIR"));
    let work = desk.path("work");
    let output = desk
        .command("bash", &[&script, work.to_str().expect("UTF-8")])
        .env("PINFOLD", env!("CARGO_BIN_EXE_pinfold"))
        .output()
        .expect("bash");
    assert!(output.status.success(), "{}", words(&output));
    assert!(words(&output).contains("done"), "{}", words(&output));
    // A result that differs stops the script: without the tool's help nothing is as expected.
    let broken = desk.path("broken");
    let output = desk
        .command("bash", &[&script, broken.to_str().expect("UTF-8")])
        .env("PINFOLD", "/bin/true")
        .output()
        .expect("bash");
    assert!(!output.status.success(), "{}", words(&output));
}

#[test]
fn a_planned_change_of_the_servers_key() {
    play("planned-change");
}

#[test]
fn a_lost_key() {
    play("lost-key");
}

#[test]
fn a_stolen_key() {
    play("stolen-key");
}

#[test]
fn a_dead_ca() {
    play("dead-ca");
}
