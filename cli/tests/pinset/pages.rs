//! The quickstart of whoever owns the pins, and the migrations, word for word.

use pinfold_testkit::Testkit;

use super::{Desk, words};

/// The blocks of a language, in their order.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let begin = format!("\n```{language}\n");
    let code = page.split(&begin).skip(1);
    code.map(|code| code.split("```\n").next().expect("its end").to_owned()).collect()
}

/// Runs a block as a shell does in which `pinfold` is on the path.
fn play(desk: &Desk, script: &str) -> String {
    let tool = std::path::Path::new(env!("CARGO_BIN_EXE_pinfold"));
    let path = std::env::var("PATH").expect("a path");
    let path = format!("{}:{path}", tool.parent().expect("a folder").display());
    let mut command = desk.command("bash", &["-euo", "pipefail", "-c", script]);
    let output = command.env("PATH", path).output().expect("bash");
    assert!(output.status.success(), "{script}: {}", words(&output));
    words(&output)
}

#[test]
fn the_quickstart_of_whoever_owns_the_pins() {
    let page = include_str!("../../../docs/quickstart.md");
    let desk = Desk::new("quickstart");
    let kit = Testkit::start().expect("loopback");
    // As scripts/practice writes them.
    std::fs::create_dir(desk.path("practice")).expect("a folder");
    desk.write("practice/authority.der", kit.pki().certificate("root"));
    desk.write("practice/api.txt", kit.server("backend").addr().to_string());
    let said: Vec<_> = blocks(page, "sh").iter().map(|script| play(&desk, script)).collect();
    let [_keys, pins, lint, publish, fetch, later] = &said[..] else { panic!("six blocks") };
    assert!(pins.contains("has an entry now: report_only, 2 pins"), "{pins}");
    let texts = blocks(page, "text");
    assert_eq!(*lint, texts[0]);
    assert!(publish.contains("published  public/bundle.json"), "{publish}");
    assert!(fetch.starts_with(texts[1].trim()), "{fetch}");
    assert!(fetch.contains("pinned: sha256/"), "{fetch}");
    assert!(
        later.contains("version 1 is 2") && later.contains("ok       api.example.test"),
        "{later}"
    );
}

/// Plays a page whose file has this name.
fn migrate(name: &str, page: &str, file: &str) -> Desk {
    let desk = Desk::new(name);
    desk.write(file, blocks(page, "xml").concat());
    follow(&desk, name, page);
    desk
}

/// Plays a page; before a block of words, the commands have said just that.
fn follow(desk: &Desk, name: &str, page: &str) {
    let mut said = String::new();
    let mut compared = 0;
    for part in page.split("\n```").skip(1) {
        if let Some(script) = part.strip_prefix("sh\n") {
            said = play(desk, script);
        } else if let Some(text) = part.strip_prefix("text\n") {
            let lines: Vec<_> = text.lines().collect();
            let found: Vec<_> = said.lines().collect();
            let end = &found[found.len().saturating_sub(lines.len())..];
            assert_eq!(end, lines, "{name}");
            compared += 1;
        }
    }
    assert!(compared >= 2, "{name}");
}

#[test]
fn rolling_out_and_back() {
    let desk = Desk::after_the_ceremony("rollout");
    // The version that was wrong.
    desk.pinset(3, 0, "pin", "root-1.json");
    std::fs::create_dir(desk.path("public")).expect("a folder");
    desk.bundle("public/bundle.json", &["root-1.json"], "pinset-0-3.dsse.json");
    follow(&desk, "rollout", include_str!("../../../docs/rollout.md"));
    let [wrong, good] = ["pins.json", "good.json"].map(|file| desk.json(file));
    assert_eq!((&wrong["hosts"], &good["version"]), (&serde_json::json!([]), &4.into()));
    assert_eq!(good["hosts"][0]["mode"], "report_only");
}

#[test]
fn an_app_that_comes_from_trustkit() {
    let page = include_str!("../../../docs/migrate-trustkit.md");
    let desk = migrate("migrate-trustkit", page, "Info.plist");
    let signed = desk.json("signed.json");
    assert_eq!(signed["hosts"][0]["mode"], "report_only");
    assert_eq!(signed["hosts"][1]["mode"], "off");
}

#[test]
fn an_app_that_comes_from_a_network_security_config() {
    let page = include_str!("../../../docs/migrate-nsc.md");
    let desk = migrate("migrate-nsc", page, "network_security_config.xml");
    let signed = desk.json("signed.json");
    assert_eq!(signed["hosts"][0]["host"], "example.com");
    assert_eq!(signed["hosts"][0]["pins"].as_array().map(Vec::len), Some(2));
}
