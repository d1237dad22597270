# SPDX-License-Identifier: MIT
"""The crash matrix of a start at an agent: the agent, or the host, is killed at each failpoint. One process is there at the end, which
both know; a start is not forgotten, and is never made twice."""
import os
import signal
import subprocess
import unittest

from agents import QUICK, AgentCase
from command import ACTOR, OK, OUTBOARD, PATIENCE, is_alive, outboard

# Of `prepare`: the options, the files of the child, its state. Of `spawn`: what was spent, the process, its state.
AGENT = ["agent_create=kill@1", "agent_rename=kill@1", "agent_rename_done=kill@1", "fifo_make=kill@2", "config_create=kill@1",
         "config_rename_done=kill@1", "state_rename=kill@1", "state_written=kill@1", "agent_rename=kill@2",
         "agent_rename_done=kill@2", "before_fork=kill@1", "after_clone=kill@1", "state_rename=kill@2", "state_written=kill@2"]
# The state is written before and behind the requests; that of the agent's own connector is the first.
HOST = [f"state_{step}=kill@{n}" for n in range(1, 5) for step in ("rename", "rename_done")]


def has_failpoints():
    tried = subprocess.run([OUTBOARD, "--version"], env={**os.environ, "OUTBOARD_FP": "none=wrong"}, capture_output=True)
    return b"OUTBOARD_FP" in tried.stderr


@unittest.skipUnless(has_failpoints(), "built without failpoints (OUTBOARD_FAILPOINTS)")
class Crashes(AgentCase):
    def setUp(self):
        super().setUp()
        self.mark = f"mark={self.dir}"

    def copies(self):
        """The processes that the child's command has made. A zombie is dead."""
        found = []
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            # Between clone and exec it is still called as its agent is.
            if self.mark.encode() in words and is_alive(int(entry)):
                found.append(int(entry))
        return found

    def tearDown(self):
        for pid in self.copies():
            os.kill(pid, signal.SIGKILL)
        super().tearDown()

    def known(self):
        """The pid as the agent has it."""
        listed = outboard("agent", "list", self.agent.address, "--auth", "noise", "--token-file", self.agent.token_file)
        self.expect(listed, OK)
        return [int(line.split()[2]) for line in listed.stdout.splitlines()[1:] if line.split()[1] == "running"]

    def there_is_one(self, run):
        pid = self.status()["worker"]["pid"]
        self.assertEqual((self.copies(), self.known()), ([pid], [pid]))
        child = self.watch(pid)
        self.expect(outboard("stop", "--config", self.config, "worker"), OK)
        child.wait()
        self.assertEqual(self.copies(), [])
        self.assertEqual(run.end(), OK)

    def test_the_agent_dies(self):
        self.behind(self.mark)
        for point in AGENT:
            with self.subTest(point):
                self.agent.kill()
                self.agent.start(OUTBOARD_FP=point)
                run = self.run_it()
                self.assertEqual(self.agent.process.wait(PATIENCE), -signal.SIGKILL)
                self.agent.start()
                run.event("worker", "ready")
                self.there_is_one(run)

    def test_the_host_dies(self):
        self.behind(self.mark)
        for point in HOST:
            with self.subTest(point):
                run = self.run_it(env={**os.environ, "OUTBOARD_FP": point})
                self.assertEqual(run.process.wait(PATIENCE), -signal.SIGKILL)
                run = self.run_it()
                run.record(lambda r: r.get("outboard") == "worker" and r.get("event") in ("ready", "adopted"))
                self.there_is_one(run)


if __name__ == "__main__":
    unittest.main()
