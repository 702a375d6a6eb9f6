//! Names under which anybody can register: pins for a whole such suffix would cover strangers.
//!
//! The table is made by `scripts/public-suffixes` from the ICANN section of Mozilla's Public Suffix
//! List (<https://publicsuffix.org>, MPL-2.0). A full matcher costs 700 KB of code; sorted digests
//! of the rules cost 25 KB, and one name in three millions counts as a suffix without being one.

use sha2::{Digest, Sha256};

/// For each value of a digest's first 12 bits the number of digests that begin with it, and then
/// the next 24 bits of each.
static TABLE: &[u8] = include_bytes!("suffix.bin");
const BUCKETS: usize = 1 << 12;

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
    let bucket = usize::from(digest[0]) << 4 | usize::from(digest[1]) >> 4;
    let low = [digest[1] << 4 | digest[2] >> 4, digest[2] << 4 | digest[3] >> 4];
    let low = [low[0], low[1], digest[3] << 4 | digest[4] >> 4];
    let (counts, lows) = TABLE.split_at(BUCKETS);
    let (lows, _) = lows.as_chunks::<3>();
    let before: usize = counts.iter().take(bucket).map(|n| usize::from(*n)).sum();
    let in_bucket = counts.get(bucket).map_or(0, |n| usize::from(*n));
    lows.iter().skip(before).take(in_bucket).any(|one| *one == low)
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
        let (counts, lows) = TABLE.split_at(BUCKETS);
        let (mut lows, rest) = lows.as_chunks::<3>();
        assert!(rest.is_empty());
        assert!(lows.len() > 6_000);
        for count in counts {
            let (bucket, others) = lows.split_at(usize::from(*count));
            assert!(bucket.is_sorted_by(|a, b| a < b));
            lows = others;
        }
        assert!(lows.is_empty());
    }
}
