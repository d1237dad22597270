# SPDX-License-Identifier: MIT
"""What a supervisor learns over the link: another process behind the runner, a clock that was set back, versions, losses of the link."""
import json
import os
import signal
import socket
import sys
import time
import unittest

from command import ACTOR, OK, PATIENCE, Case, outboard

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "scripted.py")
RUN = "0123456789abcdef" * 2
OTHER = "fedcba9876543210" * 2
HOUR = 3600 * 10**9
LOOP = "trap 'kill $!; exit 0' INT TERM; while :; do \"$0\" & wait $!; done"


def health(**more):
    return {"healthy": True, "last_error": "", **more}


class Link(Case):
    def scripted(self, answers=None, **more):
        """A child that tests/cli/scripted.py is; `answers` are those that it begins with."""
        self.orders = os.path.join(self.dir, "orders")
        command = [sys.executable, "-S", "-E", SCRIPT, self.orders, json.dumps(answers or {})]
        return {"command": command, "auth": "peercred", "codec": "json", **more}

    def order(self, **what):
        """Done when this returns. The child may not have opened its socket yet, if it was just started anew."""
        deadline = time.monotonic() + PATIENCE
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE)
            while connection.connect_ex(self.orders) != 0:
                self.assertLess(time.monotonic(), deadline)
            connection.sendall(json.dumps(what).encode() + b"\n")
            self.assertEqual(connection.recv(16), b"done\n")

    def started(self, child):
        self.write({"a": child})
        run = self.run_it()
        self.pid = run.event("a", "ready")["pid"]
        return run

    def names(self, run):
        return [r["event"] for r in run.records if r.get("outboard") == "a" and "event" in r]

    def rejudge(self, run, answer):
        """Answer this from a new connection on."""
        self.order(health=answer, drop=True)
        run.event("a", "link_down")
        return run.event("a", "link_up")

    def await_status(self, wanted):
        deadline = time.monotonic() + PATIENCE
        while not wanted(row := self.status()["a"]):
            self.assertLess(time.monotonic(), deadline, row)
        return row

    # ---- Another process behind the runner ----

    def test_a_child_that_is_started_anew_behind_its_runner(self):
        run = self.started({"command": ["/bin/sh", "-c", LOOP, ACTOR], "ready": {"mode": "rpc"}})
        row = self.status()["a"]
        first = row["inner_pid"]
        self.assertEqual((row["pid"], row["restarts"]), (self.pid, 0))
        self.assertNotIn(first, (None, self.pid))
        self.assertRegex(outboard("status", self.config).stdout, rf"(?m)^a .* {self.pid} \(inner {first}\) ")
        os.kill(first, signal.SIGKILL)
        event = run.event("a", "replaced")
        self.assertEqual((event["pid"], event["restarts"], event["level"]), (self.pid, 1, "WARN"))
        self.assertIn("its run id has changed", event["cause"])
        row = self.status()["a"]
        second = row["inner_pid"]
        self.assertEqual((row["state"], row["pid"], row["restarts"]), ("ready", self.pid, 1))
        self.assertNotIn(second, (None, first, self.pid))

        # The same while nobody looks.
        self.watch(self.pid)
        self.assertEqual(run.end(signal.SIGUSR1), OK)
        row = self.status(f"{self.root}/a")["a"]
        self.assertEqual((row["state"], row["pid"], row["inner_pid"]), ("detached", self.pid, second))
        watched = self.watch(second)
        os.kill(second, signal.SIGKILL)
        watched.wait()
        run = self.run_it()
        run.event("a", "adopted")
        self.assertEqual(run.event("a", "replaced")["restarts"], 2)
        self.assertEqual(self.status()["a"]["restarts"], 2)
        self.assertEqual(run.end(), OK)

    def test_an_adopted_child_that_is_the_same(self):
        run = self.started({"command": [ACTOR]})
        self.assertEqual(self.status()["a"]["inner_pid"], None)
        self.assertEqual(run.end(signal.SIGUSR1), OK)
        with open(f"{self.root}/.state/a/state.json") as file:
            state = json.load(file)
        self.assertRegex(state["run"], "^[0-9a-f]{32}$")
        self.assertEqual(state["run_pid"], self.pid)
        run = self.run_it()
        run.event("a", "adopted")
        self.assertEqual(run.end(), OK)
        self.assertNotIn("replaced", self.names(run))

    # ---- What a child may say ----

    def test_the_same_run_with_a_lower_uptime_is_rewound(self):
        run = self.started(self.scripted({"health": health(run=RUN, pid=7, uptime=HOUR)}))
        self.assertEqual(self.status()["a"]["inner_pid"], 7)
        self.rejudge(run, health(run=RUN, pid=7, uptime=HOUR - 10**9))
        event = run.event("a", "rewound")
        self.assertIn("its uptime went back", event["cause"])
        row = self.status()["a"]
        self.assertEqual((row["pid"], row["restarts"]), (self.pid, 0))
        self.assertEqual(run.end(), OK)
        self.assertNotIn("replaced", self.names(run))

    def test_without_a_run_the_pid_and_the_uptime_tell(self):
        run = self.started(self.scripted({"health": health(pid=7, uptime=HOUR)}))
        self.rejudge(run, health(pid=7, uptime=HOUR))
        self.rejudge(run, health(pid=8, uptime=2 * HOUR))
        self.assertIn("its pid was 7 and is 8", run.event("a", "replaced")["cause"])
        self.rejudge(run, health(pid=8, uptime=HOUR))
        self.assertIn("its uptime went back", run.event("a", "replaced")["cause"])
        self.rejudge(run, health())
        self.rejudge(run, None)
        self.assertEqual(self.status()["a"]["restarts"], 2)
        self.assertEqual(run.end(), OK)
        self.assertEqual(self.names(run).count("replaced"), 2)
        self.assertNotIn("rewound", self.names(run))

    def test_values_that_make_no_sense_are_not_known(self):
        numbers = -1, -2**63, 1.5, "7"
        run = self.started(self.scripted({"health": health()}))
        for name, number in zip((RUN[:-1], "\0" * 32, [RUN], "0" * 100000), numbers):
            self.rejudge(run, health(run=name, pid=number, uptime=number))
            row = self.status()["a"]
            self.assertEqual((row["state"], row["inner_pid"]), ("ready", None), (name, number))
        self.assertEqual(run.end(), OK)
        self.assertFalse({"replaced", "rewound"} & set(self.names(run)))

    # ---- Losses of the link ----

    def test_a_loss_is_told_once_and_so_is_its_end(self):
        run = self.started(self.scripted())
        self.order(deaf=True, drop=True)
        event = run.event("a", "link_down")
        self.assertEqual((event["msg"], event["level"], event["pid"]), ("link down", "WARN", self.pid))
        self.assertTrue(event["cause"])
        self.await_status(lambda row: row["link"] != "up" and row["last_error"])
        self.order(deaf=False)
        event = run.event("a", "link_up")
        self.assertEqual((event["msg"], event["level"], event["pid"]), ("link up", "INFO", self.pid))
        self.assertRegex(event["cause"], r"^connected again after \d+ ms$")
        self.assertEqual(run.end(), OK)
        self.assertEqual(self.names(run), ["starting", "ready", "link_down", "link_up", "stopping", "exited", "stopped"])

    def test_an_exit_is_no_loss(self):
        run = self.started({"command": [ACTOR], "restart": {"backoff_base": "10ms"}})
        for _ in range(3):
            os.kill(self.pid, signal.SIGKILL)
            self.pid = run.event("a", "ready")["pid"]
        self.assertEqual(run.end(), OK)
        self.assertFalse({"link_down", "link_up", "replaced"} & set(self.names(run)))
        self.assertEqual(self.names(run).count("ready"), 4)

    def test_the_first_link_of_a_child_that_is_ready_without_one(self):
        run = self.started(self.scripted(ready={"mode": "none"}))
        self.assertEqual(run.event("a", "link_up")["cause"], "connected")
        self.assertEqual(run.end(signal.SIGUSR1), OK)
        self.watch(self.pid)
        run = self.run_it()
        run.event("a", "adopted")
        run.event("a", "link_up")
        self.assertEqual(run.end(), OK)

    def test_in_text(self):
        self.write({"a": self.scripted()})
        run = self.run_it("--log-format", "text")

        def line(text):
            while (found := run.lines.next(time.monotonic() + PATIENCE)) is not None:
                if text in found:
                    return found
            self.fail(f"no {text}")
        line("ready")
        self.order(drop=True, health=health(run=RUN, pid=7))
        self.assertRegex(line("link down"), r"\[a\] link down .*cause=")
        self.assertRegex(line("link up"), r"\[a\] link up .*cause=\"connected again after \d+ ms\"")
        self.await_status(lambda row: row["inner_pid"] == 7)
        self.order(drop=True, health=health(run=OTHER))
        self.assertRegex(line("replaced"), r"\[a\] replaced .*restarts=1 cause=")
        self.assertEqual(run.end(), OK)

    # ---- Versions ----

    def test_fault_89_a_version_that_stays_too_old_backs_off_and_counts(self):
        """A child that is well at first, and says that it is too old on the second connection; each time anew."""
        old = {"current_version": 1, "needs_restart": True}
        run = self.started(self.scripted(version=2, restart={"max_restarts": 2, "backoff_base": "10ms"}))
        delays = []
        for _ in range(3):
            self.order(version=old, drop=True)
            event = run.event("a", "restarting")
            delays.append((event["delay"], event["restarts"]))
            run.event("a", "ready")
        self.assertEqual(delays, [("0s", 0), ("10ms", 1), ("20ms", 2)])
        self.order(version=old, drop=True)
        self.assertEqual(run.event("a", "failed")["restarts"], 2)
        self.assertEqual(self.status()["a"]["state"], "failed")
        self.assertEqual(run.end(), OK)

    def test_a_life_that_was_well_makes_the_next_version_the_first(self):
        old = {"current_version": 1, "needs_restart": True}
        run = self.started(self.scripted(version=2, restart={"reset_window": "1ms", "backoff_base": "1h"}))
        for _ in range(3):
            self.status()  # takes longer than the window
            self.order(version=old, drop=True)
            event = run.event("a", "restarting")
            self.assertEqual((event["delay"], event["restarts"]), ("0s", 0))
            run.event("a", "ready")
        self.assertEqual(run.end(), OK)


if __name__ == "__main__":
    unittest.main()
