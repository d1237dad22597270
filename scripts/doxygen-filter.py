#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
doxygen-filter.py HEADER: print a public header as Doxygen wants it. Its comments stand before what they describe, or behind it on
the same line, and have no marks; they get them here. What Doxygen would take for its own commands is escaped.
"""
import re
import sys

COMMENT = re.compile(r"/\*.*?\*/", re.S)
PLAIN = re.compile(r"/\* (?:SPDX|----)")


def escape(line):
    """Doxygen takes what stands in double quotes as it is."""
    return re.sub(r'"[^"]*"|[\\@<>&#%]', lambda found: found[0] if found[0][0] == '"' else "\\" + found[0], line)


def lines(text):
    """Tables, whose lines are indented by three characters, become blocks that are shown as they are."""
    for line in text.split("\n"):
        table = re.match(r"(\s*\*)(\s{3,}\S.*)", line)
        yield table[1] + "   " + table[2] if table else escape(line)


def mark(source, comment, first):
    """The comment with the mark that its place calls for."""
    text = comment[0]
    line = source[source.rfind("\n", 0, comment.start()) + 1 : comment.start()]
    if PLAIN.match(text) or (line.strip() and re.match(r"\s*\S", source[comment.end() :].split("\n", 1)[0])):
        return text
    kind = "/** @file\n *" if first else "/**<" if line.strip() else "/**"
    return kind + "\n".join(lines(text[2:-2])) + "*/"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        source = file.read()
    heading = next(c.start() for c in COMMENT.finditer(source) if not PLAIN.match(c[0]))
    print(COMMENT.sub(lambda comment: mark(source, comment, comment.start() == heading), source), end="")


main()
