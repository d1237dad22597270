# SPDX-License-Identifier: MIT
"""outboard check --live: agents are asked what they would refuse."""
import json
import os
import secrets
import unittest

from agents import QUICK, AgentCase
from command import ACTOR, OK, OUTBOARD, USAGE, outboard


class AgentCheck(AgentCase):
    def check(self, *args):
        return outboard("check", "--live", *args, self.config)

    def findings(self):
        """key -> reason, after a look at the places."""
        result = self.check("--json")
        self.assertEqual((result.returncode, result.stderr), (USAGE, ""))
        found = json.loads(result.stdout)
        self.assertTrue(all(f["line"] == 1 and f["column"] > 1 for f in found), found)
        return {f["key"]: f["reason"] for f in found}

    def kept(self):
        """What the agent has made, of children and of what is known of them."""
        far = os.path.join(self.dir, "far")
        return sorted(os.listdir(far)), sorted(os.listdir(os.path.join(far, ".state")))

    def await_agent(self):
        """It listens: what is connected to it is accepted in the end."""
        self.behind()
        run = self.run_it()
        run.event("guest1", "adopted")
        self.assertEqual(run.end(), 0)

    def test_what_an_agent_would_refuse(self):
        self.await_agent()
        before = self.kept()
        refused = {"user": {"user": "no-such-user"}, "cwd": {"cwd": "/nowhere"}, "stdin": {"stdin": "/nowhere/x"},
                   "command": {"command": ["/bin/cat"]}, "stop.cleanup": {"stop": {"cleanup": ["/bin/cat"]}}}
        names = {key: f"c{i}" for i, key in enumerate(refused)}
        self.write({names[key]: {"command": [ACTOR], "via": "guest1", **QUICK, **more} for key, more in refused.items()},
                   agents={"guest1": self.agent.entry()})
        self.assertEqual(outboard("check", self.config).returncode, OK)  # this machine does not know
        found = self.findings()
        for key in refused:
            self.assertIn(f"children.{names[key]}.{key}", found)
        self.assertEqual(found[f"children.{names['cwd']}.cwd"], "guest1: /nowhere: No such file or directory")
        self.assertRegex(found[f"children.{names['command']}.command"], "^guest1: .*: the agent does not allow it$")
        self.assertIn("no-such-user", found[f"children.{names['user']}.user"])
        text = self.check().stderr
        self.assertIn(f'{self.place_of("cwd")}: children.{names["cwd"]}.cwd: guest1: /nowhere', text)
        # Nothing was made, started or kept.
        self.assertEqual(self.kept(), before)

    def test_a_limit_above_the_hard_one(self):
        self.await_agent()
        self.behind(limits={"nofile": [100, 1 << 40]})
        self.assertIn("nofile: is above ", self.findings()["children.worker.limits"])

    def test_an_agent_that_runs_is_not_taken_over(self):
        run, child = self.begin()
        for _ in range(3):
            self.expect(self.check(), OK)
        self.expect(outboard("restart", "--config", self.config, "worker"), OK)
        child.wait()
        self.watch(self.status()["worker"]["pid"])
        self.assertFalse([r for r in run.records if r.get("event") == "detached"])
        self.assertEqual(run.end(), 0)

    def test_an_agent_that_does_not_answer(self):
        self.await_agent()
        self.agent.kill()
        self.behind()
        self.assertIn("Connection refused", self.findings()["agents.guest1.connect"])
        self.assertIn(f'{self.place_of("connect")}: agents.guest1.connect: ', self.check().stderr)

    def test_another_token(self):
        self.await_agent()
        other = os.path.join(self.dir, "other.token")
        with open(os.open(other, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(secrets.token_hex(32) + "\n")
        self.write({}, agents={"guest1": {**self.agent.entry(), "token_file": other}})
        self.assertIn("agents.guest1.auth", self.findings())
        os.unlink(other)
        self.assertIn("agents.guest1.token_file", self.findings())

    def test_what_is_no_agent(self):
        """A child that is asked, and has no such interface; and an agent that is a child, before it is started."""
        plain = {"command": [ACTOR], **QUICK}
        self.write({"plain": plain, "worker": {"command": [ACTOR], "via": "plain", **QUICK}})
        result = self.check()
        self.expect(result, OK)
        self.assertIn("children.plain: does not run, so it was not asked", result.stderr)
        run = self.run_it()
        run.event("plain", "ready")
        self.assertIn("is no agent that answers: ", self.findings()["children.plain.connect"])
        self.assertNotEqual(run.end(), None)

    def test_an_agent_that_is_a_child(self):
        guest = {"command": [OUTBOARD, "agent", "--root", os.path.join(self.dir, "inner"), "--allow", "/nowhere/*"]}
        self.write({"guest": guest, "worker": {"command": [ACTOR], "via": "guest", **QUICK}})
        run = self.run_it()
        run.event("guest", "ready")
        self.assertIn("the agent does not allow it", self.findings()["children.worker.command"])
        run.end()


if __name__ == "__main__":
    unittest.main()
