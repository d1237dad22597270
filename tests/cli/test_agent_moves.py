# SPDX-License-Identifier: MIT
"""A config that was changed while no supervisor ran: a child that an agent has is never started twice, nor forgotten."""
import os
import signal
import unittest

from agents import QUICK, AgentCase
from command import ACTOR, is_alive


class AgentMoves(AgentCase):
    def leave(self):
        """A child that runs behind the agent, and its supervisor is gone."""
        run, child = self.begin()
        self.assertEqual(run.end(signal.SIGUSR1), 0)
        return child

    def come_back(self, child):
        """With its own config it is found again, and ended."""
        self.behind()
        run = self.run_it()
        run.event("worker", "adopted")
        self.assertEqual(self.status()["worker"]["pid"], child.pid)
        self.assertEqual(run.end(), 0)
        child.wait()

    def refused(self, child, config, **top):
        self.write({"worker": {**QUICK, **config}}, **top)
        run = self.run_it()
        told = run.record(lambda r: r.get("outboard") == "worker" and "was started behind the agent guest1" in str(r))
        self.assertIn("stop it with that as its agent (via)", str(told))
        run.end()
        self.assertFalse([r for r in run.records if r.get("outboard") == "worker" and r.get("event") == "starting"])
        self.assertTrue(is_alive(child.pid))

    def test_it_is_not_started_here_too(self):
        child = self.leave()
        self.refused(child, {"command": [ACTOR]}, agents={"guest1": self.agent.entry()})
        self.refused(child, {"command": [ACTOR]})  # and again: what is known of it was not overwritten
        self.come_back(child)

    def test_it_is_not_started_behind_another_agent(self):
        child = self.leave()
        other = os.path.join(self.dir, "other")
        os.mkdir(other)
        second = self.begin_agent(other, "127.0.0.2")
        self.agents.append(second)
        self.refused(child, {"command": [ACTOR], "via": "guest2"}, agents={"guest2": second.entry()})
        self.come_back(child)

    def test_one_that_is_removed_is_told_and_not_forgotten(self):
        child = self.leave()
        self.write({}, agents={"guest1": self.agent.entry()})
        run = self.run_it()
        told = run.record(lambda r: r["msg"] == "removed from the config, but cannot be stopped")
        self.assertIn("it was started behind an agent (via://guest1/worker)", told["cause"])
        self.assertEqual(run.end(), 0)
        self.assertTrue(is_alive(child.pid))
        self.come_back(child)


if __name__ == "__main__":
    unittest.main()
