# SPDX-License-Identifier: MIT
"""outboard child check: each promise is seen to be broken by a child with one fault."""
import concurrent.futures
import glob
import json
import os
import sys
import unittest

from child_faults import FAULTS
from command import PATIENCE, REMOTE, Case, outboard

CHILD = [sys.executable, "-B", os.path.join(os.path.dirname(os.path.abspath(__file__)), "broken_child.py")]
# They mostly wait: for a child that starts, or for one that does not do what it should.
AT_ONCE = 8


class ChildFaults(Case):
    def verdicts(self, fault, promise):
        result = outboard("child", "check", "--json", "--codec", "json", "--timeout", "20s", "--only", promise, "--",
                          *CHILD, fault, env={**os.environ, "TMPDIR": self.dir}, timeout=4 * PATIENCE)
        return result.returncode, [(row["promise"], row["verdict"]) for row in json.loads(result.stdout)]

    def test_each_broken_promise_is_noticed(self):
        pairs = [(fault, promise) for fault, promises in FAULTS.items()
                 for promise in ([promises] if isinstance(promises, str) else promises)]
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            for (fault, promise), found in zip(pairs, pool.map(lambda pair: self.verdicts(*pair), pairs)):
                with self.subTest(fault, promise=promise):
                    self.assertEqual(found, (REMOTE, [(promise, "broken")]))
        self.assertEqual(glob.glob(f"{self.dir}/outboard-child-*"), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
