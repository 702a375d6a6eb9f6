//! Names under which anybody can register: pins for a whole such suffix would cover strangers.
//!
//! The table is made by `scripts/public-suffixes` from the ICANN section of Mozilla's Public Suffix
//! List (<https://publicsuffix.org>, MPL-2.0). A full matcher costs 700 KB of code; sorted digests
//! of the rules cost 35 KB and one binary search.

use sha2::{Digest, Sha256};

const WIDTH: usize = 5;
static TABLE: &[u8] = include_bytes!("suffix.bin");

/// Whether the canonical `name` is itself a public suffix, by the list's rules: `co.uk` (named),
/// anything directly under `*.ck` (wildcard), but not `www.ck` (exception).
///
/// A single label that the list does not know is not one: `localhost`, `intranet`.
pub(super) fn is_public_suffix(name: &str) -> bool {
    if listed(&format!("!{name}")) {
        return false;
    }
    listed(name) || name.split_once('.').is_some_and(|(_, parent)| listed(&format!("*.{parent}")))
}

fn listed(rule: &str) -> bool {
    let digest = Sha256::digest(rule);
    let (rules, _) = TABLE.as_chunks::<WIDTH>();
    rules.binary_search_by(|r| r.as_slice().cmp(&digest[..WIDTH])).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_kinds_of_rules() {
        for name in ["com", "uk", "ck", "co.uk", "anything.ck", "xn--p1ai", "xn--55qx5d.cn"] {
            assert!(is_public_suffix(name), "{name}");
        }
        for name in ["example.com", "bbc.co.uk", "www.ck", "localhost", "intranet", "github.io"] {
            assert!(!is_public_suffix(name), "{name}");
        }
    }

    #[test]
    fn the_table_is_whole_and_sorted() {
        let (rules, rest) = TABLE.as_chunks::<WIDTH>();
        assert!(rest.is_empty());
        assert!(rules.len() > 6_000);
        assert!(rules.is_sorted_by(|a, b| a < b));
    }
}
