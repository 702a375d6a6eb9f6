#!/usr/bin/env python3
"""Lets the clients of scripts/bench take turns under load, and writes what they needed as a table.

usage: scripts/load.py ROUNDS RAW PROCESS=COMMAND…

The processes, named `Rust`, `Kotlin` and, for another build of each, `Rust COMMIT` and `Kotlin COMMIT`,
take orders as benches/src/load.rs says. In each round every client sends the same requests, one client
after the other, and nobody is always the one that comes after somebody. A ratio is that of one round; the
table has the median of the rounds with the quartiles, and goes to standard output. RAW gets every
measurement, one a line: round, process, client, case, in flight, requests, wall and CPU in microseconds.
"""
import collections
import shlex
import statistics
import subprocess
import sys

# What each group asks for: case, in flight, requests a round, and its title.
GROUPS = [
    ("small", 1, 1_500, "1 KB, 1 in flight"),
    ("small", 8, 4_000, "1 KB, 8 in flight"),
    ("small", 64, 4_000, "1 KB, 64 in flight"),
    ("large", 4, 12, "10 MB, 4 in flight"),
    ("full", 1, 40, "new client, full handshake"),
    ("resumed", 1, 60, "new connection, resumed"),
]
# Process and client, and with whom of the same process it is compared.
CLIENTS = [
    ("Rust", "raw", "raw"),
    ("Rust", "pinfold", "raw"),
    ("Rust", "reqwest", "raw"),
    ("Rust", "libcurl", "raw"),
    ("Kotlin", "pinfold suspend", "okhttp suspend"),
    ("Kotlin", "okhttp suspend", "okhttp suspend"),
    ("Kotlin", "pinfold blocking", "okhttp blocking"),
    ("Kotlin", "okhttp blocking", "okhttp blocking"),
]
NAMES = {"raw": "raw rustls", "pinfold": "Pinfold", "pinfold suspend": "Pinfold, suspend",
         "pinfold blocking": "Pinfold, blocking", "okhttp suspend": "OkHttp, suspend",
         "okhttp blocking": "OkHttp, blocking"}
# With a runtime or a handle for each caller they show nothing that one caller does not.
ALONE = ("reqwest", "libcurl")

Figures = collections.namedtuple("Figures", "wall cpu")


class Process:
    """One that takes orders."""

    def __init__(self, name, command):
        self.name = name
        self.running = subprocess.Popen(shlex.split(command), text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def run(self, client, case, in_flight, count):
        self.running.stdin.write(f"{client}\t{case}\t{in_flight}\t{count}\n")
        self.running.stdin.flush()
        answer = self.running.stdout.readline()
        if not answer:
            sys.exit(f"load.py: {self.name} has ended")
        return Figures(*map(float, answer.split("\t")))

    def end(self):
        self.running.stdin.close()
        self.running.wait()


def contenders(processes, case, in_flight):
    """Process, client and peer of everybody who takes part in a group."""
    for name in processes:
        language, _, commit = name.partition(" ")
        for process, client, peer in CLIENTS:
            if process != language or (commit and not client.startswith("pinfold")):
                continue
            if client in ALONE and in_flight > 1:
                continue
            if client.endswith("blocking") and case in ("full", "resumed"):
                continue
            yield name, client, peer


def measure(processes, group, rounds, raw):
    """The figures of each contender, round by round."""
    case, in_flight, count, _ = group
    taking_part = [(name, client) for name, client, _ in contenders(processes, case, in_flight)]
    # In turns as well, so that a JVM compiles each as it will run.
    for _ in range(4):
        for name, client in taking_part:
            processes[name].run(client, case, in_flight, count)
    figures = {contender: [] for contender in taking_part}
    for turn in range(rounds):
        for i in range(len(taking_part)):
            name, client = taking_part[(i + turn) % len(taking_part)]
            got = processes[name].run(client, case, in_flight, count)
            figures[name, client].append(got)
            print(turn, name, client, case, in_flight, count, *got, sep="\t", file=raw, flush=True)
    return figures


def ratio(ours, theirs):
    """The median of the rounds' ratios, and between which the middle half of them lies."""
    ratios = [a / b for a, b in zip(ours, theirs)]
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return f"{middle:.2f} ({low:.2f}–{high:.2f})"


def rows(figures, group, processes, commit):
    """A group's lines of the table."""
    case, in_flight, count, title = group
    for name, client, peer in contenders(processes, case, in_flight):
        language, _, is_old = name.partition(" ")
        if is_old:
            continue
        own, peers = figures[name, client], figures[name, peer]
        speed = lambda all: [1 / each.wall for each in all]
        cpu = lambda all: [each.cpu for each in all]
        cells = [title, language, NAMES.get(client, client),
                 f"{statistics.median(1e6 * count / each.wall for each in own):,.0f}",
                 "1" if client == peer else ratio(speed(own), speed(peers)),
                 f"{statistics.median(each.cpu / count for each in own):,.0f}",
                 "1" if client == peer else ratio(cpu(own), cpu(peers))]
        if commit:
            old = figures.get((f"{language} {commit}", client))
            cells += [ratio(speed(own), speed(old)), ratio(cpu(own), cpu(old))] if old else ["", ""]
        yield cells


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    rounds, raw = int(sys.argv[1]), open(sys.argv[2], "w")
    processes = {name: Process(name, command)
                 for name, _, command in (argument.partition("=") for argument in sys.argv[3:])}
    commit = next((name.partition(" ")[2] for name in processes if " " in name), None)
    header = ["what", "process", "client", "requests/s", "× peer", "CPU µs", "× peer's"]
    header += [f"× {commit}", f"CPU × {commit}"] if commit else []
    print("|", " | ".join(header), "|")
    print("|", " | ".join(["---"] * 3 + ["---:"] * (len(header) - 3)), "|", flush=True)
    for group in GROUPS:
        figures = measure(processes, group, rounds, raw)
        for cells in rows(figures, group, processes, commit):
            print("|", " | ".join(cells), "|", flush=True)
    for process in processes.values():
        process.end()


main()
