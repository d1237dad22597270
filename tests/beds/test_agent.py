# SPDX-License-Identifier: MIT
"""A child behind an agent in a virtual machine that QEMU emulates: one that is started, watched and ended by itself there."""
import os
import shlex
import signal

import bed

KERNEL = os.environ.get("OB_TEST_KERNEL", "")
LIBRARY = os.path.join(bed.BUILD, "liboutboard.a")


class Agent(bed.Life):
    test_is_handed_over = None  # the one test has all of it
    page, recipe, child = "AGENT.md", "agent-guest", "guest"
    tools = ("qemu-system-x86_64", "cpio")
    root_only = False
    more = {"ready": {"timeout": "10m"}}
    worker = "worker"

    def prepare(self):
        if not os.path.exists(os.path.join(KERNEL, "vmlinuz")):
            self.skipTest("no kernel for a guest")
        self.names = {"/usr/local/lib/liboutboard.a": shlex.quote(LIBRARY), "/usr/local/share/example": f"{self.dir}/share",
                      "scripts/make-guest": shlex.join([f"{bed.SOURCE}/scripts/make-guest", "--kernel", KERNEL])}

    def write(self, **more):
        bed.merged(self.text, {"children": {self.worker: bed.BRISK}})
        super().write(**more)

    def rows(self):
        done = self.outboard("status", "--json", self.config)
        self.assertEqual(done.returncode, bed.OK, done.stderr)
        rows = {row["name"]: row for row in bed.json.loads(done.stdout)}
        return rows["guest"], rows["worker"]

    def supervised(self):
        run = bed.Run(self.config, program=self.command, env=self.env, **self.as_user())
        self.runs.append(run)
        return run

    def test_lives(self):
        """Start, restart without its machine, adoption, death of the machine, stop."""
        with self.part("start"):
            run = self.supervised()
            run.events(guest="ready", worker="ready")
            guest, worker = self.rows()
            self.assertEqual((guest["where"], worker["where"], worker["state"]), ("vm", "guest", "ready"))
        with self.part("restart of the child alone"):
            done = self.outboard("restart", "--config", self.config, self.worker)
            self.assertEqual(done.returncode, bed.OK, done.stdout + done.stderr)
            now = self.rows()
            self.assertEqual(now[0]["pid"], guest["pid"])
            self.assertNotEqual(now[1]["pid"], worker["pid"])
            guest, worker = now
        with self.part("adoption after kill -9"):
            run.process.kill()
            run.process.wait()
            run = self.supervised()
            run.events(guest="adopted", worker="adopted")
            self.assertEqual([row["pid"] for row in self.rows()], [guest["pid"], worker["pid"]])
        with self.part("kill -9 of the machine"):
            os.kill(guest["pid"], signal.SIGKILL)
            seen = {}

            def take(record):
                seen[record.get("outboard"), record.get("event")] = record
                return all((name, event) in seen for name in ("guest", "worker") for event in ("exited", "ready"))
            run.record(take)
            self.assertIn("guest is gone", seen["worker", "exited"]["cause"])
            self.assertEqual((self.rows()[0]["restarts"], self.rows()[1]["restarts"]), (1, worker["restarts"]))
        with self.part("stop"):
            self.assertEqual(run.end(), bed.OK)
            self.assertEqual(bed.traces(self.dir, self.tag), set())


if __name__ == "__main__":
    bed.main()
