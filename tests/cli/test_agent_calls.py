# SPDX-License-Identifier: MIT
"""Clients of children behind an agent: outboard call and outboard status, beside the supervisor and without one."""
import json
import os
import shutil
import signal
import unittest

from agents import QUICK, AgentCase
from command import ACTOR, OK, OUTBOARD, PATIENCE, UNREACHABLE, USAGE, outboard, outboard_as


class AgentCalls(AgentCase):
    def call(self, *args):
        return outboard("call", "--config", self.config, "worker", *args)

    def test_a_call_beside_the_supervisor(self):
        run, child = self.begin()
        text = json.dumps("there and back" * 5000)
        self.expect(self.call("act.echo", f"[{text}]"), OK, text + "\n")
        # By its directory, too: the state says how the agent is reached.
        self.expect(outboard("call", os.path.join(self.root, "worker"), "act.echo", "[1]"), OK, "1\n")
        # Who calls takes nothing over: the supervisor is served as before.
        self.assertFalse([r for r in run.records if r.get("event") in ("link_down", "detached", "exited")])
        self.expect(outboard("restart", "--config", self.config, "worker"), OK)
        child.wait()
        self.watch(self.status()["worker"]["pid"])
        self.expect(self.call("act.echo", "[2]"), OK, "2\n")
        self.assertEqual(run.end(), 0)

    def test_without_a_supervisor(self):
        run, child = self.begin()
        self.assertEqual(run.end(signal.SIGUSR1), 0)
        row = self.status()["worker"]
        self.assertEqual((row["state"], row["link"], row["healthy"], row["where"]), ("detached", "up", True, "guest1"))
        self.expect(self.call("act.echo", "[1]"), OK, "1\n")
        run = self.run_it()
        run.event("worker", "adopted")  # nobody has taken it over meanwhile
        self.assertEqual(run.end(), 0)
        child.wait()

    def test_without_the_agent(self):
        run, child = self.begin()
        self.assertEqual(run.end(signal.SIGUSR1), 0)
        self.agent.kill()
        result = self.call("act.echo", "[1]")
        self.assertEqual((result.returncode, result.stdout), (UNREACHABLE, ""))
        self.assertIn("agent guest1: ", result.stderr)
        row = self.status()["worker"]
        self.assertEqual((row["state"], row["link"]), ("detached", "down"))
        self.assertIn("agent guest1: ", row["last_error"])
        os.kill(child.pid, signal.SIGKILL)
        child.wait()

    def test_another_start_is_not_the_child(self):
        """A client knows a start, and no other process is taken for it, whatever the list of mechanisms is."""
        run, child = self.begin(auth="peercred")
        state = os.path.join(self.root, ".state", "worker", "state.json")
        kept = os.path.join(self.dir, "kept")
        shutil.copy(state, kept)
        self.expect(self.call("act.echo", "[1]"), OK, "1\n")
        self.expect(outboard("restart", "--config", self.config, "worker"), OK)
        child.wait()
        child = self.watch(self.status()["worker"]["pid"])
        run.process.kill()
        run.process.wait(PATIENCE)
        os.replace(kept, state)
        result = self.call("act.echo", "[1]")
        self.assertEqual(result.returncode, UNREACHABLE)
        self.assertIn("unknown instance", result.stderr)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()

    def test_after_the_child(self):
        run, child = self.begin()
        self.expect(outboard("stop", "--config", self.config, "worker"), OK)
        child.wait()
        result = self.call("act.echo", "[1]")
        self.assertEqual(result.returncode, UNREACHABLE)
        self.assertIn("no child is running", result.stderr)
        self.assertEqual(run.end(), 0)

    def test_its_token_and_that_of_the_agent_are_needed(self):
        """Whoever cannot read both states has neither."""
        run, child = self.begin()
        path = os.path.join(self.root, ".state", "guest1", "state.json")
        with open(path) as file:
            state = json.load(file)
        if os.geteuid() == 0:
            os.chmod(self.dir, 0o711)
            result = outboard_as(12345, "call", os.path.join(self.root, "worker"), "act.echo", "[1]")
            self.assertEqual(result.returncode, UNREACHABLE)
            self.assertEqual(result.stdout, "")
        self.assertEqual(run.end(signal.SIGUSR1), 0)
        state["token"] = "ab" * 32
        with open(path, "w") as file:
            json.dump(state, file)
        result = self.call("act.echo", "[1]")
        self.assertEqual(result.returncode, UNREACHABLE)
        self.assertIn("agent guest1: ", result.stderr)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()

    def test_an_agent_that_is_a_child_and_has_settings(self):
        """The settings of the agent are found by its name: those of the child are not taken for them."""
        keys = {name: os.path.join(self.dir, name) for name in ("host", "guest", "hosts", "guests")}
        for name in ("host", "guest"):
            line = outboard("key", "new", keys[name]).stdout
            self.expect(outboard("key", "authorize", keys[name + "s"], line), OK)
        mechanism = {"use": "keys", "settings": {"key": keys["host"], "authorized": keys["guests"]},
                     "child_settings": {"key": keys["guest"], "authorized": keys["hosts"]}}
        guest = {"command": [OUTBOARD, "agent", "--root", os.path.join(self.dir, "inner"), "--allow", ACTOR],
                 "auth": ["peercred", "token", mechanism]}
        self.write({"guest": guest, "worker": {"command": [ACTOR], "via": "guest", **QUICK}})
        run = self.run_it()
        run.event("worker", "ready")
        child = self.watch(self.status()["worker"]["pid"])
        self.watch(self.status()["guest"]["pid"])
        self.expect(self.call("act.echo", "[1]"), OK, "1\n")
        result = outboard("call", os.path.join(self.root, "worker"), "act.echo", "[1]")
        self.assertEqual(result.returncode, USAGE)  # a directory does not say what they are
        self.assertIn("agent guest: ", result.stderr)
        self.assertEqual(run.end(signal.SIGUSR1), 0)
        self.assertEqual(self.status()["worker"]["link"], "up")
        run = self.run_it()
        run.event("worker", "adopted")
        self.assertEqual(run.end(), 0)
        child.wait()


if __name__ == "__main__":
    unittest.main()
