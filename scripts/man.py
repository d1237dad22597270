#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
man.py VERSION NAME: print a manual page as Markdown for pandoc. NAME is outboard.1 and so on. The text is that of docs/: of a page
these sections, or all of them. man.py --list prints the names.
"""
import os
import re
import sys

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")

# Name: what it is, the page, the sections ("" for what stands before the first one; None for all), and those left out.
PAGES = {
    "outboard.1": ("run parts of a program out of process, and keep them running", "OPERATING",
                   ["", "The commands", "Exit codes", "Signals of `outboard run`", "Reloading", "Detaching and upgrading", "Many children",
                    "systemd", "Status", "Events", "Files", "What a child leaves", "Restarts", "Order", "Health"]),
    "outboard-run.json.5": ("config of the supervisor, for outboard run", "OPERATING",
                            ["The config", "Who may call what", "Durations", "System calls", "Children that others start",
                             "Guessing and flooding"]),
    "outboard.json.5": ("what a child and its clients are told", "PROTOCOL", ["What a child finds when it starts", "The data directory", "`outboard.json`",
                                                                             "Readiness"]),
    "outboard-plugin.7": ("transports, codecs and authenticators for outboard", "PLUGINS", None),
    "outboard-protocol.7": ("what a parent, a child and its clients say to each other", "PROTOCOL", None),
}
SEE = "outboard(1), outboard-run.json(5), outboard.json(5), outboard-plugin(7), outboard-protocol(7)"


def parts_of(page):
    """The sections of a page by their titles, in their order; "" is what stands before the first."""
    with open(os.path.join(HERE, "docs", page + ".md"), encoding="utf-8") as file:
        text = re.sub(r"\A# .*\n", "", file.read())
    parts, title, code = {"": []}, "", False
    for line in text.splitlines():
        code ^= line.startswith("```")
        if line.startswith("## ") and not code:
            title = line[3:]
            parts[title] = []
        parts[title].append(line)
    return parts


def is_contents(line):
    """A line of the list of sections at the top: links, and what stands between them."""
    return "](#" in line and not re.sub(r"\[[^]]*\]\(#[^)]*\)|[\s·*]", "", line)


def plain(lines):
    """Links inside the tree become their text, and marks for other tools are left out."""
    code = False
    for line in lines:
        code ^= line.startswith("```")
        if code or line.startswith("```"):
            yield line
        elif not line.startswith("<!--") and not is_contents(line):
            yield re.sub(r"\[((?:[^][]|\\.)+)\]\((?!https?:)[^)]*\)", r"\1", line)


def cells_of(row):
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", row.strip()[1:-1])]


def listed(lines):
    """Tables become lists of definitions: the columns of a terminal are too narrow."""
    head, code = None, False
    for line in lines:
        code ^= line.startswith("```")
        if code or not line.startswith("|"):
            head = None
            yield line
        elif head is None:
            head = cells_of(line)
        elif not re.fullmatch(r"[|:\s-]+", line):
            first, *rest = cells_of(line)
            names = [f"{name}: " if name and len(rest) > 1 else "" for name in head[1:]]
            paragraphs = [name + cell for name, cell in zip(names, rest) if cell]
            yield from ["", first or "-", "", ":   " + "\n\n    ".join(paragraphs or ["-"])]


def page(version, name):
    title, section = name.rsplit(".", 1)
    what, source, wanted = PAGES[name]
    parts = parts_of(source)
    chosen = list(parts) if wanted is None else wanted
    lines = [line for part in chosen for line in parts[part]]
    if chosen[0] == "":
        lines.insert(0, "## Description")
    head = ["---", f"title: {title}", f"section: {section}", "header: outboard", f"footer: outboard {version}", "---", "",
            "## Name", "", f"{title} - {what}", ""]
    synopsis = ["## Synopsis", "", "**outboard** *COMMAND* [*ARGUMENTS*]", ""] if name == "outboard.1" else []
    others = ", ".join(other for other in SEE.split(", ") if other != f"{title}({section})")
    return "\n".join([*head, *synopsis, *listed(plain(lines)), "", "## See also", "", others, ""])


def main():
    if sys.argv[1:] == ["--list"]:
        print("\n".join(PAGES))
    else:
        sys.stdout.write(page(*sys.argv[1:]))


main()
