"""What `scripts/prove mutants` does: changes, one at a time, as cargo-mutants lists them.

cargo-mutants builds and runs every test for every change. Here quick tests come first, and only what
they do not notice meets the slow ones; what is known is kept, so that a run that was stopped goes on.
"""
import collections
import hashlib
import json
import os
import signal
import subprocess

# What is changed, and the tests in their order: arguments of `cargo test`, and of the tests.
GROUPS = {
    "pinset": (["core/src/pinset/accept.rs", "core/src/pinset/dsse.rs", "core/src/pinset/enforcement.rs"],
               [(["--lib"], ["pinset::"]), (["--test", "pinset", "--test", "updates"], [])]),
    "update": (["core/src/update/*.rs", "core/src/verify/refused.rs"],
               [(["--lib"], ["update::", "verify::refused", "--skip", "update::fleet"]),
                (["--test", "channel", "--test", "validators", "--test", "mirrors"], []),
                (["--lib"], ["update::fleet"]),
                (["--test", "updates"], [])]),
    "net": (["core/src/clock.rs", "core/src/net/pool.rs"],
            [(["--lib"], ["net::", "clock::"]),
             (["--test", "connections", "--test", "generations", "--test", "updates"], [])]),
}
PATIENCE = 120  # seconds that tests may take before they count as those that hang


def listed(sources, files):
    command = ["cargo", "mutants", "-p", "pinfold-core", "--list", "--json", *(f"--file={file}" for file in files)]
    return json.loads(subprocess.run(command, cwd=sources, check=True, capture_output=True).stdout)


def changed(text, mutant):
    lines = text.splitlines(keepends=True)
    at = lambda place: sum(map(len, lines[:place["line"] - 1])) + place["column"] - 1
    start, end = (at(mutant["span"][name]) for name in ("start", "end"))
    return text[:start] + mutant["replacement"] + text[end:]


def passes(sources, environment, command):
    process = subprocess.Popen(command, cwd=sources, env=environment, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        return process.wait(PATIENCE) == 0
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return False


def judged(sources, environment, targets, names):
    test = ["cargo", "test", "--quiet", "--locked", "-p", "pinfold-core", *targets]
    built = subprocess.run([*test, "--no-run"], cwd=sources, env=environment, capture_output=True)
    if built.returncode != 0:
        return "does not compile"
    return "survives" if passes(sources, environment, [*test, "--", *names]) else "noticed"


def run(sources, work, wanted):
    """Prints each change that no test notices; answers how many there are."""
    kept = work / "known.jsonl"
    environment = {**os.environ, "CARGO_TARGET_DIR": str(work / "target"), "RUST_BACKTRACE": "0"}
    survivors, counts = [], collections.Counter()
    # What is known holds for these sources and tests: another test may notice what none did.
    texts = sorted(path for folder in ("core", "testkit") for path in (sources / folder).rglob("*") if path.is_file())
    state = hashlib.sha256(b"".join(path.read_bytes() for path in texts)).hexdigest()
    for group in wanted or GROUPS:
        files, tests = GROUPS[group]
        known = dict(map(json.loads, kept.read_text().splitlines())) if kept.exists() else {}
        left = listed(sources, files)
        for targets, names in tests:
            if judged(sources, environment, targets, names) != "survives":
                raise SystemExit(f"{group}: {targets} fail without any change")
            still = []
            for mutant in left:
                file, name = sources / mutant["file"], mutant["name"]
                text = file.read_text()
                key = f"{state} {targets}{names} {name}"
                if key not in known:
                    file.write_text(changed(text, mutant))
                    known[key] = judged(sources, environment, targets, names)
                    file.write_text(text)
                    with kept.open("a") as lines:
                        lines.write(json.dumps([key, known[key]]) + "\n")
                if known[key] == "survives":
                    still.append(mutant)
                else:
                    counts[known[key]] += 1
            left = still
        survivors += [mutant["name"] for mutant in left]
    print("\n".join(survivors))
    print(", ".join(f"{count} {word}" for word, count in sorted(counts.items())) + f", {len(survivors)} survive")
    return len(survivors)
