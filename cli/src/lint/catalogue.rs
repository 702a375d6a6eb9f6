//! Every rule in words: for the documentation, and for those who read findings elsewhere.

/// A rule.
pub(crate) struct Rule {
    pub(crate) id: &'static str,
    /// What holds where it is kept.
    pub(crate) holds: &'static str,
    /// By what it is found.
    pub(crate) found_by: &'static str,
}

const fn rule(id: &'static str, holds: &'static str, found_by: &'static str) -> Rule {
    Rule { id, holds, found_by }
}

const READING: &str = "reading: every command refuses it";
const ROOT: &str = "reading, where the root is known";
const LINT: &str = "`lint`, `publish`";
const PUBLISHED: &str = "`lint --against`, `publish`";
const LIVE: &str = "`lint --live`";
const SEEN: &str = "`lint --live --seen`";
const CONFIG: &str = "`lint --network-security-config`";

/// All of them, by their IDs.
pub(crate) const RULES: &[Rule] = &[
    rule("E01", "an entry that enforces has two distinct pins", READING),
    rule(
        "E02",
        "one of the pins, not `retiring`, is of nothing that the servers present or that their path leads over",
        LIVE,
    ),
    rule("E03", "clients would accept what the servers present", LIVE),
    rule(
        "E04",
        "no host of updates is covered by an entry that enforces",
        "`lint`, `publish`: by the document's URLs, and with `--embedded` by the apps'",
    ),
    rule("E05", "hosts in canonical form, no wildcard, no public suffix", READING),
    rule("E06", "hosts within the root's `constraints`", ROOT),
    rule(
        "E07",
        "versions, times and validity within the root's; versions and times not below the published ones', an epoch begun by a root alone, and not issued in the future by more than 5 minutes",
        "reading, where the root is known; `lint`, `publish`",
    ),
    rule(
        "E08",
        "the root does not end within 180 days",
        "`lint`; `publish` warns of it, because an emergency must not wait for a ceremony",
    ),
    rule(
        "E09",
        "no placeholder, no duplicate, no SHA-1 as a pin",
        "reading; the digest of a certificate in place of a key's cannot be told from the file, but `--live` finds that nothing matches",
    ),
    rule(
        "E10",
        "no weak key or signature in a certificate that the document carries (`cert`, `anchors`); the signature by which a root vouches for itself does not count",
        LINT,
    ),
    rule(
        "E11",
        "an inspection authority has hosts, is not in any list of Mozilla, Android or Apple at any time, and is named for 398 days at most",
        "reading, `lint`, `publish`; by the table of [root stores](#which-phones-know-an-authority)",
    ),
    rule(
        "E12",
        "a root is signed by the thresholds of both, names no key twice, and can be satisfied",
        "`bundle`; fewer keys than a lost one needs, and a threshold of one, are warned of by `root`",
    ),
    rule(
        "E13",
        "neither the document nor an entry has ended, as expired or as lapsed",
        "`lint`; `publish`, unless it is told `--even-lapsed`",
    ),
    rule(
        "E14",
        "Android can read the Network Security Config: for a child of `<domain>`, a `<domain-config>` without a `<domain>`, a doubled name and the like it throws",
        CONFIG,
    ),
    rule(
        "E15",
        "no server has the key of its own issuer, as behind a proxy that inspects the connection of whoever asks",
        LIVE,
    ),
    rule("W08", "the root does not end within 365 days", LINT),
    rule(
        "W20",
        "not only end-entities are pinned where that of the server is valid for less than 100 days",
        LIVE,
    ),
    rule("W21", "not only authorities of one organisation are pinned", LINT),
    rule(
        "W22",
        "a pinned authority is a root, and no intermediate",
        "`lint`, `publish`: where its certificate is carried; `lint --live`: where a server presents it",
    ),
    rule(
        "W23",
        "every phone that the app runs on knows a pinned root; Mozilla has not taken it from its list, nor said when it will; it does not end within two years",
        "`lint --android VERSION --ios VERSION`, `publish`",
    ),
    rule("W24", "nothing is weaker than published, as `diff` says it", PUBLISHED),
    rule(
        "W25",
        "no pin goes that was `active`, or `retiring` for less than 14 days; blocked keys may",
        "`lint --against`, `publish`: since the published document's issue, which is what can be known",
    ),
    rule("W26", "no new host goes straight to `enforce` for all devices", PUBLISHED),
    rule(
        "W27",
        "names below an entry with `include_subdomains` have certificates of the same organisations as its host",
        "`lint --certificate-log`",
    ),
    rule("W28", "the document and its entries do not end within 14 days", LINT),
    rule("W29", "the bundle has 64 KiB at most", LINT),
    rule("W30", "updates come from more than one registrable domain", LINT),
    rule(
        "W31",
        "a Network Security Config that has pins has them for the same names, and the same ones",
        CONFIG,
    ),
    rule("W32", "its pins, which no update reaches, have an expiration that is not over", CONFIG),
    rule(
        "W33",
        "it permits no plain HTTP to pinned names",
        "the same, as far as the config says it: where it is silent, the app's target SDK decides",
    ),
    rule(
        "W34",
        "it trusts no authority that users add for them, and none without regard to its pins",
        "the same; not for hosts that an inspection authority is named for, and not for `debug-overrides`",
    ),
    rule(
        "W35",
        "it trusts them for a host that an inspection authority is named for: those of the device's management are among them",
        CONFIG,
    ),
    rule(
        "W36",
        "every `<domain>` of it is a host's name: a wildcard, a URL or a port never matches",
        CONFIG,
    ),
    rule("W37", "an entry that enforces has two pins left beside those that are blocked", LINT),
    rule(
        "W38",
        "hosts of different domains do not share a key in different certificates, as behind a proxy that inspects",
        LIVE,
    ),
    rule("W39", "a server whose key is pinned has the key of the last time", SEEN),
    rule("W40", "a server is issued by way of the same intermediates as the last time", SEEN),
    rule(
        "W41",
        "what servers present has keys and signatures that clients verify: no ecdsa-with-SHA512, no P-521 and the like",
        LIVE,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docs;

    #[test]
    fn the_documentation_has_every_rule() {
        assert!(RULES.is_sorted_by_key(|rule| rule.id));
        let rows = RULES.iter().map(|rule| [rule.id, rule.holds, rule.found_by]);
        let rows = rows.map(|row| row.map(str::to_owned).to_vec()).collect();
        docs::expect_table("lint", &["rule", "what holds", "found by"], rows);
    }
}
