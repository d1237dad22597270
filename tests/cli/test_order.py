# SPDX-License-Identifier: MIT
"""Children that are after others, or within others: start, stop, loss, reload and adoption."""
import json
import os
import re
import signal
import time
import unittest

from command import OK, ONCE, REMOTE, STUBBORN, UNREACHABLE, USAGE, Case, actor, is_alive, outboard

SOON = {"backoff_base": "10ms"}


class Order(Case):
    def ask(self, verb, *names):
        return outboard(verb, "--config", self.config, *names)

    def begin(self, children, **ready):
        """Each in the end has this event."""
        self.write(children)
        run = self.run_it()
        self.found(run, **(ready or {name: "ready" for name in children}))
        return run

    def found(self, run, **wanted):
        self.pids = {**getattr(self, "pids", {}), **{n: r.get("pid") for n, r in run.events(**wanted).items()}}

    def kill(self, name):
        os.kill(self.pids[name], signal.SIGKILL)

    def place(self, run, name, event, since=0):
        """The index of the first such record from this one on."""
        return next(i for i, r in enumerate(run.records)
                    if i >= since and (r.get("outboard"), r.get("event")) == (name, event))

    def states(self):
        return {name: row["state"] for name, row in self.status().items()}

    def slow(self, **more):
        """A child that becomes ready when the FIFO is opened."""
        self.fifo = os.path.join(self.dir, "fifo")
        os.mkfifo(self.fifo)
        return actor(env={"ACTOR_AFTER": self.fifo}, **more)

    # ---- Start and stop ----

    def test_a_child_is_started_when_those_that_it_is_after_are_ready(self):
        self.write({"top": actor(after=["app"]), "app": actor(after=["job"], within="vm"), "vm": self.slow(),
                    "job": actor("exit=0", restart={"on": "failure"})})
        run = self.run_it()
        self.assertRegex(run.event("top", "blocked")["cause"], r"^waits for app, which is \w+$")
        run.events(job="done", vm="starting")
        rows = self.status()
        self.assertEqual([rows[name]["state"] for name in ("top", "app", "job")], ["blocked", "blocked", "done"])
        self.assertEqual(rows["app"]["last_error"], "waits for vm, which is starting")
        self.assertEqual(rows["top"]["last_error"], "waits for app, which is blocked")
        call = outboard("call", "--config", self.config, "app", "act.echo", "[1]")
        self.expect(call, UNREACHABLE, "", "outboard: app: blocked: waits for vm, which is starting\n")
        self.assertRegex(outboard("status", self.config).stdout,
                         r"(?m)^app +blocked +down .* waits for vm, which is starting$")
        with open(self.fifo, "w"):
            run.event("top", "ready")
        for first, then in ("vm", "app"), ("app", "top"):
            self.assertLess(self.place(run, first, "ready"), self.place(run, then, "starting"))
        since = len(run.records)
        self.assertEqual(run.end(), OK)
        for first, then in ("top", "app"), ("app", "vm"):
            self.assertLess(self.place(run, first, "stopped", since), self.place(run, then, "stopping", since))

    def test_a_stop_takes_those_that_are_after_it_and_a_start_those_before(self):
        run = self.begin({"vm": [], "app": actor(after=["vm"]), "top": actor(within="app")})
        since = len(run.records)
        self.expect(self.ask("stop", "vm"), OK, "vm: stopped\n")
        self.assertEqual(self.states(), {"vm": "stopped", "app": "blocked", "top": "blocked"})
        self.expect(self.ask("start", "top"), OK, "top: ready\n")
        self.assertEqual(set(self.states().values()), {"ready"})
        run.event("top", "ready")
        for first, then in ("top", "app"), ("app", "vm"):
            self.assertLess(self.place(run, first, "stopped", since), self.place(run, then, "stopping", since))
        self.expect(self.ask("stop", "app"), OK)
        self.assertEqual(self.states(), {"vm": "ready", "app": "stopped", "top": "blocked"})
        self.expect(self.ask("start", "app"), OK)
        self.expect(self.ask("start", "top"), OK)
        before = {name: row["pid"] for name, row in self.status().items()}
        self.expect(self.ask("restart", "vm"), OK, "vm: ready\n")
        self.expect(self.ask("start", "top"), OK)
        for name, row in self.status().items():
            self.assertEqual(row["state"], "ready")
            self.assertNotEqual(row["pid"], before[name])
        self.expect(self.ask("stop"), OK)
        self.assertEqual(set(self.states().values()), {"stopped"})
        self.expect(self.ask("start"), OK)
        self.expect(self.ask("restart"), OK)
        self.assertEqual({(row["state"], row["restarts"]) for row in self.status().values()}, {("ready", 0)})
        self.assertEqual(run.end(), OK)

    def test_a_stop_of_a_blocked_child_ends_its_waiting(self):
        self.write({"vm": self.slow(), "app": actor(after=["vm"])})
        run = self.run_it()
        run.event("app", "blocked")
        self.expect(self.ask("stop", "app"), OK)
        self.assertEqual(self.states()["app"], "idle")
        with open(self.fifo, "w"):
            run.event("vm", "ready")
        self.assertEqual(self.states()["app"], "idle")
        self.assertEqual(run.end(), OK)

    def test_a_failure_is_told_to_those_who_wait_for_what_is_after_it(self):
        self.write({"vm": actor("exit=4", **ONCE), "app": actor(after=["vm"]), "top": actor(after=["app"])})
        run = self.run_it()
        run.event("vm", "restarting")
        self.expect(self.ask("stop", "vm"), OK)
        result = self.ask("start", "app")
        self.expect(result, REMOTE, "")
        self.assertRegex(result.stderr, r"^app: blocked: vm: restarting in 1h: process \d+ exited with status 4\n$")
        self.assertEqual(self.states(), {"vm": "backoff", "app": "blocked", "top": "blocked"})
        self.assertIn("app: blocked: vm: restarting in", self.ask("restart", "app").stderr)
        self.assertEqual(run.end(), OK)

    # ---- Within ----

    def test_what_is_within_is_killed_with_it_and_not_counted(self):
        run = self.begin({"vm": actor(restart=SOON),
                          "app": actor("stubborn", within="vm", stop={"timeout": "1h"}, restart={"max_restarts": 1}),
                          "inner": actor(within="app", restart={"on": "never"}), "other": actor(after=["vm"])})
        other = self.pids["other"]
        for _ in range(3):
            since = len(run.records)
            self.kill("vm")
            self.found(run, vm="ready", app="ready", inner="ready")  # the host may be so first
            self.assertEqual(run.records[self.place(run, "app", "exited", since)]["signal"], signal.SIGKILL)
        rows = self.status()
        self.assertEqual([rows[n]["restarts"] for n in ("vm", "app", "inner", "other")], [3, 0, 0, 0])
        self.assertEqual(rows["other"]["pid"], other)
        self.kill("app")
        self.kill("inner")
        self.found(run, app="ready", inner="ready")
        self.assertEqual(self.status()["app"]["restarts"], 1)
        run.process.send_signal(signal.SIGTERM)
        run.event("app", "stopping")
        self.kill("app")
        self.assertEqual(run.wait(), OK)

    def end_before_the_host(self, place):
        """Children in this place that end, and then the host: the supervisor, and how long that took."""
        self.root = os.path.join(self.dir, place)
        run = self.begin({"vm": actor(restart=SOON), "app": actor(within="vm", restart={"max_restarts": 5, **ONCE["restart"]}),
                          "once": actor(within="vm", restart={"on": "never"})})
        dying = [self.watch(self.pids[name]) for name in ("app", "once")]
        begin = time.monotonic()
        self.kill("app")
        self.kill("once")
        for process in dying:
            process.wait()
        self.kill("vm")
        run.event("vm", "exited")
        return run, time.monotonic() - begin

    def test_an_end_shortly_before_is_not_counted_either(self):
        """Within two seconds: if this machine was so busy that it took longer, it is tried again."""
        run, seconds = self.end_before_the_host("first")
        for again in range(5):
            if seconds < 2:
                break
            self.assertEqual(run.end(), OK)
            run, seconds = self.end_before_the_host(f"again{again}")
        self.found(run, vm="ready", app="ready", once="ready")
        self.assertEqual({n: r["restarts"] for n, r in self.status().items()}, {"vm": 1, "app": 0, "once": 0})
        self.assertEqual(run.end(), OK)

    def test_ends_at_once_are_not_counted_either(self):
        """The supervisor learns of both in one turn, in either order."""
        names = [f"app{n}" for n in range(4)]
        run = self.begin({names[0]: actor(within="vm"), names[1]: actor(within="vm"), "vm": actor(restart=SOON),
                          names[2]: actor(within="vm"), names[3]: actor(within="vm")})
        for before in True, False:
            dying = [self.watch(self.pids[name]) for name in (*names, "vm")]
            run.process.send_signal(signal.SIGSTOP)
            for name in (*names, "vm") if before else ("vm", *names):
                self.kill(name)
            for process in dying:
                process.wait()
            run.process.send_signal(signal.SIGCONT)
            self.found(run, vm="ready", **{name: "ready" for name in names})
        self.assertEqual({n: r["restarts"] for n, r in self.status().items()}, {"vm": 2, **{name: 0 for name in names}})
        self.assertEqual(run.end(), OK)

    def test_what_is_within_is_killed_when_its_host_is_another_one(self):
        loop = {"command": ["/bin/sh", "-c", "trap 'kill $!; exit 0' INT TERM; while :; do \"$0\" & wait $!; done",
                            actor()["command"][0]], "ready": {"mode": "rpc"}}
        run = self.begin({"vm": loop, "app": actor("stubborn", within="vm", stop={"timeout": "1h"})})
        os.kill(self.status()["vm"]["inner_pid"], signal.SIGKILL)
        event = run.event("vm", "replaced")
        self.assertEqual(event["inner_pid"], self.status()["vm"]["inner_pid"])
        before = self.pids["app"]
        self.found(run, app="ready")
        self.assertNotEqual(self.pids["app"], before)
        self.assertEqual(self.status()["app"]["restarts"], 0)
        run.process.send_signal(signal.SIGTERM)
        run.event("app", "stopping")
        self.kill("app")
        self.assertEqual(run.wait(), OK)

    def test_a_restart_waits_too(self):
        run = self.begin({"vm": actor(**ONCE), "app": actor(after=["vm"], restart=SOON)})
        self.kill("vm")
        run.event("vm", "restarting")
        self.assertTrue(is_alive(self.pids["app"]))
        self.kill("app")
        self.assertEqual(run.event("app", "blocked")["cause"], "waits for vm, which is backoff")
        self.expect(self.ask("start", "vm"), OK)
        run.event("app", "ready")
        self.assertEqual(run.end(), OK)

    # ---- Signals ----

    def test_a_second_signal_kills_all_at_once(self):
        run = self.begin({"vm": STUBBORN, "app": {**STUBBORN, "after": ["vm"]}}, app="ready")
        run.await_stubborn("app")
        run.process.send_signal(signal.SIGTERM)
        run.event("app", "stopping")
        while run.process.poll() is None and not any(r["msg"].startswith("asked again") for r in run.records):
            run.process.send_signal(signal.SIGTERM)
            try:
                run.record(lambda r: r["msg"].startswith("asked again"), patience=0.3)
            except AssertionError:
                pass  # it was too early to be a second request
        self.assertEqual(run.wait(), OK)

    # ---- Adoption ----

    def test_those_that_run_are_adopted_whatever_their_order(self):
        children = {"app": actor(within="vm"), "late": actor(after=["vm"]), "vm": []}
        run = self.begin(children)
        before = dict(self.pids)
        self.assertEqual(run.end(signal.SIGUSR1), OK)
        run = self.begin(children, app="adopted", late="adopted", vm="adopted")
        self.assertEqual(self.pids, before)
        self.assertEqual([r for r in run.records if r.get("event") in ("blocked", "exited", "starting")], [])
        self.assertEqual(run.end(signal.SIGUSR1), OK)
        gone = self.watch(self.pids["vm"])
        self.kill("vm")
        gone.wait()
        run = self.begin(children, app="ready", late="adopted", vm="ready")
        self.assertEqual(self.pids["late"], before["late"])
        self.assertFalse(is_alive(before["app"]))
        self.assertEqual(run.end(), OK)

    # ---- Reload ----

    def test_a_reload_adds_and_removes_order(self):
        run = self.begin({"vm": [], "app": []})
        self.write({"vm": [], "app": actor(after=["vm"])})
        self.expect(outboard("reload", "--config", self.config), OK, "2 unchanged\n")
        self.expect(self.ask("stop", "vm"), OK)
        self.assertEqual(self.states(), {"vm": "stopped", "app": "blocked"})
        self.write({"vm": [], "app": [], "new": actor(after=["vm"])})
        result = outboard("reload", "--config", self.config)
        self.expect(result, REMOTE, "2 unchanged\n", "new: blocked: waits for vm, which is stopped\n")
        self.found(run, app="ready")
        self.assertEqual(self.states(), {"vm": "stopped", "app": "ready", "new": "blocked"})
        self.expect(self.ask("start", "vm"), OK)
        run.event("new", "ready")
        since = len(run.records)
        self.write({"app": []})
        self.expect(outboard("reload", "--config", self.config), OK)
        self.assertEqual(self.states(), {"app": "ready"})
        run.all_of(lambda r: (r.get("outboard"), r.get("event")) == ("vm", "stopped"))
        self.assertLess(self.place(run, "new", "stopped", since), self.place(run, "vm", "stopping", since))
        self.assertEqual(run.end(), OK)

    # ---- Where ----

    def test_status_and_events_say_where_a_child_lives(self):
        run = self.begin({"a": [], "b": actor(where="vm"),
                          "c": {"command": ["/bin/sh", "-c", '"$0" & wait', actor()["command"][0]], "where": "container"}})
        rows = self.status()
        self.assertEqual([rows[n]["where"] for n in "abc"], ["host", "vm", "container"])
        self.assertNotEqual(rows["c"]["inner_pid"], None)
        self.assertRegex(outboard("status", self.config).stdout, r"(?m)^c +ready +up +container +\d+ \(inner \d+\)")
        ready = {r["outboard"]: r for r in run.records if r.get("event") == "ready"}
        self.assertEqual([ready[n].get("where") for n in "abc"], [None, "vm", "container"])
        self.assertEqual(run.end(), OK)

    # ---- The config ----

    def test_order_that_cannot_be_kept_is_refused(self):
        def check(children):
            self.write(children)
            result = outboard("check", self.config)
            self.assertEqual(result.returncode, USAGE, result.stderr)
            return result.stderr.splitlines()

        def at(key, nth=0):
            with open(self.config) as file:
                columns = [m.start() + 1 for m in re.finditer(re.escape(json.dumps(key)), file.read())]
            return f"{self.config}:1:{columns[nth]}: children"
        self.assertEqual(check({"a": actor(after=["vm"])}), [f'{at("vm")}.a.after.0: there is no child "vm"'])
        self.assertEqual(check({"a": actor(within="a")}), [f'{at("within")}.a.within: is the child itself'])
        self.assertEqual(check({"a": actor(within="b"), "b": actor(after=["d", "c"]), "c": actor(after=["a"]),
                                "d": actor(after=["c"])}),
                         [f'{at("within")}.a.within: is after "b", which is after "d", which is after "c", '
                          'which is after "a": in a circle, none can be started first'])
        self.assertEqual(check({"a": actor(after="b"), "b": []}),
                         [f'{at("after")}.a.after: must be a list of strings that is not empty'])
        self.assertEqual(check({"a": actor(within=".b")}), [f'{at("within")}.a.within: must be the name of a child'])
        self.assertIn('.where: must be "host" or "bwrap" or', check({"a": actor(where="moon")})[0])
        chain = {f"c{i}": actor(**({"after": [f"c{i - 1}"]} if i else {})) for i in range(258)}
        self.assertIn("children.c257: is the end of a chain of more than 256", check(chain)[0])


if __name__ == "__main__":
    unittest.main(verbosity=2)
