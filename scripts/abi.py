#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
The ABI of the library and of plugins, compared with that of the last release. abi.py [--renew] [LIBRARY], with abigail-tools.

LIBRARY is a liboutboard.so of gcc with debug information. Its functions are compared with packaging/abi/liboutboard.abi; the
types of the public headers, the tables of plugins among them, with packaging/abi/headers.abi. Without LIBRARY only these are. Where git knows a tag v*, both
files are taken from the last one. Private types do not count. Functions and types may be added, and members at the end of
structs that begin with their `size`; any other change is an error. --renew writes both files instead.

The status is 0, 1 if the ABI changed incompatibly, and 77 if nothing can be compared.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml

TREE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BASELINES = "packaging/abi"
# Opaque types of the headers are defined elsewhere, some in files of the same name, so --headers-dir would take them for public.
SUPPRESSION = r"""[suppress_type]
  source_location_not_regexp = .*/include/outboard/[a-z]*\\.h
  drop = true
[suppress_function]
  symbol_name_not_regexp = ^(ob_|outboard_plugin_v)
  drop = true
"""
DUMP = ["--no-show-locs", "--no-corpus-path", "--no-comp-dir-path", "--short-locs", "--no-parameter-names", "--no-elf-needed",
        "--no-write-default-sizes", "--drop-undefined-syms", "--type-id-style", "hash"]


def skip(why):
    print("SKIP:", why)
    sys.exit(77)


def run(*command):
    return subprocess.run(command, cwd=TREE, text=True, capture_output=True)


def must(*command):
    result = run(*command)
    if result.returncode != 0:
        sys.exit(f"{command[0]}: {result.stderr or result.stdout}")
    return result.stdout


def compile_headers(work):
    """A plugin that includes every public header. Its debug information has all their types, used or not."""
    source, plugin = os.path.join(work, "headers.c"), os.path.join(work, "headers.so")
    headers = sorted(name for name in os.listdir(os.path.join(TREE, "include/outboard")) if name.endswith(".h"))
    with open(source, "w", encoding="utf-8") as file:
        file.writelines(f"#include <outboard/{name}>\n" for name in headers)
        file.write("OB_PLUGIN_ENTRY(NULL);\n")
    must(os.environ.get("CC", "gcc"), "-std=c11", "-D_GNU_SOURCE", "-g", "-fno-eliminate-unused-debug-types", "-shared", "-fPIC",
         "-I", os.path.join(TREE, "include"), "-o", plugin, source)
    return plugin


def dump(work, name, binary, *options):
    """Write NAME of the work directory: the ABI of a shared object."""
    suppression, out = os.path.join(work, "suppression"), os.path.join(work, name)
    with open(suppression, "w", encoding="utf-8") as file:
        file.write(SUPPRESSION)
    must("abidw", *DUMP, *options, "--suppressions", suppression, "--out-file", out, binary)
    return out


def dump_all(work, library):
    """The library first: if its soname is new, nothing is compared."""
    made = {"liboutboard.abi": dump(work, "liboutboard.abi", library)} if library else {}
    made["headers.abi"] = dump(work, "headers.abi", compile_headers(work), "--load-all-types")
    return made


def baseline(work, name):
    """The file to compare with: that of the last tag, or that of the tree. Returns its path and where it is from."""
    path = f"{BASELINES}/{name}"
    tag = run("git", "describe", "--tags", "--abbrev=0", "--match", "v*").stdout.strip() if os.path.exists(f"{TREE}/.git") else ""
    shown = run("git", "show", f"{tag}:{path}") if tag else None
    if shown is None or shown.returncode != 0:
        return os.path.join(TREE, path), path
    out = os.path.join(work, "tag-" + name)
    with open(out, "w", encoding="utf-8") as file:
        file.write(shown.stdout)
    return out, f"{path} of {tag}"


def structs(root):
    """The structs that are defined, by name; those without a name say nothing."""
    return {struct.get("name"): struct for struct in root.iter("class-decl")
            if struct.get("is-declaration-only") != "yes" and "__anonymous" not in struct.get("name")}


def member_names(struct):
    return [member.find("var-decl").get("name") for member in struct.findall("data-member")]


def without_appended(old, new):
    """Take from each struct that begins with `size` what was added behind its old members. The comparison is then strict."""
    known = structs(old.getroot())
    for name, struct in structs(new.getroot()).items():
        if name not in known:
            continue
        before, after = member_names(known[name]), member_names(struct)
        if before[:1] != ["size"] or after[:len(before)] != before or len(after) == len(before):
            continue
        for member in struct.findall("data-member")[len(before):]:
            struct.remove(member)
        struct.set("size-in-bits", known[name].get("size-in-bits"))
        print(f"struct {name} has new members: {', '.join(after[len(before):])}")


def compare(work, name, new_path):
    """Whether what was there is still the same."""
    old_path, origin = baseline(work, name)
    old, new = xml.parse(old_path), xml.parse(new_path)
    for fact in ("architecture", "soname"):
        before, now = (root.getroot().get(fact) for root in (old, new))
        if before != now:
            skip(f"{origin} is for the {fact} {before}, this is {now}")
    without_appended(old, new)
    new.write(new_path)
    gone = structs(old.getroot()).keys() - structs(new.getroot()).keys()
    for struct in sorted(gone):
        print(f"struct {struct} is not defined any more")
    everything = ["--non-reachable-types"] if old.getroot().get("tracking-non-reachable-types") == "yes" else []
    result = run("abidiff", "--no-added-syms", *everything, old_path, new_path)
    if result.returncode & 3:
        sys.exit(f"abidiff: {result.stderr}")
    # The status of abidiff tells of types that were added, too.
    broken = re.findall(r"summary: (?!0 removed, 0 changed).*", result.stdout, re.I)
    if not broken and not gone:
        print(f"compatible with {origin}")
        return True
    print(f"not compatible with {origin}:\n{result.stdout}{result.stderr}")
    return False


def can_compare(library):
    for tool, package in (("abidw", "abigail-tools"), ("abidiff", "abigail-tools"), ("readelf", "binutils")):
        if shutil.which(tool) is None:
            skip(f"{tool} is not installed ({package})")
    if library and ".debug_info" not in must("readelf", "-SW", library):
        skip(f"{os.path.basename(library)} has no debug information")
    version = must(os.environ.get("CC", "gcc"), "--version")
    if re.search("clang", version):
        skip("the ABI is recorded of a build with gcc; clang describes the same types otherwise")


def main():
    renew = sys.argv[1:2] == ["--renew"]
    names = sys.argv[1 + renew:]
    if len(names) > 1 or "".join(names).startswith("-"):
        sys.exit("usage: abi.py [--renew] [LIBRARY]")
    library = os.path.abspath(names[0]) if names else None
    can_compare(library)
    with tempfile.TemporaryDirectory() as work:
        made = dump_all(work, library)
        if renew:
            for name, path in made.items():
                shutil.copyfile(path, os.path.join(TREE, BASELINES, name))
            return
        if not all([compare(work, name, path) for name, path in made.items()]):
            sys.exit("The ABI changed. docs/RELEASING.md says what to do.")


main()
