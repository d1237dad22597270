#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""recipe.py PAGE NAME OLD=NEW...: print the command of the child in the recipe NAME, one word a line, with these texts replaced.

A recipe is the JSON block behind <!-- recipe: NAME --> with one child. A text that is not in it is a fault.
"""
import json
import re
import sys


def main(page, name, *changes):
    with open(page, encoding="utf-8") as file:
        block = re.search(r"^<!-- recipe: %s -->\n```json\n(.*?)^```$" % re.escape(name), file.read(), re.M | re.S)[1]
    for change in changes:
        old, new = change.split("=", 1)
        if old not in block:
            sys.exit(f"recipe.py: the recipe {name} has no {old}")
        block = block.replace(old, new)
    (child,) = json.loads(block)["children"].values()
    print("\n".join(child["command"]))


main(*sys.argv[1:])
