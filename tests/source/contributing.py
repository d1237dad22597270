#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The scripts and presets that CONTRIBUTING.md and the CI file name are there, and the CI file runs every part of .ci/run."""
import json
import os
import re
import sys

os.chdir(os.environ.get("OB_TEST_SOURCE", "."))
CI = ".github/workflows/ci.yml"


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def complaints():
    presets = {p["name"] for p in json.loads(read("CMakePresets.json"))["configurePresets"] if not p.get("hidden")}
    for path in ("CONTRIBUTING.md", CI):
        for script in set(re.findall(r"(?<![\w/.])(?:scripts|\.ci)/[\w-]+(?!\.)", read(path))):
            if not os.access(script, os.X_OK):
                yield "%s: there is no script %s" % (path, script)
    page = read("CONTRIBUTING.md")
    named = re.findall(r"--preset ([\w-]+)", page) + re.findall(r"`([\w-]+)`", "".join(re.findall(r"^\| (`[^|]*) \|", page, re.M)))
    for preset in sorted(set(named) - presets):
        yield "CONTRIBUTING.md: there is no preset %s" % preset
    parts = set(re.findall(r"[\w-]+", re.search(r"^ *parts: \[(.*)\]$", read(CI), re.M)[1]))
    for part in sorted(set(re.search(r"set -- (.*)", read(".ci/run"))[1].split()) - parts):
        yield "%s does not run %s" % (CI, part)
    for part in sorted(parts - presets - {"beds", "packages"}):
        yield "%s: there is no preset %s" % (CI, part)


found = list(complaints())
print("\n".join(found) or "fine")
sys.exit(1 if found else 0)
