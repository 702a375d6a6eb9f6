"""What `scripts/prove mutants` does: changes, one at a time, as cargo-mutants lists them.

cargo-mutants builds and runs every test for every change. Here quick tests come first, and only what
they do not notice meets the slow ones; what is known is kept, so that a run that was stopped goes on.
"""
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
                (["--lib"], ["update::fleet"]),
                (["--test", "channel", "--test", "validators", "--test", "mirrors"], []),
                (["--test", "updates"], [])]),
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


def judged(sources, environment, tests):
    test = ["cargo", "test", "--quiet", "--locked", "-p", "pinfold-core"]
    for targets, names in tests:
        built = subprocess.run([*test, *targets, "--no-run"], cwd=sources, env=environment, capture_output=True)
        if built.returncode != 0:
            return "does not compile"
        if not passes(sources, environment, [*test, *targets, "--", *names]):
            return "noticed"
    return "survives"


def run(sources, work, wanted):
    """Prints each change that no test notices; answers how many there are."""
    kept = work / "known.jsonl"
    environment = {**os.environ, "CARGO_TARGET_DIR": str(work / "target"), "RUST_BACKTRACE": "0"}
    counts = {}
    for group in wanted or GROUPS:
        files, tests = GROUPS[group]
        if judged(sources, environment, tests) != "survives":
            raise SystemExit(f"{group}: the tests fail without any change")
        known = dict(map(json.loads, kept.read_text().splitlines())) if kept.exists() else {}
        for mutant in listed(sources, files):
            file, name = sources / mutant["file"], mutant["name"]
            text = file.read_text()
            key = hashlib.sha256(f"{name}\n{text}".encode()).hexdigest()
            if key not in known:
                file.write_text(changed(text, mutant))
                known[key] = judged(sources, environment, tests)
                file.write_text(text)
                with kept.open("a") as lines:
                    lines.write(json.dumps([key, known[key]]) + "\n")
            counts[known[key]] = counts.get(known[key], 0) + 1
            if known[key] == "survives":
                print(name, flush=True)
    print(", ".join(f"{count} {word}" for word, count in sorted(counts.items())))
    return counts.get("survives", 0)
