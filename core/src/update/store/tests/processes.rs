//! What processes do to each other, with real ones: this test binary again, playing a part.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

use super::*;

/// Before what a process reports, to tell it from what the test harness prints.
pub(super) const REPORT: &str = ">> ";

#[test]
#[ignore = "a part, played by the processes that the other tests start"]
fn part() {
    let Ok(part) = env::var("STORE_PART") else { return };
    let dir = PathBuf::from(env::var_os("STORE_DIR").unwrap());
    let store = Store::new(dir.clone(), "pins");
    let argument = env::var("STORE_ARGUMENT").unwrap();
    match part.as_str() {
        "write" => done(&store, argument.as_bytes()),
        "stop at" => {
            let stop = |step| {
                if format!("{step:?}") == argument {
                    report("here");
                    wait();
                }
            };
            store.write_by_steps(b"v3", |on_disk| b"v3"[..].cmp(on_disk), stop).unwrap();
        }
        "hold the lock" => {
            let _lock = Lock::acquire(&store).unwrap().unwrap();
            report("held");
            wait();
        }
        "write without end" => {
            for key in 0..u64::MAX {
                assert!(matches!(write(&store, &valid(key)), Ok(Written::Done(_))));
                report(&key.to_string());
            }
        }
        "race" => race(&store, argument.parse().unwrap()),
        "unreadable" => refusals::unreadable(),
        "read-only" => refusals::read_only(),
        "full" => refusals::full(&store, &dir),
        other => panic!("no part {other}"),
    }
}

pub(super) fn report(what: &str) {
    println!("\n{REPORT}{what}");
}

/// Until the other side says so, or is gone.
fn wait() {
    io::stdin().read_line(&mut String::new()).unwrap();
}

pub(super) fn arguments() -> [String; 5] {
    let (_crate, path) = module_path!().split_once("::").unwrap();
    ["--exact", &format!("{path}::part"), "--ignored", "--nocapture", "--test-threads=1"]
        .map(str::to_owned)
}

pub(super) fn play(mut command: Command, part: &str, dir: &Path, argument: &str) -> Command {
    command.env("STORE_PART", part).env("STORE_DIR", dir).env("STORE_ARGUMENT", argument);
    command
}

pub(super) fn this_binary() -> Command {
    // By this name it can be started by a user too who may not enter the directory that it is in.
    let path = if cfg!(target_os = "linux") {
        PathBuf::from("/proc/self/exe")
    } else {
        env::current_exe().unwrap()
    };
    let mut command = Command::new(path);
    command.args(arguments());
    command
}

struct Other {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Other {
    fn start(part: &str, dir: &Path, argument: &str) -> Self {
        let mut process = play(this_binary(), part, dir, argument)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    fn report(&mut self) -> String {
        let mut others = String::new();
        for line in &mut self.lines {
            match line.unwrap().strip_prefix(REPORT) {
                Some(report) => return report.to_owned(),
                None => others.push('\n'),
            }
        }
        panic!("no report:{others}")
    }

    fn go(&mut self) {
        self.process.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    }

    /// SIGKILL; what it had reported until then.
    fn kill(mut self) -> Vec<String> {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        let lines = (&mut self.lines).map_while(Result::ok);
        lines.filter_map(|line| line.strip_prefix(REPORT).map(str::to_owned)).collect()
    }

    fn end(mut self) {
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // Where a test fails it may still run.
        let _killed = self.process.kill();
        let _ended = self.process.wait();
    }
}

/// Apple's drives really flush each write, which takes its time.
const WRITES: u64 = if cfg!(target_vendor = "apple") { 100 } else { 1_000 };

/// A content whose every byte follows from its key.
fn valid(key: u64) -> Vec<u8> {
    let fill = (0..key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 52).map(|i| (i ^ key) as u8);
    key.to_be_bytes().into_iter().chain(fill).collect()
}

fn key(content: &[u8]) -> u64 {
    let (bytes, _) = content.split_first_chunk::<8>().unwrap();
    let key = u64::from_be_bytes(*bytes);
    assert!(valid(key) == content, "a content that nobody wrote");
    key
}

fn race(store: &Store, seed: u64) {
    report("ready");
    wait();
    let (mut random, mut new, mut seen) = (seed, 0, 0);
    let (mut mine, mut kept, mut skipped) = (0, 0, 0);
    for i in 1..=WRITES {
        // xorshift64
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        new += 1 + random % 100;
        let content = valid(new);
        loop {
            let written = store.write(&content, |on_disk| new.cmp(&key(on_disk))).unwrap();
            let now = key(&store.read().unwrap().content.unwrap_or_else(|| valid(0)));
            assert!(now >= seen, "{now} after {seen}");
            seen = now;
            match written {
                Written::Skipped => {
                    skipped += 1;
                    // The last must come to rest, or the end would not be the greatest of all.
                    if i == WRITES {
                        continue;
                    }
                }
                Written::Kept(stored) => {
                    kept += 1;
                    assert!(key(&stored.content.unwrap()) > new);
                }
                Written::Done(_) => mine += 1,
            }
            assert!(now >= new || i < WRITES);
            break;
        }
    }
    report(&format!("{new} {mine} {kept} {skipped}"));
}

#[test]
fn of_two_processes_writes_the_greatest_stays_and_no_read_is_invalid_or_goes_back() {
    let dir = fast_dir();
    let store = dir.store();
    let mut others =
        [0x1234_5678_9abc_def1_u64, 7].map(|seed| Other::start("race", &dir.0, &seed.to_string()));
    for other in &mut others {
        assert_eq!(other.report(), "ready");
    }
    others.iter_mut().for_each(Other::go);
    let (mut last, mut stamp, mut reads) = (0, Stamp::default(), 0_u32);
    while others.iter_mut().any(|other| other.process.try_wait().unwrap().is_none()) {
        let changed = store.changed(stamp);
        let stored = store.read().unwrap();
        assert!(!stored.damaged);
        let now = stored.content.as_deref().map_or(0, key);
        assert!(now >= last, "{now} after {last}");
        // What is written between the two is noticed the next time.
        assert!(changed || stored.stamp != stamp || now == last, "{now} was not noticed");
        (last, stamp) = (now, stored.stamp);
        reads += 1;
    }
    let (mut greatest, mut contended) = (0, 0);
    for mut other in others {
        let counts = other.report();
        println!("greatest, written, kept, skipped: {counts}; meanwhile {reads} reads");
        let counts: Vec<u64> = counts.split(' ').map(|n| n.parse().unwrap()).collect();
        greatest = greatest.max(counts[0]);
        contended += counts[2] + counts[3];
        other.end();
    }
    assert!(contended > 0, "there was no race");
    assert_eq!(key(&content(&store).unwrap()), greatest);
    assert_eq!(dir.names(), ["pins", "pins.lock", "pins.previous"]);
}

/// What a write may find: how to make it, and the content that is there.
type Start = (&'static str, fn(&Dir), Option<&'static [u8]>);

const STARTS: [Start; 6] = [
    ("nothing", |_| {}, None),
    ("one", |dir| done(&dir.store(), b"v1"), Some(b"v1")),
    ("two", two, Some(b"v2")),
    (
        "the last rotted",
        |dir| {
            two(dir);
            rot(&dir.file());
        },
        Some(b"v1"),
    ),
    (
        "only the one before",
        |dir| {
            two(dir);
            fs::remove_file(dir.file()).unwrap();
        },
        Some(b"v1"),
    ),
    (
        "both rotted",
        |dir| {
            two(dir);
            rot(&dir.file());
            rot(&dir.previous());
        },
        None,
    ),
];

#[test]
fn killed_at_any_step_a_write_leaves_the_old_content_or_the_new() {
    for (start, make, old) in STARTS {
        let dir = fast_dir();
        make(&dir);
        let steps = RefCell::new(Vec::new());
        let note = |step| steps.borrow_mut().push(step);
        dir.store().write_by_steps(b"v3", |_| Ordering::Greater, note).unwrap();
        let steps = steps.into_inner();
        assert!(steps.len() >= 9, "{steps:?}");
        let renamed = steps.iter().position(|step| *step == Step::Renamed).unwrap();
        for (i, step) in steps.into_iter().enumerate() {
            let dir = fast_dir();
            let store = dir.store();
            make(&dir);
            let mut other = Other::start("stop at", &dir.0, &format!("{step:?}"));
            assert_eq!(other.report(), "here", "{start}, {step:?}");
            other.kill();
            let expected = if i < renamed { old } else { Some(&b"v3"[..]) };
            assert_eq!(content(&store).as_deref(), expected, "{start}, {step:?}");
            done(&store, b"v4");
            // Even the first write thereafter leaves something to fall back to.
            rot(&dir.file());
            let fallback = expected.or(old);
            assert_eq!(content(&store).as_deref(), fallback, "{start}, {step:?}");
        }
    }
}

#[test]
fn killed_at_any_moment_a_writer_leaves_a_content_that_is_not_older_than_it_said() {
    let dir = fast_dir();
    let store = dir.store();
    for round in 0..60 {
        fs::remove_dir_all(&dir.0).unwrap();
        let mut other = Other::start("write without end", &dir.0, "");
        let mut said = 0;
        for _ in 0..=round % 20 {
            said = other.report().parse().unwrap();
        }
        for report in other.kill() {
            // The last line may be cut.
            said = said.max(report.parse().unwrap_or(0));
        }
        let stored = store.read().unwrap();
        assert!(!stored.damaged);
        let left = key(&stored.content.unwrap());
        assert!(left == said || left == said + 1, "{left} after {said}");
        done(&store, &valid(left + 1));
    }
}

#[test]
fn a_lock_that_another_process_holds_is_not_waited_for() {
    let dir = Dir::new();
    let store = dir.store();
    done(&store, b"v1");
    let mut other = Other::start("hold the lock", &dir.0, "");
    assert_eq!(other.report(), "held");
    // It holds the lock until it is killed, so a write that waited would not come back.
    assert_eq!(write(&store, b"v2"), Ok(Written::Skipped));
    assert_eq!(content(&store).as_deref(), Some(&b"v1"[..]));
    assert_eq!(dir.names(), ["pins", "pins.lock"]);
    other.kill();
    done(&store, b"v2");
}

#[test]
fn another_processes_write_is_noticed_and_ones_own_is_not() {
    let dir = Dir::new();
    let store = dir.store();
    let Ok(Written::Done(mine)) = write(&store, b"v1") else { panic!("not written") };
    assert!(!store.changed(mine));
    Other::start("write", &dir.0, "v2").end();
    assert!(store.changed(mine));
    let stored = store.read().unwrap();
    assert_eq!(stored.content.as_deref(), Some(&b"v2"[..]));
    assert!(!store.changed(stored.stamp));
    fs::remove_file(dir.file()).unwrap();
    assert!(store.changed(stored.stamp));
}
