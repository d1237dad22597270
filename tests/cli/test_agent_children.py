# SPDX-License-Identifier: MIT
"""Children behind an agent: `via` and `agents` in the config of `outboard run`."""
import os
import shutil
import signal
import unittest

from agents import QUICK, AgentCase
from command import ACTOR, OK, PATIENCE, is_alive, outboard


class AgentChildren(AgentCase):
    def test_a_child_is_started_shown_and_stopped(self):
        run, child = self.begin("say=hello from far away")
        row = self.status()["worker"]
        self.assertEqual((row["state"], row["link"], row["healthy"], row["where"], row["address"]),
                         ("ready", "up", True, "guest1", "via://guest1/worker"))
        self.assertEqual(self.status()["guest1"]["state"], "ready")
        self.assertTrue([r for r in run.records if "hello from far away" in r["msg"]])
        self.assertFalse(os.path.exists(os.path.join(self.root, "worker")), "a data directory was made here")
        self.expect(outboard("stop", "--config", self.config, "worker"), OK)
        child.wait()
        self.expect(outboard("start", "--config", self.config, "worker"), OK)
        again = self.watch(self.status()["worker"]["pid"])
        self.assertEqual(run.end(), 0)
        again.wait()

    def test_a_child_that_is_killed_is_started_again(self):
        run, child = self.begin()
        os.kill(child.pid, signal.SIGKILL)
        self.assertEqual(run.event("worker", "exited")["signal"], 9)
        run.event("worker", "ready")
        self.watch(self.status()["worker"]["pid"])
        self.assertEqual(run.end(), 0)

    def test_an_agent_that_is_killed_finds_its_child(self):
        run, child = self.begin()
        self.agent.kill()
        run.event("worker", "link_down")
        self.assertTrue(is_alive(child.pid))
        self.assertIn("guest1", self.status()["worker"]["last_error"])
        self.agent.start()
        run.event("worker", "link_up")
        row = self.status()["worker"]
        self.assertEqual((row["pid"], row["state"], row["restarts"]), (child.pid, "ready", 0))
        self.assertFalse([r for r in run.records if r.get("event") in ("exited", "restarting")])
        self.assertEqual(run.end(), 0)
        child.wait()

    def test_a_guest_that_boots_starts_its_children_anew(self):
        run, child = self.begin()
        self.agent.kill()
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        shutil.rmtree(os.path.join(self.dir, "far"))  # a new machine
        self.agent.start()
        self.assertEqual(run.event("worker", "exited")["cause"], "guest1 is gone")
        run.event("worker", "ready")
        row = self.status()["worker"]
        self.watch(row["pid"])
        self.assertEqual(row["restarts"], 0)  # its policy does not count it
        self.assertEqual(run.end(), 0)

    def test_the_next_supervisor_adopts_it(self):
        run, child = self.begin()
        run.process.kill()
        run.process.wait(PATIENCE)
        self.assertTrue(is_alive(child.pid))
        run = self.run_it()
        run.event("worker", "adopted")
        self.assertEqual(self.status()["worker"]["pid"], child.pid)
        self.assertEqual(run.end(), 0)
        child.wait()

    def test_a_detach_leaves_it_running(self):
        run, child = self.begin()
        self.assertEqual(run.end(signal.SIGUSR1), 0)
        self.assertTrue(is_alive(child.pid))
        run = self.run_it()
        run.event("worker", "adopted")
        self.assertEqual(run.end(), 0)
        child.wait()

    def test_a_supervisor_waits_for_the_agent(self):
        self.agent.kill()
        self.behind()
        run = self.run_it()
        run.record(lambda r: r.get("outboard") == "worker" and "blocked" in r["msg"])
        self.agent.start()
        run.event("worker", "ready")
        self.watch(self.status()["worker"]["pid"])
        self.assertEqual(run.end(), 0)

    def test_a_second_signal_does_not_wait_for_the_agent(self):
        run, child = self.begin()
        self.agent.kill()
        run.event("worker", "link_down")
        run.process.send_signal(signal.SIGTERM)
        run.record(lambda r: r["msg"] == "waiting for children to end")  # an earlier signal would be taken for the same one
        self.assertNotEqual(run.end(), None)
        self.assertTrue([r for r in run.records if r.get("event") == "detached" and r["outboard"] == "worker"])
        self.assertTrue(is_alive(child.pid))
        os.kill(child.pid, signal.SIGKILL)
        child.wait()

    def test_a_local_agent_that_hangs_is_as_one_that_is_lost(self):
        """Its connection is kept: a new one to a local agent would not help."""
        self.agent.kill()
        self.agent.address = "unix://" + os.path.join(self.dir, "agent.sock")
        self.agent.start()
        run, child = self.begin()
        os.kill(self.agent.process.pid, signal.SIGSTOP)
        run.event("guest1", "unresponsive")
        os.kill(self.agent.process.pid, signal.SIGCONT)
        os.kill(child.pid, signal.SIGKILL)
        self.assertEqual(run.event("worker", "exited")["signal"], 9)
        run.event("worker", "ready")
        child = self.watch(self.status()["worker"]["pid"])
        os.kill(self.agent.process.pid, signal.SIGSTOP)
        run.event("guest1", "unresponsive")
        run.process.send_signal(signal.SIGTERM)
        run.record(lambda r: r["msg"] == "waiting for children to end")  # an earlier signal would be taken for the same one
        self.assertNotEqual(run.end(), None)
        end = [r for r in run.records if r.get("event") == "detached" and r["outboard"] == "worker"]
        self.assertIn("guest1: it does not answer", end[0]["cause"])
        self.assertTrue(is_alive(child.pid))
        os.kill(child.pid, signal.SIGKILL)
        child.wait()

    def test_a_second_signal_does_not_wait_for_a_look_at_one_that_failed(self):
        """To stop it, what is left of it is looked for, at an agent that is not there."""
        self.behind("exit=1", restart={"on": "never"})
        run = self.run_it()
        run.event("worker", "failed")
        self.agent.kill()
        run.event("guest1", "link_down")
        run.process.send_signal(signal.SIGTERM)
        run.record(lambda r: r["msg"] == "waiting for children to end")  # an earlier signal would be taken for the same one
        self.assertNotEqual(run.end(), None)

    def test_a_reload_moves_it(self):
        run, child = self.begin()
        other = os.path.join(self.dir, "other")
        os.mkdir(other)
        second = self.begin_agent(other, "127.0.0.2")
        self.agents.append(second)
        self.write({"worker": {"command": [ACTOR], "via": "guest2", **QUICK}},
                   agents={"guest1": self.agent.entry(), "guest2": second.entry()})
        self.expect(outboard("reload", "--config", self.config, "--restart-changed"), OK)
        child.wait()
        run.event("worker", "ready")
        row = self.status()["worker"]
        self.watch(row["pid"])
        self.assertEqual((row["where"], row["address"]), ("guest2", "via://guest2/worker"))
        self.assertEqual(run.end(), 0)

    # ---- The config ----

    def test_check_finds_no_fault(self):
        self.behind()
        self.expect(outboard("check", self.config), OK)

    def test_check_says_where_the_fault_is(self):
        worker = {"command": [ACTOR], "via": "nobody"}
        self.assertIn(f'{self.config}:1:', text := self.faults({"worker": worker}))
        self.assertIn('children.worker.via: there is no child "nobody"', text)
        self.assertIn(self.place_of("via"), text)
        agents = {"guest1": self.agent.entry()}
        for key, value in (("listen", "tcp://127.0.0.1:7"), ("connect", "tcp://127.0.0.1:7"),
                           ("client_listen", "tcp://127.0.0.1:7"), ("parent_address", "127.0.0.1")):
            text = self.faults({"worker": {"command": [ACTOR], "via": "guest1", key: value}}, agents=agents)
            self.assertIn(f"{self.place_of(key)}: children.worker.{key}: is not for a child behind an agent", text)
        text = self.faults({"worker": {"command": [ACTOR], "via": "guest1", "within": "other"},
                            "other": {"command": [ACTOR]}}, agents=agents)
        self.assertIn(f'{self.place_of("within")}: children.worker.within: must be "guest1" or left out', text)
        text = self.faults({"worker": {"command": [ACTOR], "via": "inner"},
                            "inner": {"command": [ACTOR], "via": "guest1"}}, agents=agents)
        self.assertIn('children.worker.via: "inner" is behind an agent itself', text)
        text = self.faults({"worker": {"command": None, "via": "guest1"}}, agents=agents)
        self.assertIn("children.worker.command: is required: the agent (via) starts the child", text)

    def test_check_reads_agents(self):
        text = self.faults({}, agents={"guest1": {"connect": "nowhere"}})
        self.assertIn(f'{self.place_of("connect")}: agents.guest1.connect:', text)
        text = self.faults({}, agents={"guest1": {"command": [ACTOR]}})
        self.assertIn(f'{self.place_of("command")}: agents.guest1.command: is not for an agent', text)
        entry = self.agent.entry()
        del entry["token_file"]
        self.assertIn("agents.guest1.token_file: is required", self.faults({}, agents={"guest1": entry}))
        text = self.faults({"guest1": {"command": [ACTOR]}}, agents={"guest1": self.agent.entry()})
        self.assertIn("agents.guest1: is the name of a child, too", text)


if __name__ == "__main__":
    unittest.main()
