#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""coverage-table.py ALL.JSON LINES.TXT LEAST: print what gcovr counted, a row per folder, and the
files of core/ under LEAST percent of lines. The lines that were not run go to LINES.TXT."""
import collections
import json
import os
import sys


class Count:
    def __init__(self):
        self.lines = self.lines_run = self.branches = self.branches_taken = 0

    def add(self, file):
        for line in file["lines"]:
            if line.get("gcovr/noncode"):
                continue
            self.lines += 1
            self.lines_run += line["count"] > 0
            self.branches += len(line["branches"])
            self.branches_taken += sum(branch["count"] > 0 for branch in line["branches"])

    def percent_of_lines(self):
        return 100 * self.lines_run / self.lines if self.lines else 100

    def row(self, name):
        branches = 100 * self.branches_taken / self.branches if self.branches else 100
        return (f"{name:34} {self.lines:6} {self.percent_of_lines():6.1f} %"
                f" {self.branches:8} {branches:6.1f} %")


def missed(file):
    with open(file["file"], encoding="utf-8") as source:
        text = source.read().split("\n")
    for line in file["lines"]:
        if line["count"] == 0 and not line.get("gcovr/noncode"):
            yield f"{file['file']}:{line['line_number']}: {text[line['line_number'] - 1].strip()}"


def main(path, lines_path, least):
    with open(path, encoding="utf-8") as stream:
        files = json.load(stream)["files"]
    folders, each, total = collections.defaultdict(Count), {}, Count()
    with open(lines_path, "w", encoding="utf-8") as lines:
        for file in sorted(files, key=lambda file: file["file"]):
            name = file["file"]
            each[name] = Count()
            for count in (each[name], folders[os.path.dirname(name)], total):
                count.add(file)
            lines.writelines(line + "\n" for line in missed(file))
    print(f"{'folder':34} {'lines':>6} {'run':>8} {'branches':>8} {'taken':>8}")
    for name in sorted(folders):
        print(folders[name].row(name))
    print(total.row("all"))
    low = [name for name in each if each[name].percent_of_lines() < least]
    low = [name for name in low if name.startswith("core/")]
    print(f"\nfiles of core under {least:g} % of lines: {len(low) or 'none'}")
    for name in sorted(low, key=lambda name: each[name].percent_of_lines()):
        print(each[name].row(name))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
