"""What `scripts/prove mutants` does: the changes that cargo-mutants lists, one at a time, and who notices.

cargo-mutants builds the crate for every change; here nearly all are in one build (`switches.py`), which
runs once for each. What a change did is kept, so that a run that was stopped goes on.
"""
import collections
import concurrent.futures
import hashlib
import json
import os
import signal
import subprocess

import switches

# What is changed, and the tests in their order: the program ("" has the library's own tests) and its arguments.
GROUPS = {
    "pinset": (["core/src/pinset/accept.rs", "core/src/pinset/dsse.rs", "core/src/pinset/enforcement.rs"],
               [("", ["pinset::"]), ("pinset", []), ("updates", [])]),
    "update": (["core/src/update/*.rs", "core/src/verify/refused.rs"],
               [("", ["update::", "verify::refused", "--skip", "update::fleet"]), ("channel", []),
                ("validators", []), ("mirrors", []), ("looks", []), ("inspection", []),
                ("", ["update::fleet"]), ("updates", ["--skip", "a_thousand"])]),
    "net": (["core/src/clock.rs", "core/src/net/pool.rs"],
            [("", ["net::", "clock::"]), ("connections", []), ("generations", []), ("updates", [])]),
}
PATIENCE = 120  # seconds that tests may take before they count as those that hang
AT_ONCE = 24  # most of the tests' time is waiting


def listed(sources, files):
    command = ["cargo", "mutants", "-p", "pinfold-core", "--list", "--json", *(f"--file={file}" for file in files)]
    return json.loads(subprocess.run(command, cwd=sources, check=True, capture_output=True).stdout)


def passes(sources, environment, program, names):
    """Whether its tests pass."""
    process = subprocess.Popen([program, "--quiet", *names], cwd=sources / "core", env=environment,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        return process.wait(PATIENCE) == 0
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return False


def changed(text, mutant):
    start, end = switches.offsets(text, mutant["span"])
    return text[:start] + mutant["replacement"].encode() + text[end:]


class Run:
    def __init__(self, sources, work, group):
        self.sources, self.kept = sources, work / "known.jsonl"
        files, self.tests = GROUPS[group]
        self.environment = {**os.environ, "CARGO_TARGET_DIR": str(work / "target"), "RUST_BACKTRACE": "0",
                            "RUSTFLAGS": "--cap-lints=warn -Awarnings", "CARGO_PROFILE_DEV_DEBUG": "0",
                            "CARGO_PROFILE_DEV_OPT_LEVEL": "1"}
        self.command = ["cargo", "test", "--quiet", "--locked", "-p", "pinfold-core", "--no-run", "--lib",
                        *(f"--test={name}" for name in dict(self.tests) if name)]
        # What is known holds for these sources and tests: another test may notice what none did.
        texts = sorted(path for folder in ("core", "testkit") for path in (sources / folder).rglob("*") if path.is_file())
        self.state = hashlib.sha256(b"".join(path.read_bytes() for path in texts)).hexdigest()
        self.known = dict(map(json.loads, self.kept.read_text().splitlines())) if self.kept.exists() else {}
        self.mutants = listed(sources, files)
        # What was built last may be a change that was stopped half-way.
        for name in {mutant["file"] for mutant in self.mutants}:
            (sources / name).touch()

    def keep(self, mutant, outcome):
        key = f"{self.state} {mutant['name']} {mutant['span']['start']}"
        self.known[key] = outcome
        with self.kept.open("a") as lines:
            lines.write(json.dumps([key, outcome]) + "\n")

    def outcome(self, mutant):
        return self.known.get(f"{self.state} {mutant['name']} {mutant['span']['start']}")

    def noticed(self, programs, environment):
        """The tests that fail first."""
        for name, arguments in self.tests:
            # Twice: a machine that is busy can fail a test as well.
            if not any(passes(self.sources, environment, programs[name], arguments) for _ in range(2)):
                return f"{name or 'lib'} {' '.join(arguments)}"
        return None

    def all_at_once(self):
        """Everything that can be behind a switch; answers what cannot."""
        programs, left_out = switches.build(self.sources, self.environment, self.mutants, self.command)
        if failed := self.noticed(programs, self.environment):
            raise SystemExit(f"{failed} fails without any change")

        def one(number):
            mutant = self.mutants[number]
            if number in left_out:
                if left_out[number]:
                    self.keep(mutant, "does not compile")
            elif not self.outcome(mutant):
                noticed = self.noticed(programs, {**self.environment, "SWITCH": str(number)})
                self.keep(mutant, "noticed" if noticed else "survives")

        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(one, range(len(self.mutants))))

    def by_itself(self, mutant, texts):
        file = self.sources / mutant["file"]
        file.write_bytes(changed(texts[mutant["file"]], mutant))
        code, _, programs, _ = switches.errors(self.sources, self.environment, self.command)
        outcome = "does not compile" if code else "noticed" if self.noticed(programs, self.environment) else "survives"
        file.write_bytes(texts[mutant["file"]])
        self.keep(mutant, outcome)

    def all(self):
        texts = {mutant["file"]: (self.sources / mutant["file"]).read_bytes() for mutant in self.mutants}
        if not all(map(self.outcome, self.mutants)):
            self.all_at_once()
        for file, text in texts.items():
            (self.sources / file).write_bytes(text)
        for mutant in self.mutants:
            if not self.outcome(mutant):
                self.by_itself(mutant, texts)
        return [(mutant["name"], self.outcome(mutant)) for mutant in self.mutants]


def run(sources, work, wanted):
    """Prints each change that no test notices; answers how many there are."""
    outcomes = [outcome for group in wanted or GROUPS for outcome in Run(sources, work, group).all()]
    print("\n".join(name for name, outcome in outcomes if outcome == "survives"))
    counts = collections.Counter(outcome for _, outcome in outcomes)
    print(", ".join(f"{count} {word}" for word, count in sorted(counts.items())))
    return counts["survives"]
