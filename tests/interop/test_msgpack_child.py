# SPDX-License-Identifier: MIT
"""A child that knows only docs/PROTOCOL.md is started, called, detached, taken over and stopped by kv-parent, like kv-child."""
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.path.join(os.environ["OB_TEST_BUILD"], "bin")


def run(program, *arguments, commands=""):
    done = subprocess.run(
        [os.path.join(BIN, program), *arguments],
        input=commands,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    return done.stdout


class Child(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.data = os.path.join(scratch.name, "data")
        # kv-parent takes a program and no arguments.
        self.child = os.path.join(scratch.name, "child")
        with open(os.open(self.child, os.O_WRONLY | os.O_CREAT, 0o700), "w") as file:
            file.write("#!/bin/sh\nPYTHONDONTWRITEBYTECODE=1 exec '%s' '%s/child.py'\n" % (sys.executable, HERE))

    def parent(self, *commands):
        return run("kv-parent", self.data, self.child, commands="".join(c + "\n" for c in commands))

    def assert_nothing_left(self):
        self.assertEqual(os.listdir(self.data), [])
        left = sorted(os.listdir(self.data + ".state"))
        self.assertEqual(left, ["outboard.lock", "parent.lock", "start", "state.json"])

    def test_it_is_started_called_and_stopped(self):
        output = self.parent("set colour blue", "get colour", "set shade", "import motto", "import none", "list", "stop")
        self.assertRegex(output, r"(?m)^reply \d+ us: blue$")
        self.assertRegex(output, r"(?m)^error OB_EREMOTE missing a required argument: .value.$")
        self.assertRegex(output, r"(?m)^changed motto$")
        self.assertRegex(output, r"(?m)^reply \d+ us: out of process, in reach$")
        self.assertRegex(output, r"(?m)^error OB_EREMOTE the parent's source: there is no such key$")
        self.assertRegex(output, r"(?m)^reply \d+ us: colour motto$")
        self.assertRegex(output, r"(?m)^log set")
        self.assertRegex(output, r"(?m)^log bye")
        self.assert_nothing_left()

    def test_it_is_detached_and_taken_over(self):
        first = self.parent("list", "health", "status", "detach")
        self.assertRegex(first, r"(?m)^reply \d+ us:$")
        self.assertRegex(first, r"(?m)^reply healthy$")
        self.assertRegex(first, r"(?m)^reply ready link=up pid=\d+ restarts=0$")
        self.assertRegex(first, r"(?m)^event detached")
        second = self.parent("status", "stop")
        self.assertRegex(second, r"(?m)^event adopted")
        self.assertRegex(second, r"(?m)^reply ready link=up pid=\d+ restarts=0 adopted$")
        self.assertRegex(second, r"(?m)^event exited")
        self.assert_nothing_left()


if __name__ == "__main__":
    unittest.main(verbosity=2)
