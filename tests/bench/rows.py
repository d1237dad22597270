#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""rows.py PROGRAM: run a benchmark for a moment, and check its output: all rows, all contestants, plausible figures."""
import json
import os
import subprocess
import sys

FLOORS = ["raw", "libev", "libev+mp", "raw+cipher"]
AUTHS = ["token", "noise", "tls"]
ASYNC = ["%s,%s async" % (codec, auth) for codec in ("msgpack", "json") for auth in AUTHS]
OURS = ["%s,%s %s" % (codec, auth, how) for codec in ("msgpack", "json") for auth in AUTHS for how in ("inline", "async")]
ROWS = {
    "bench-roundtrip": {
        "one": FLOORS + OURS,
        "many": ["libev", "libev+mp"] + ASYNC,
        "connections": ["libev", "libev+mp"] + ASYNC,
    },
    "bench-bulk": {
        "echo64k": FLOORS + OURS,
        "echo1m": FLOORS + OURS,
        "stream1k": FLOORS + ASYNC,
        "stream64k": FLOORS + ASYNC,
    },
}


def run(program, *options):
    return subprocess.run([program, "--rounds", "1", "--amount", "0.5", *options], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=200)


def check(good, what):
    if not good:
        sys.exit("rows.py: " + what)


def check_json(program, name):
    done = run(program, "--json")
    check(done.returncode == 0, done.stderr)
    report = json.loads(done.stdout)
    check(report["bench"] == name and report["processors"] == 1, "wrong report: " + report["bench"])
    seen = [(row["transport"], row["row"]) for row in report["rows"]]
    check(seen == [(wire, row) for wire in ("unix", "tcp") for row in ROWS[name]], "other rows: %s" % seen)
    for row in report["rows"]:
        names = [c["name"] for c in row["contestants"]]
        check(names == ROWS[name][row["row"]], "others take part in %s: %s" % (row["row"], names))
        for c in row["contestants"]:
            check(c["per_second"] > 0 and c["x_libev"] > 0, "no figure: %s" % c)
            noise, tls = "noise" in c["name"], "tls" in c["name"]
            check(("x_plain" in c) == (noise or tls), "beside its plain twin, or not: %s" % c)
            check(("x_noise" in c) == tls, "beside noise, or not: %s" % c)
            check(("x_cipher" in c) == (noise and row["outstanding"] < 2), "beside the cipher, or not: %s" % c)
            check((c["p50_ns"] > 0) == (row["outstanding"] == 1), "a time of one call, or none: %s" % c)


def check_table(program, name):
    row = next(iter(ROWS[name]))
    done = run(program, "--transport", "tcp", "--codec", "json", "--auth", "token", "--row", row, "--split")
    check(done.returncode == 0, done.stderr)
    blocks = done.stdout.strip().split("\n\n")
    check(len(blocks) == 2 and blocks[1].startswith("tcp: "), "not one row of tcp:\n" + done.stdout)
    names = [" ".join(line.split()[:2] if line.split()[0] == "json" else line.split()[:1])
             for line in blocks[1].splitlines()[1:]]
    check(names == ["raw", "libev", "json inline", "json async"], "others take part: %s" % names)


def check_refusals(program):
    for options in (["--transport", "pigeon"], ["--row", "nine"], ["--rounds", "x"], ["--codec", "none"], ["surplus"]):
        done = run(program, *options)
        check(done.returncode != 0 and done.stderr != "", "not refused: %s" % options)


def main(program):
    name = os.path.basename(program)
    check_json(program, name)
    check_table(program, name)
    check_refusals(program)


main(sys.argv[1])
