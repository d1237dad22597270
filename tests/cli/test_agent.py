# SPDX-License-Identifier: MIT
"""outboard agent: it serves a host, which is `outboard call` here; `agent list` and `agent ping` ask it."""
import contextlib
import json
import os
import signal
import subprocess

from command import OK, OUTBOARD, PATIENCE, REMOTE, UNREACHABLE, USAGE, Case, Watched, is_alive, outboard

HOST, INSTANCE, TOKEN = "0f" * 16, "1e" * 16, "2d" * 32


class Agents(Case):
    def setUp(self):
        super().setUp()
        self.root = os.path.join(self.dir, "root")
        self.address = f"unix://{self.dir}/agent.sock"
        self.agents, self.children = [], []
        self.token = os.path.join(self.dir, "token")
        with open(os.open(self.token, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
            file.write(TOKEN + "\n")
        self.auth = "--auth=token", f"--token-file={self.token}"

    def tearDown(self):
        """Nobody writes to the directory when it is removed."""
        for agent in self.agents:
            agent.kill()
            agent.wait()
            agent.stdout.close()
        for pid in self.children:
            with contextlib.suppress(ProcessLookupError):
                watched = Watched(pid)
                os.kill(pid, signal.SIGKILL)
                watched.wait()
                watched.close()
        super().tearDown()

    def begin(self, *args):
        """An agent that listens."""
        agent = subprocess.Popen([OUTBOARD, "agent", "--listen", self.address, "--root", self.root, *self.auth, *args],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.agents.append(agent)
        line = agent.stdout.readline()
        self.assertIn(b"the agent listens", line)
        return agent

    def ask(self, method, **params):
        return outboard("call", "--address", self.address, *self.auth, f"outboard-agent.{method}", json.dumps(params))

    def answer(self, method, **params):
        result = self.ask(method, **params)
        self.assertEqual(result.returncode, OK, result.stderr)
        return json.loads(result.stdout)

    def start(self, *argv):
        self.answer("hello", host=HOST, label="test")
        child = {"host": HOST, "name": "web", "instance": INSTANCE}
        self.answer("prepare", **child, options={"argv": argv}, config={})
        pid = self.answer("spawn", **child)["pid"]
        self.children.append(pid)
        return pid

    def test_a_child_outlives_its_agent(self):
        agent = self.begin("--allow", "/bin/sleep")
        pid = self.start("/bin/sleep", "1000")
        listed = outboard("agent", "list", self.address, *self.auth)
        self.assertEqual(listed.returncode, OK, listed.stderr)
        self.assertEqual(listed.stdout.splitlines()[1].split()[:3], ["web", "running", str(pid)])
        agent.terminate()
        self.assertEqual(agent.wait(PATIENCE), 0)
        self.assertTrue(is_alive(pid))
        self.begin("--allow", "/bin/sleep")
        listed = outboard("agent", "list", "--json", self.address, *self.auth)
        self.assertEqual(json.loads(listed.stdout)[0]["pid"], pid)
        self.answer("end", host=HOST, name="web", instance=INSTANCE, signal=9, timeout_ms=0)

    def test_only_what_is_allowed(self):
        self.begin()
        self.answer("hello", host=HOST, label="test")
        refused = self.ask("prepare", host=HOST, name="web", instance=INSTANCE, options={"argv": ["/bin/sleep"]}, config={})
        self.assertEqual(refused.returncode, REMOTE)
        self.assertIn("the agent does not allow it (error -32013)", refused.stderr)

    def test_ping(self):
        self.assertEqual(outboard("agent", "ping", self.address, *self.auth).returncode, UNREACHABLE)
        self.begin()
        self.expect(outboard("agent", "ping", self.address, *self.auth), OK, "", "")
        self.assertTrue(json.loads(outboard("agent", "ping", "--json", self.address, *self.auth).stdout)["healthy"])
        stranger = outboard("agent", "ping", self.address, "--auth=peercred")
        self.assertEqual(stranger.returncode, UNREACHABLE)

    def test_what_the_command_line_must_say(self):
        for args, reason in [
                (["--listen", self.address], "--root is required"),
                (["--root", self.root], "--listen is required"),
                (["--root", "root", "--listen", self.address], "root: must be an absolute path"),
                (["--root", self.root, "--listen", self.address, "--allow", "sleep"], "allow: sleep: must be absolute"),
                (["--root", self.root, "--listen", self.address, "--log-memory", "x"], "--log-memory: must be an integer"),
                (["--root", self.root, "--listen", self.address, "--log-memory", "5"], "log_memory: must be at least"),
                (["--root", self.root, "--listen", self.address, "--settings", "/nowhere"], "agent: /nowhere: "),
                (["--root", self.root, "extra"], "too many arguments")]:
            result = outboard("agent", *args)
            self.assertEqual(result.returncode, USAGE, args)
            self.assertIn(reason, result.stderr)
        result = outboard("agent", "--root", self.root, "--listen", self.address,
                          env={**os.environ, "OUTBOARD_CONFIG": "/nowhere"})
        self.assertEqual(result.returncode, USAGE)
        self.assertIn("OUTBOARD_CONFIG is set", result.stderr)


if __name__ == "__main__":
    import unittest
    unittest.main()
