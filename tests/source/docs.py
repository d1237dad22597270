#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
What can be checked of the pages without reading them. docs.py CHECK, in the root of the sources:

    blocks    a code block behind <!-- file: PATH --> is that file, one behind <!-- lines: PATH --> is in it;
              in PLUGINS.md all code has such a mark
    links     every link inside the tree leads somewhere, anchors too
    paths     nothing in the tree names a directory of somebody's machine
    protocol  the worked examples of PROTOCOL.md are computed anew
    blocks --write: bring the blocks that are whole files up to date
    faults    every test that FAULTS.md names is there
    faults --write: name those tests too that have a number in their name and are not on the page yet
"""
import hashlib
import hmac
import os
import re
import struct
import sys

sys.dont_write_bytecode = True
sys.path.append(os.path.join(os.path.dirname(__file__), "..", "interop"))
import noise_by_hand

FENCE = re.compile(r"^```[^\n]*\n(.*?)^```$", re.M | re.S)


def files(*endings):
    """All files of the tree with these endings (all, if none is given), but for what was built."""
    for top, dirs, names in os.walk("."):
        dirs[:] = sorted(d for d in dirs if d != ".git" and not (top == "." and d.startswith("build")))
        for name in sorted(set(names) - {".git"}):
            if not endings or name.endswith(endings):
                yield os.path.normpath(os.path.join(top, name))


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def has_lines(text, block):
    """Whether these lines stand in the text, one behind the other, however far they are indented."""
    lines, wanted = ([line.strip() for line in t.strip().splitlines()] for t in (text, block))
    return any(lines[at : at + len(wanted)] == wanted for at in range(len(lines)))


def blocks():
    for page in files(".md"):
        for match in re.finditer(r"^<!-- lines: (\S+) -->\n", read(page), re.M):
            block = FENCE.match(read(page), match.end())
            if block is None or not has_lines(read(match[1]), block[1]):
                yield "%s: the block's lines are not in %s" % (page, match[1])
        for match in re.finditer(r"^<!-- file: (\S+) -->\n", read(page), re.M):
            block = FENCE.match(read(page), match.end())
            if block is None:
                yield "%s: no code block behind the mark of %s" % (page, match[1])
            elif block[1] != read(match[1]):
                yield "%s: the block is not %s" % (page, match[1])
    # What a tutorial shows is compiled and run: it is part of a source that a test builds.
    for match in re.finditer(r"^(.*)\n```(?:c|cmake)\n", read("docs/PLUGINS.md"), re.M):
        if not match[1].startswith("<!-- "):
            yield "docs/PLUGINS.md: a code block is of no source, below: %s" % match[1]


def write_blocks():
    """Put the files into the blocks that are to be them."""
    for page in files(".md"):
        text = re.sub(
            r"^(<!-- file: (\S+) -->\n```[^\n]*\n).*?^(```)$",
            lambda m: m[1] + read(m[2]) + m[3],
            read(page),
            flags=re.M | re.S,
        )
        if text != read(page):
            with open(page, "w", encoding="utf-8") as file:
                file.write(text)
    yield from blocks()


# ---- Links ----


def slug(heading):
    """The anchor of a heading, as GitHub makes it."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchors(page):
    text = FENCE.sub("", read(page))
    return {slug(h) for h in re.findall(r"^#+ +(.*)$", text, re.M)}


def links():
    for page in files(".md"):
        text = re.sub(r"`[^`\n]*`", "", FENCE.sub("", read(page)))
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            path = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
            if not os.path.exists(path):
                yield "%s: %s does not exist" % (page, target)
            elif anchor and anchor not in anchors(path):
                yield "%s: %s has no heading for #%s" % (page, path, anchor)


def paths():
    machine = re.compile(r"(?<![\w.\-/])/(?:work|root|home/\w+|Users)/\S*")
    for path in files():
        for number, line in enumerate(read(path).split("\n"), 1):
            found = machine.search(line)
            if found and not path.endswith("source/docs.py"):
                yield "%s:%d: %s" % (path, number, found[0])


# ---- The worked examples ----


def example(heading):
    """The named values in the first block behind the heading, and all blocks behind it."""
    page = read("docs/PROTOCOL.md").partition("\n### %s\n" % heading)[2]
    blocks = [block[1] for block in FENCE.finditer(page)]
    return {name: bytes.fromhex(text) for name, text in re.findall(r"^(\S+) +([0-9a-f ]+)$", blocks[0], re.M)}, blocks


def prologue(mechanisms):
    return b"".join(struct.pack(">H", len(t)) + t for t in (b"outboard/1", b"msgpack", mechanisms))


def protocol():
    yield from protocol_token()
    value, _ = example("A worked example of `noise`")
    expected = noise_by_hand.example(dict(value, prologue=prologue(b"noise")))
    for name in sorted(expected):
        if value.get(name) != expected[name]:
            yield "docs/PROTOCOL.md: the %s of noise is %s" % (name, expected[name].hex())


def protocol_token():
    value, (_, wire, *_) = example("A worked example")

    bound = prologue(b"token") + value["c"] + value["s"]
    proof = {side: hmac.new(value["token"], side + bound, hashlib.sha256).digest() for side in (b"S", b"C")}
    for name, expected in ("prologue", prologue(b"token")), ("proof-S", proof[b"S"]), ("proof-C", proof[b"C"]):
        if value[name] != expected:
            yield "docs/PROTOCOL.md: the %s is %s" % (name, expected.hex())

    # MessagePack by hand: fixarray, fixint, fixstr, bin 8, nil.
    def text(s):
        return bytes([0xA0 + len(s)]) + s

    def binary(b):
        return b"\xc4" + bytes([len(b)]) + b

    auth = text(b"outboard.auth") + b"\x92" + text(b"token")
    messages = [
        b"\x94\x00\x01" + auth + binary(value["c"]),
        b"\x94\x01\x01\xc0\x92" + text(b"more") + binary(value["s"] + proof[b"S"]),
        b"\x94\x00\x02" + auth + binary(proof[b"C"]),
        b"\x94\x01\x02\xc0\x92" + text(b"done") + binary(b""),
        b"\x94\x00\x03" + text(b"outboard-control.health") + b"\x90",
    ]
    # Of each line the hex groups, up to the first word that is none.
    shown = []
    for line in wire.splitlines():
        hexes = "".join(re.match(r"(?:[<>] |  )((?:(?:[0-9a-f]{2})+ )*(?:[0-9a-f]{2})+)(?= |$)", line)[1].split())
        if line[0] in "<>":
            shown.append("")
        shown[-1] += hexes
    if shown != [m.hex() for m in messages]:
        yield "docs/PROTOCOL.md: the bytes on the wire are not\n" + "\n".join(m.hex() for m in messages)


# ---- Faults ----


def rows(page):
    """The rows of the tables of FAULTS.md: (kind, number, line)."""
    kind = "fault"
    for line in page.split("\n"):
        kind = "origin" if line == "## Faults of the origin" else kind
        row = re.match(r"\| (\d+) \|.*\|$", line)
        if row:
            yield kind, row[1], line


def tests_in(row):
    """The last cell: {file: names}."""
    cell = row[:-1].split(" | ")[-1]
    found = re.findall(r"\[[^]]*\]\(\.\./([^)]*)\): ([^;]*)", cell)
    return {path: re.findall(r"`(\w+)`", names) for path, names in found}


def has_test(path, name):
    return os.path.exists(path) and re.search(r"(?<![a-z])%s\b" % name, read(path))


def faults():
    for _, _, row in rows(read("docs/FAULTS.md")):
        for path, names in tests_in(row).items():
            for name in names:
                if not has_test(path, name):
                    yield "docs/FAULTS.md: %s has no test %s" % (path, name)


def write_faults():
    """fault_26_27_announced..., fault_8_origin_13_...: a name may belong to several rows."""
    page = read("docs/FAULTS.md")
    known = {(kind, number) for kind, number, _ in rows(page)}
    new = {}
    tests_of = [p for p in files(".c", ".py", ".sh") if re.match("tests/(?!source/)", p)]
    for path in tests_of:
        for name in re.findall(r"(?:fault|origin)_\d+_[a-z0-9]\w*", read(path)):
            for kind, numbers in re.findall(r"(fault|origin)_((?:(?:1\d\d|\d\d?)_)*(?:1\d\d|\d\d?))(?=_|$)", name):
                for number in numbers.split("_"):
                    new.setdefault((kind, number), {}).setdefault(path, set()).add(name)
    for kind, number, row in rows(page):
        tests = {path: {n for n in names if has_test(path, n)} for path, names in tests_in(row).items()}
        for path, names in new.get((kind, number), {}).items():
            tests.setdefault(path, set()).update(names)
        cell = "; ".join(
            "[%s](../%s): %s" % (os.path.basename(path), path, ", ".join("`%s`" % n for n in sorted(tests[path])))
            for path in sorted(tests)
            if tests[path]
        )
        page = page.replace(row, " | ".join(row.split(" | ")[:-1] + [(cell or "–") + " |"]))
    with open("docs/FAULTS.md", "w", encoding="utf-8") as file:
        file.write(page)
    for kind, number in sorted(set(new) - known):
        yield "docs/FAULTS.md: there is no row for %s_%s: %s" % (kind, number, new[kind, number])


def main():
    checks = {f.__name__: f for f in (blocks, links, paths, protocol, faults)}
    os.chdir(os.environ.get("OB_TEST_SOURCE", "."))
    if sys.argv[2:] == ["--write"]:
        check = {"blocks": write_blocks, "faults": write_faults}[sys.argv[1]]
    else:
        check = checks[sys.argv[1]]
    complaints = list(check())
    print("\n".join(complaints) or "fine")
    sys.exit(1 if complaints else 0)


main()
