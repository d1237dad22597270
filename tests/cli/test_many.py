# SPDX-License-Identifier: MIT
"""Many children: what the command does for each does not grow with their number."""
import json
import os
import shutil
import signal
import subprocess
import unittest

from command import OK, OUTBOARD, PATIENCE, Case

FEW = 40


class Many(Case):
    def calls_of_status(self, children):
        """The number of system calls of `outboard status` for these children, without a supervisor."""
        self.write(children)
        trace = os.path.join(self.dir, "trace")
        done = subprocess.run(["strace", "-f", "-qq", "-o", trace, OUTBOARD, "status", "--json", self.config],
                              capture_output=True, timeout=PATIENCE,
                              env={**os.environ, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"})
        self.assertEqual((done.returncode, len(json.loads(done.stdout))), (OK, len(children)), done.stderr)
        with open(trace, errors="replace") as file:
            return sum(" resumed>" not in line for line in file)

    def test_fault_67_status_takes_as_many_system_calls_for_each_child(self):
        if shutil.which("strace") is None or subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"]).returncode != 0:
            self.skipTest("strace is not installed, or not permitted")
        sleeper = {"command": ["sleep", "1000"], "ready": {"mode": "none"}, "log_pipe": 4096}
        children = {f"c{i}": sleeper for i in range(2 * FEW)}
        self.write(children)
        run = self.run_it()
        run.events(**{name: "ready" for name in children})
        self.assertEqual(run.end(signal.SIGUSR1), OK)
        none = self.calls_of_status({})
        few = self.calls_of_status(dict(list(children.items())[:FEW])) - none
        many = self.calls_of_status(children) - none
        run = self.run_it()
        run.events(**{name: "adopted" for name in children})
        self.assertEqual(run.end(), OK)
        print(f"system calls of status for each child: {few / FEW:.1f} of {FEW}, {many / (2 * FEW):.1f} of {2 * FEW}")
        self.assertGreater(few, FEW)
        self.assertLess(many, 2.2 * few)


if __name__ == "__main__":
    unittest.main()
