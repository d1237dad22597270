#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""shape.py lines|functions|files...: check the shape of the C sources. Without arguments, all three.

    lines      at most 100 columns, with tabs of 8
    functions  at most 40 lines each, from the line of the name to the closing brace, and a median of at most 12
    files      at most 600 lines each

A function is found by our format: its body begins with "{" in column 0 and ends with "}" in column 0. Exit status 1 if a
limit is exceeded.
"""
import os
import statistics
import sys

COLUMNS, FUNCTION, MEDIAN, FILE = 100, 40, 12, 600


def sources():
    with open("tests/source/directories.txt") as names:
        directories = names.read().split()
    for directory in directories:
        for where, _, files in os.walk(directory):
            for name in sorted(files):
                if name.endswith((".c", ".h")):
                    path = os.path.join(where, name)
                    with open(path, encoding="utf-8") as file:
                        yield path, file.read().splitlines()


def functions_of(lines):
    """(number of the first line, name, length) of each function."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = head_of(lines, number - 1)
        elif line == "}" and start is not None:
            yield start, lines[start - 1].split("(")[0].split()[-1].lstrip("*"), number - start + 1
            start = None


def head_of(lines, number):
    """The number of the line with the name, where line `number` is the last one before the body."""
    while number > 1 and lines[number - 1][:1] in ("\t", " "):
        number -= 1
    return number


def check_lines():
    found = ["%s:%d: %d columns" % (path, number, len(line.expandtabs(8)))
             for path, lines in sources() for number, line in enumerate(lines, 1)
             if len(line.expandtabs(8)) > COLUMNS]
    return found, "lines of at most %d columns" % COLUMNS


def check_functions():
    found, lengths = [], []
    for path, lines in sources():
        for number, name, length in functions_of(lines):
            lengths.append(length)
            if length > FUNCTION:
                found.append("%s:%d: %s() has %d lines" % (path, number, name, length))
    median = statistics.median(lengths)
    if median > MEDIAN:
        found.append("the median of all functions is %g lines" % median)
    return found, "%d functions of at most %d lines, median %g" % (len(lengths), FUNCTION, median)


def check_files():
    counts = [(path, len(lines)) for path, lines in sources()]
    found = ["%s: %d lines" % (path, count) for path, count in counts if count > FILE]
    return found, "%d files of at most %d lines" % (len(counts), FILE)


CHECKS = {"lines": check_lines, "functions": check_functions, "files": check_files}


def main(names):
    os.chdir(os.environ.get("OB_TEST_SOURCE", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")))
    bad = 0
    for name in names or CHECKS:
        found, limit = CHECKS[name]()
        for line in found:
            print(line)
        print("%s: %s" % (name, "%d over the limit" % len(found) if found else limit))
        bad += len(found)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
