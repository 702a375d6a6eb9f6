#!/usr/bin/env bash
# quick-junit 0.6.1 reads `&apos;` in a report, and refuses `&#39;`, which says the same: references by
# number are XML (1.0, §4.1) as those by name are, and writers of reports use both. Whoever writes reports
# for readers built on it writes names.
#
# Needs cargo; everything else goes into a folder that is removed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
quick-junit = "=0.6.1"
[workspace]
TOML
cat >"$work/src/main.rs" <<'RUST'
fn main() {
    for reference in ["&apos;", "&#39;", "&#x27;"] {
        let xml = format!(
            "<testsuites name=\"a\" tests=\"1\" failures=\"1\" errors=\"0\"><testsuite name=\"a\" tests=\"1\" \
             failures=\"1\" errors=\"0\"><testcase name=\"a\"><failure message=\"m\">it{reference}s</failure>\
             </testcase></testsuite></testsuites>"
        );
        match quick_junit::Report::deserialize_from_str(&xml) {
            Ok(_) => println!("{reference} is read"),
            Err(e) => println!("{reference} is refused: {e}"),
        }
    }
}
RUST
cd "$work"
said=$(CARGO_TARGET_DIR=$work/target cargo run --quiet)
echo "quick-junit 0.6.1:"
echo "$said"
grep -q '^&apos; is read$' <<<"$said" || { echo "changed: a named reference is refused"; exit 1; }
grep -q '^&#39; is refused: .*unrecognized entity' <<<"$said" || { echo "changed: a decimal reference is read"; exit 1; }
