"""Puts many changes into one build: each behind a switch that an environment variable turns on.

A change that is compiled by itself costs seconds, and there are hundreds. So `x < y` becomes
`(if crate::switch::on(7) { x > y } else { x < y })`, and a function whose body would be replaced returns the
replacement when its number is on. What cannot be written like this, or does not compile, is left to the caller.
"""
import collections
import json
import subprocess

import tree_sitter
import tree_sitter_rust

SWITCH = '''//! Which change is on.
use std::sync::OnceLock;
pub(crate) fn on(number: u32) -> bool {
    static WHICH: OnceLock<Option<u32>> = OnceLock::new();
    *WHICH.get_or_init(|| std::env::var("SWITCH").ok()?.parse().ok()) == Some(number)
}
'''
# These come of how a change is written here, or of where it stands, and not of the change itself.
OURS = {"E0015", "E0373", "E0381", "E0382", "E0384", "E0499", "E0502", "E0503", "E0505", "E0506", "E0507", "E0515",
        "E0594", "E0596", "E0597", "E0716"}


class Place:
    """What is changed, from `start` to `end` (bytes), by which changes."""
    def __init__(self, start, end, kind):
        self.start, self.end, self.kind, self.changes = start, end, kind, []


def offsets(text, span):
    lines = text.split(b"\n")
    at = lambda place: (sum(len(line) + 1 for line in lines[:place["line"] - 1])
                        + len(lines[place["line"] - 1].decode()[:place["column"] - 1].encode()))
    return at(span["start"]), at(span["end"])


def above(node, *kinds):
    while node is not None and node.type not in kinds:
        node = node.parent
    return node


def place_of(tree, text, mutant):
    """Where the switch goes, and the text that it chooses; nothing where there is no place for one."""
    start, end = offsets(text, mutant["span"])
    replacement, genre = mutant["replacement"].encode(), mutant["genre"]
    node = tree.root_node.descendant_for_byte_range(start, max(start, end - 1))
    if genre == "FnValue":
        return (start, start, "body"), replacement
    if genre in ("BinaryOperator", "UnaryOperator"):
        kinds = ("binary_expression", "compound_assignment_expr") if genre == "BinaryOperator" else ("unary_expression",)
        whole = node.parent
        if whole is None or whole.type not in kinds or text[start:end] != text[node.start_byte:node.end_byte]:
            return None
        if above(whole, "let_chain", "const_item", "static_item", "let_condition", "macro_invocation"):
            return None
        changed = text[whole.start_byte:start] + replacement + text[end:whole.end_byte]
        return (whole.start_byte, whole.end_byte, "expression"), changed
    if genre == "MatchArmGuard":
        return (start, end, "expression"), replacement
    if genre == "MatchArm":
        arm = above(node, "match_arm")
        pattern = arm and arm.child_by_field_name("pattern")
        if pattern is None or pattern.child_by_field_name("condition"):
            return None
        return (pattern.end_byte, pattern.end_byte, "arm"), b""
    return None


def rendered(text, start, end, places, marks, base):
    """The text from `start` to `end` with its switches; notes in `marks` where each stands in the new file."""
    out, at = bytearray(), start
    inner = [place for place in places if start <= place.start and place.end <= end]
    while inner:
        place = inner.pop(0)
        out += text[at:place.start]
        within = [other for other in inner if other.start < place.end]
        inner = [other for other in inner if other.start >= place.end]
        begin = base + len(out)
        if place.kind == "arm":
            for number, _ in place.changes:
                out += b" if !crate::switch::on(%d)" % number
        elif place.kind == "body":
            for number, changed in place.changes:
                mark = base + len(out)
                out += b"if crate::switch::on(%d) { return %s; } " % (number, changed)
                marks.append((mark, base + len(out), number))
        else:
            out += b"("
            for number, changed in place.changes:
                mark = base + len(out)
                out += b"if crate::switch::on(%d) { (%s) } else " % (number, changed)
                marks.append((mark, base + len(out), number))
            out += b"{ "
            out += rendered(text, place.start, place.end, within, marks, base + len(out))
            out += b" })"
        for number, _ in place.changes:
            marks.append((begin, base + len(out), number))
        at = place.end
    return bytes(out + text[at:end])


def written(sources, texts, mutants, left_out):
    """Writes the files with their switches; answers, for each file, where which switch stands."""
    switches = {}
    for file, text in texts.items():
        tree = tree_sitter.Parser(tree_sitter.Language(tree_sitter_rust.language())).parse(text)
        places = {}
        for number, mutant in enumerate(mutants):
            if mutant["file"] != file or number in left_out:
                continue
            found = place_of(tree, text, mutant)
            if found is None:
                left_out[number] = None
                continue
            places.setdefault(found[0], Place(*found[0])).changes.append((number, found[1]))
        ordered = sorted(places.values(), key=lambda place: (place.start, -place.end, place.kind != "body"))
        marks = switches[file] = []
        (sources / file).write_bytes(rendered(text, 0, len(text), ordered, marks, 0))
    return switches


def errors(sources, environment, command):
    built = subprocess.run([*command, "--message-format=json"], cwd=sources, env=environment, capture_output=True)
    messages = [json.loads(line) for line in built.stdout.splitlines() if line.startswith(b"{")]
    found = [message["message"] for message in messages
             if message["reason"] == "compiler-message" and message["message"]["level"] == "error"]
    programs = {message["target"]["name"] if message["target"]["kind"] == ["test"] else "": message["executable"]
                for message in messages if message["reason"] == "compiler-artifact" and message.get("executable")}
    return built.returncode, found, programs, built.stderr.decode()


def build(sources, environment, mutants, command):
    """Builds the tests with every change that can be behind a switch.

    Answers the programs by their names ("" is the library's own tests), and those changes that are in
    none: by number, with the compiler's error, or with nothing where they have to be tried by themselves.
    """
    texts = {file: (sources / file).read_bytes() for file in sorted({mutant["file"] for mutant in mutants})}
    library = sources / "core/src/lib.rs"
    (sources / "core/src/switch.rs").write_text(SWITCH)
    library.write_text(library.read_text() + "\nmod switch;\n")
    left_out = {}
    while True:
        switches = written(sources, texts, mutants, left_out)
        code, found, programs, said = errors(sources, environment, command)
        if code == 0:
            return programs, left_out
        blamed = collections.defaultdict(list)
        for error in found:
            for span in (span for span in error["spans"] if span["is_primary"]):
                around = [mark for mark in switches.get(span["file_name"], [])
                          if mark[0] <= span["byte_start"] and span["byte_end"] <= mark[1]]
                if around:
                    narrow = min(end - start for start, end, _ in around)
                    for start, end, number in around:
                        if end - start == narrow:
                            blamed[number].append((error["code"] or {}).get("code"))
        if not blamed:
            # An arm with a guard is none that the compiler counts on: only the match as a whole is wrong then.
            arms = [number for number, mutant in enumerate(mutants) if mutant["genre"] == "MatchArm" and number not in left_out]
            left_out.update(dict.fromkeys(arms))
            if arms:
                continue
            raise SystemExit("this does not compile, whatever is changed:\n"
                             + "\n".join(error["rendered"] for error in found)[:4000] + said[-2000:])
        for number, codes in blamed.items():
            left_out[number] = None if None in codes or OURS & set(codes) else codes[0]
