#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a bed costs: from the start of a child to the answer of its first call, and its stop.

    bench/beds.py BUILD [--rounds N] [BED...]

For the recipes of docs/CONTAINERS.md, which tests/beds sets up, and for a process without a bed. BUILD is a build with tests,
in which `ctest -R bed-child` has made the child. bench-ready measures. As root; a bed whose tool is missing is left out.
"""
import argparse
import os
import signal
import subprocess
import sys
import unittest

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--rounds", default="9")
    parser.add_argument("beds", nargs="*", metavar="BED")
    return parser.parse_intermixed_args()


def beds():
    """name -> test case."""
    import bed
    import test_bubblewrap
    import test_nspawn
    import test_podman
    import test_runc

    class Process(bed.Life):
        """The child on the host."""

        child = "plain"

        def write_recipe(self):
            self.text = {"children": {"plain": {"command": [f"{self.dir}/bin/kv-child"], "stop": {"signal": "SIGTERM"}}}}

    return {"process": Process, "bubblewrap": test_bubblewrap.AsRoot, "bubblewrap, unprivileged": test_bubblewrap.Unprivileged,
            "runc": test_runc.Runc, "podman": test_podman.Rootful, "podman, rootless": test_podman.Rootless,
            "systemd-nspawn": test_nspawn.Nspawn}


def measure(case, program, rounds):
    child = case.text["children"][case.child]
    stop = child.get("stop", {})
    options = ["--rounds", rounds, "--name", case.child, "--signal", str(int(signal.Signals[stop.get("signal", "SIGINT")]))]
    # The child has no handler of signals before it is told, and as pid 1 ignores them: all are stopped by the call.
    options += ["--rpc", "10000"]
    for word in stop.get("cleanup", []):
        options += ["--cleanup", word]
    done = subprocess.run([program, *options, case.data_path(), *child["command"]], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, text=True, env=case.env, check=True, **case.as_user())
    return done.stdout.strip()


def main():
    args = arguments()
    build = os.path.abspath(args.build)
    os.environ.update(OB_TEST_BUILD=build, OB_TEST_SOURCE=SOURCE)
    os.environ.setdefault("OUTBOARD_PLUGIN_PATH", os.path.join(build, "plugins"))
    sys.path.append(os.path.join(SOURCE, "tests", "beds"))
    for name, kind in beds().items():
        if args.beds and name not in args.beds:
            continue
        case = kind("test_lives")
        try:
            case.setUp()
        except unittest.SkipTest as why:
            print(f"{name:26} -: {why}", flush=True)
            continue
        try:
            program = os.path.join(build, "bin", "bench-ready")
            if case.user is not None:
                program = case.lend(program)
            print(f"{name:26} {measure(case, program, args.rounds)}", flush=True)
        finally:
            case.sweep()
            case.doCleanups()


if __name__ == "__main__":
    main()
