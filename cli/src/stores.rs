//! Which authorities Mozilla, Android and Apple trust, and since or until when: a table that
//! `scripts/root-stores` makes from what is published of them.
//!
//! It knows what somebody has recorded, at the days that it names, and nothing between them.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use pinfold_core::parse_rfc3339_utc;
use pinfold_core::pin::{PinDigest, SpkiSha256};

/// Whose list it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Store {
    Mozilla,
    Android,
    Apple,
}

/// A list, at a time.
pub(crate) struct List {
    /// `YYYY-MM-DD`.
    pub(crate) day: &'static str,
    /// Such as `Android 14`.
    pub(crate) label: &'static str,
}

/// An authority that is, or was, in one of the lists.
pub(crate) struct Authority {
    pub(crate) name: &'static str,
    pub(crate) organisation: &'static str,
    /// The end of its certificate, in seconds since 1970.
    pub(crate) until: u64,
    /// From when on Mozilla takes nothing new of it, in seconds since 1970.
    pub(crate) distrusted: Option<u64>,
    /// The numbers of the lists that it is in.
    within: HashMap<Store, BTreeSet<usize>>,
}

/// The whole table.
pub(crate) struct Stores {
    /// The day that it was made.
    pub(crate) made: &'static str,
    lists: HashMap<Store, Vec<List>>,
    authorities: HashMap<SpkiSha256, Authority>,
}

static STORES: LazyLock<Stores> = LazyLock::new(|| {
    Stores::parse(include_str!("../data/root-stores.tsv")).expect("the tests read it")
});

/// The table that is compiled in.
pub(crate) fn stores() -> &'static Stores {
    &STORES
}

impl Store {
    pub(crate) const ALL: [Self; 3] = [Self::Mozilla, Self::Android, Self::Apple];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mozilla => "Mozilla",
            Self::Android => "Android",
            Self::Apple => "Apple",
        }
    }

    fn of(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|store| store.name().eq_ignore_ascii_case(text))
    }
}

impl List {
    /// The number in its label, such as 14 or 8.1, by which versions are older or newer.
    pub(crate) fn version(&self) -> Version {
        let number = self.label.rsplit_once(' ').map_or("", |(_, number)| number);
        version(number).unwrap_or_default()
    }
}

/// The parts of a version, such as `[8, 1]`.
pub(crate) type Version = Vec<u32>;

/// A version such as `8` or `16.5`.
pub(crate) fn version(text: &str) -> Option<Version> {
    text.split('.').map(|part| part.parse().ok()).collect()
}

impl Stores {
    fn parse(text: &'static str) -> Option<Self> {
        let mut stores = Self { made: "", lists: HashMap::new(), authorities: HashMap::new() };
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let fields: Vec<_> = line.split('\t').collect();
            match fields[..] {
                ["made", day] => stores.made = day,
                ["list", store, number, day, label] => {
                    let lists = stores.lists.entry(Store::of(store)?).or_default();
                    if number.parse() != Ok(lists.len()) {
                        return None;
                    }
                    lists.push(List { day, label });
                }
                ["seen", "mozilla", day, label] => {
                    // The newest package, though its list is that of the one before.
                    let last = stores.lists.get_mut(&Store::Mozilla)?.last_mut()?;
                    (last.day, last.label) = (last.day.max(day), label);
                }
                ["root", key, name, organisation, until, distrusted, within] => {
                    let within = within.split(' ').map(|part| stores.range(part));
                    let authority = Authority {
                        name,
                        organisation,
                        until: day(until)?,
                        distrusted: day(distrusted),
                        within: within.collect::<Option<_>>()?,
                    };
                    let PinDigest::Spki(key) = format!("sha256/{key}").parse().ok()? else {
                        return None;
                    };
                    stores.authorities.insert(key, authority);
                }
                _ => return None,
            }
        }
        Some(stores)
    }

    /// `mozilla:0-3,7-`; an open end is the newest list.
    fn range(&self, text: &str) -> Option<(Store, BTreeSet<usize>)> {
        let (store, ranges) = text.split_once(':')?;
        let store = Store::of(store)?;
        let last = self.lists.get(&store)?.len().checked_sub(1)?;
        let mut within = BTreeSet::new();
        for range in ranges.split(',') {
            let (from, to) = range.split_once('-')?;
            let to = if to.is_empty() { last } else { to.parse().ok().filter(|to| *to <= last)? };
            within.extend(from.parse::<usize>().ok()?..=to);
        }
        Some((store, within))
    }

    /// What is known of a key.
    pub(crate) fn authority(&self, key: &SpkiSha256) -> Option<&Authority> {
        self.authorities.get(key)
    }

    pub(crate) fn lists(&self, store: Store) -> &[List] {
        self.lists.get(&store).map_or(&[], Vec::as_slice)
    }
}

impl Authority {
    /// Whether a list has it.
    pub(crate) fn is_in(&self, store: Store, number: usize) -> bool {
        self.within.get(&store).is_some_and(|within| within.contains(&number))
    }

    /// The lists that had it at any time.
    pub(crate) fn stores(&self) -> Vec<&'static str> {
        Store::ALL.iter().filter(|s| self.within.contains_key(s)).map(|s| s.name()).collect()
    }

    /// Where it is missing, of the versions from `oldest` on: `in no iOS 15 to 26`, or when it came
    /// or went.
    pub(crate) fn missing(&self, store: Store, oldest: &[u32]) -> Option<String> {
        let lists = stores().lists(store);
        // What browsers trust today is one list; who has an old one is not known.
        if store == Store::Mozilla && self.is_in(store, lists.len().checked_sub(1)?) {
            return None;
        }
        let counts = |i: &usize| lists[*i].version().as_slice() >= oldest;
        // A phone of a version that nobody has recorded has what came before it.
        let begin = (0..lists.len()).find(counts)?;
        let exact = lists[begin].version().as_slice() == oldest;
        let begin = if exact { begin } else { begin.saturating_sub(1) };
        self.absence(store, begin)
    }

    fn absence(&self, store: Store, begin: usize) -> Option<String> {
        let lists = stores().lists(store);
        let last = lists.len().checked_sub(1)?;
        let has: Vec<_> = (begin..=last).map(|i| self.is_in(store, i)).collect();
        let named = |i: usize| format!("{} ({})", lists[begin + i].label, lists[begin + i].day);
        let first = has.iter().position(|has| *has);
        let Some(first) = first else {
            let (from, to) = (lists[begin].label, named(last - begin));
            return Some(if begin == last {
                format!("not in {to}")
            } else {
                format!("not in {from} to {to}")
            });
        };
        let mut parts = Vec::new();
        if first > 0 && store != Store::Mozilla {
            parts.push(format!("not before {}", named(first)));
        }
        if let Some(last) = has.iter().rposition(|has| *has).filter(|last| last + 1 < has.len()) {
            parts.push(format!("gone since {}", named(last + 1)));
        }
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

/// The last second of a day.
fn day(text: &str) -> Option<u64> {
    parse_rfc3339_utc(&format!("{text}T23:59:59Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority(pin: &str) -> &'static Authority {
        let Ok(PinDigest::Spki(key)) = pin.parse() else { panic!("{pin}") };
        stores().authority(&key).expect("in the table")
    }

    #[test]
    fn the_table_is_read_whole() {
        let text = include_str!("../data/root-stores.tsv");
        let roots = text.lines().filter(|line| line.starts_with("root\t")).count();
        assert_eq!(stores().authorities.len(), roots);
        assert!(roots > 300);
        for store in Store::ALL {
            let lists = stores().lists(store);
            assert!(lists.len() > 10 && lists.is_sorted_by_key(|list| list.day), "{store:?}");
        }
        assert!(Stores::parse("what\tever").is_none());
        assert!(Stores::parse("root\tAA==\tx\ty\t2027-01-01\t-\tmozilla:0-").is_none());
    }

    #[test]
    fn it_says_which_phone_misses_an_authority_and_since_when() {
        let old = authority("sha256/C5+lpZ7tcVwmwQIMcRtPbsQtWLABXhQzejna0wHFr8M=");
        assert_eq!(old.name, "ISRG Root X1");
        assert_eq!(old.missing(Store::Android, &[8]), None);
        let new = authority("sha256/diGVwiVYbubAI3RW4hB9xU8e/CH2GnkuvVFZE8zmgzI=");
        let missing = new.missing(Store::Android, &[9]).expect("it came later");
        assert_eq!(missing, "not before Android 14 (2023-10-08)");
        assert_eq!(new.missing(Store::Android, &[14]), None);
        // Nobody has recorded Android 10: it has what 9 had.
        assert!(new.missing(Store::Android, &[10]).is_some());
        let gone = authority("sha256/NtfHnz0Img/3mXLZCSPepcp2tMy698J1HLFS6UlPUtA=");
        let missing = gone.missing(Store::Android, &[14]).expect("it went");
        assert_eq!(missing, "gone since Android 16 (2025-07-27)");
        assert!(gone.missing(Store::Mozilla, &[]).expect("it went").contains("gone since certifi"));
        let entrust = authority("sha256/du6FkDdMcVQ3u8prumAo6t3i3G27uMP2EOhR8R0at/U=");
        assert_eq!(entrust.distrusted, day("2024-11-30"));
    }
}
