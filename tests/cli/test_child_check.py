# SPDX-License-Identifier: MIT
"""outboard child check: on the children that the project has. Broken ones are in test_child_faults.py."""
import glob
import json
import os
import signal
import subprocess
import sys
import time
import unittest

from child_faults import FAULTS, NOT_IN_JSON, STARTS
from command import BUILD, OK, OUTBOARD, PATIENCE, REMOTE, USAGE, Case, Lines, Watched, outboard

HERE = os.path.dirname(os.path.abspath(__file__))
BROKEN = [sys.executable, "-B", os.path.join(HERE, "broken_child.py")]
PYTHON = [sys.executable, "-B", os.path.join(HERE, "../../examples/python-child/kv_child.py")]
HELLO, KV = os.path.join(BUILD, "bin/hello-child"), os.path.join(BUILD, "bin/kv-child")


def findings(*args, **more):
    """Of a whole check, which has a hundred promises, and waits for some seconds at a few."""
    result = outboard("child", "check", "--json", *args, timeout=4 * PATIENCE, **more)
    return result, json.loads(result.stdout)


class ChildCheck(Case):
    def setUp(self):
        super().setUp()
        self.env = {**os.environ, "TMPDIR": self.dir}

    def assert_clean(self):
        self.assertEqual(glob.glob(f"{self.dir}/outboard-child-*"), [])

    def held(self, *args):
        """Everything is held or skipped; returns the rows."""
        result, rows = findings(*args, env=self.env)
        self.assertEqual([row for row in rows if row["verdict"] == "broken"], [])
        self.expect(result, OK, None, "")
        self.assert_clean()
        return rows

    def test_a_child_of_the_library_keeps_every_promise(self):
        rows = self.held("--", HELLO)
        self.assertEqual(list(rows[0]), ["codec", "subject", "promise", "verdict", "reason"])
        self.assertEqual({row["codec"] for row in rows}, {"msgpack", "json"})
        self.assertEqual([row for row in rows if row["verdict"] == "skipped"], [])

    def test_every_promise_is_tried_and_seen_to_fail(self):
        rows = self.held("--", KV)
        known = set()
        for promises in FAULTS.values():
            known |= {promises} if isinstance(promises, str) else set(promises)
        self.assertEqual({row["promise"] for row in rows}, known | {NOT_IN_JSON})

    def test_other_mechanisms(self):
        for auth in "noise", "bearer", "peercred", "peercred,noise,token":
            with self.subTest(auth):
                rows = self.held("--codec", "msgpack", "--auth", auth, "--only", "auth", "--", KV)
                tried = [row for row in rows if row["verdict"] == "held"]
                self.assertGreaterEqual(len(tried), 1 if auth == "peercred" else 9)

    def test_a_child_in_python(self):
        """It knows one codec only, which is no fault."""
        rows = self.held("--", *PYTHON)
        skipped = {row["promise"]: row for row in rows if row["verdict"] == "skipped"}
        self.assertEqual(skipped[STARTS]["codec"], "msgpack")
        self.assertIn("not known here: codec msgpack", skipped[STARTS]["reason"])

    def test_a_child_of_another_language_with_msgpack(self):
        """Debian's msgpack takes what the protocol refuses, so limits and hostile input are left out."""
        python = next((p for p in ("/usr/bin/python3", sys.executable)
                       if subprocess.run([p, "-c", "import msgpack"], capture_output=True).returncode == 0), None)
        if python is None:
            self.skipTest("no Python has the module msgpack (Debian: python3-msgpack)")
        for subject in "readiness", "auth", "calls", "control", "supervise", "end":
            self.held("--codec", "msgpack", "--only", subject, "--", python, "-B",
                      os.path.join(HERE, "../interop/child.py"))

    def test_a_child_without_control_interface(self):
        scripted = [sys.executable, "-B", os.path.join(HERE, "scripted.py"), f"{self.dir}/orders"]
        result, rows = findings("--codec", "json", "--auth", "peercred", "--only", "control", "--", *scripted,
                                '{"health": null}', env=self.env)
        self.assertEqual({(row["verdict"], row["reason"]) for row in rows},
                         {("skipped", "the child has no interface outboard-control")})
        self.expect(result, OK, None, "")

    def test_a_command_that_does_not_start(self):
        result, rows = findings("--", "/nonexistent/child", env=self.env)
        self.assertEqual([(row["promise"], row["verdict"]) for row in rows], [(STARTS, "broken")] * 2)
        self.assertIn("/nonexistent/child: No such file or directory", rows[0]["reason"])
        self.assertEqual(result.returncode, REMOTE)
        self.assert_clean()

    def test_its_text(self):
        result = outboard("child", "check", "--codec", "json", "--only", "end", "--", *BROKEN, "odd_status", env=self.env)
        self.expect(result, REMOTE, f"json: end\n  BROKEN   ends with status 0 after a shutdown: it ended with status 3\n"
                                    f"{sys.executable}: 4 held, 1 broken, 0 skipped\n", "")

    def test_it_can_be_interrupted(self):
        for number in signal.SIGINT, signal.SIGTERM:
            process = subprocess.Popen([OUTBOARD, "child", "check", "--verbose", "--", KV], env=self.env,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            lines = Lines(process.stdout.fileno())
            while "admits a peer" not in lines.next(time.monotonic() + PATIENCE):
                pass
            [config] = glob.glob(f"{self.dir}/outboard-child-*/data/outboard.json")
            with open(config) as file:
                child = Watched(json.load(file)["pid"])
            process.send_signal(number)
            self.assertEqual(process.wait(PATIENCE), -number)
            process.stdout.close()
            child.wait()
            child.close()
            self.assert_clean()

    def test_a_promise_of_another_codec(self):
        result = outboard("child", "check", "--codec", "msgpack", "--only", "answers batches", "--", KV, env=self.env)
        self.expect(result, USAGE, None, "outboard: child check: nothing was tried\n")

    def test_misuse(self):
        """Nothing is said of the child, which is not even started."""
        for reason, *args in ["too few arguments"], ["--ready soon is neither", "--ready", "soon"], \
                ["no such promise: make coffee", "--only", "make coffee"], ["no no-such.so in", "--auth", "no-such"], \
                ['--auth "" is not a list', "--auth", ""], ['--auth "token,,noise" is not a list', "--auth", "token,,noise"], \
                ["keys: mechanisms with settings", "--auth", "keys"], ["no no-such.so in", "--codec", "no-such"], \
                ["--timeout: it must be longer than 0", "--timeout", "0s"]:
            result = outboard("child", "check", *args, *(["--", *PYTHON] if args else []), env=self.env)
            self.expect(result, USAGE, "")
            self.assertIn(reason, result.stderr)
        self.assertEqual(outboard("child", "launch", "1", "/tmp/x", "", "true").returncode, USAGE)
        self.assert_clean()


if __name__ == "__main__":
    unittest.main(verbosity=2)
