# SPDX-License-Identifier: MIT
"""outboard status from the data directories alone, without a parent and beside one."""
import json
import os
import resource
import signal
import time
import unittest

from command import OK, REMOTE, UNREACHABLE, USAGE, Case, actor, outboard, outboard_as

KEYS = ["name", "state", "link", "pid", "where", "inner_pid", "uptime_ms", "restarts", "healthy", "version", "adopted",
        "stale", "supervised", "address", "client_address", "last_error", "next_try_ms", "cgroup", "data_path"]


class Pages(Case):
    NAMES = [f"c{i:03}" for i in range(300)]

    def setUp(self):
        super().setUp()
        self.write({name: {"command": ["/bin/false"], "ready": {"mode": "none"}, "restart": {"max_restarts": -1}}
                    for name in self.NAMES})
        self.supervisor = self.run_it()
        self.supervisor.events(**{name: "failed" for name in self.NAMES})

    def page(self, *params):
        result = outboard("call", "--address", f"unix://{self.root}/run.sock", "--auth", "peercred", "run.status", *params)
        self.expect(result, OK)
        page = json.loads(result.stdout)
        return [row["name"] for row in page["children"]], page["next"]

    def test_fault_84_the_status_comes_in_pages(self):
        self.assertEqual(list(self.status()), self.NAMES)
        names, cursor = self.page()
        pages = [names]
        while cursor is not None:
            names, cursor = self.page(json.dumps([cursor]))
            pages.append(names)
        self.assertEqual([len(names) for names in pages], [256, 44])
        self.assertEqual(sum(pages, []), self.NAMES)
        # A cursor behind the end, one that was never given, and what is none.
        self.assertEqual(self.page("[100000]"), ([], None))
        self.assertEqual(self.page('{"after": 299}'), (["c299"], None))
        result = outboard("call", "--address", f"unix://{self.root}/run.sock", "--auth", "peercred", "run.status",
                          '["c100"]')
        self.expect(result, REMOTE, "")
        self.assertIn("after must be a number", result.stderr)
        self.assertEqual(self.supervisor.end(), OK)

    def test_fault_84_requests_to_many_children(self):
        result = outboard("stop", "--config", self.config)
        self.expect(result, OK, "".join(f"{name}: stopped\n" for name in self.NAMES))
        result = outboard("start", "--config", self.config)
        answers = dict(line.split(": ", 1) for line in (result.stdout + result.stderr).splitlines())
        self.assertEqual(sorted(answers), self.NAMES)
        for answer in answers.values():
            self.assertRegex(answer, "^(ready|.*exited with status 1.*)$")
        result = outboard("stop", "--config", self.config, *["c000"] * 365)
        self.expect(result, REMOTE, "")
        self.assertIn("more names than there are children", result.stderr)
        self.assertEqual(self.supervisor.end(), OK)


class LongAnswers(Case):
    def test_fault_84_long_errors_of_many_children_are_cut_to_fit_into_an_answer(self):
        names = [f"c{i:04}" for i in range(9500)]
        nowhere = f"/proc/{'x' * 250}/{'y' * 250}"
        self.write({name: {"command": ["/bin/false"], "data_path": f"{nowhere}/{name}", "ready": {"mode": "none"},
                           "restart": {"max_restarts": -1}} for name in names})
        supervisor = self.run_it()
        supervisor.events(**{name: "failed" for name in names})
        result = outboard("start", "--config", self.config)
        self.expect(result, REMOTE, "")
        answers = dict(line.split(": ", 1) for line in result.stderr.splitlines())
        self.assertEqual(list(answers), names)
        for answer in answers.values():
            self.assertIn("x" * 100, answer)
        # A message has at most 4 MiB, of which all answers together take 3, each with 96 bytes beside its error.
        self.assertLess(sum(96 + len(answer) for answer in answers.values()), 3 << 20)
        self.assertEqual(supervisor.end(), OK)


class Status(Case):
    def left_alone(self, **children):
        """A run that has detached its children; returns their pids."""
        self.write(children)
        run = self.run_it()
        ready = run.events(**{name: "ready" for name in children})
        for record in ready.values():
            self.watch(record["pid"])
        self.assertEqual(run.end(signal.SIGUSR1), OK)
        return {name: record["pid"] for name, record in ready.items()}

    def end_all(self):
        run = self.run_it()
        run.record(lambda r: r.get("event") == "adopted")
        self.assertEqual(run.end(), OK)

    def test_children_without_a_parent(self):
        pids = self.left_alone(a=["version=9"])
        for target in self.config, self.root, f"{self.root}/a", os.path.relpath(f"{self.root}/a"):
            row = self.status(target)["a"]
            self.assertEqual(list(row), KEYS)
            self.assertEqual((row["state"], row["link"], row["pid"]), ("detached", "up", pids["a"]))
            self.assertEqual((row["healthy"], row["version"], row["supervised"]), (True, 9, False))
            self.assertEqual(row["address"], f"unix://{self.root}/a/rpc.sock")
            self.assertGreaterEqual(row["uptime_ms"], 0)
        self.end_all()

    def test_an_unhealthy_child_reports_its_reason(self):
        self.left_alone(a=[])
        self.expect(outboard("call", f"{self.root}/a", "act.health", "0"), OK, "true\n")
        row = self.status()["a"]
        self.assertEqual((row["healthy"], row["last_error"]), (False, "actor: told to be ill"))
        self.assertRegex(outboard("status", self.config).stdout, r"(?m)^a .* no .* actor: told to be ill$")
        self.end_all()

    def test_a_child_that_died(self):
        pids = self.left_alone(a=[])
        os.kill(pids["a"], signal.SIGKILL)
        self.watched[-1].wait()
        row = self.status()["a"]
        self.assertEqual((row["state"], row["pid"], row["uptime_ms"], row["healthy"]), ("stopped", None, None, None))

    def test_a_child_that_hangs(self):
        pids = self.left_alone(a=[])
        os.kill(pids["a"], signal.SIGSTOP)
        row = self.status(f"{self.root}/a")["a"]
        self.assertEqual((row["state"], row["link"], row["pid"]), ("detached", "unresponsive", pids["a"]))
        os.kill(pids["a"], signal.SIGCONT)
        self.end_all()

    def test_fault_109_many_that_hang_cost_one_timeout(self):
        """One after the other they would take 2 s each."""
        hung = [f"h{i}" for i in range(16)]
        pids = self.left_alone(**{name: [] for name in hung}, well=[])
        for name in hung:
            os.kill(pids[name], signal.SIGSTOP)
        for targets in [self.config], [self.root], [f"{self.root}/{name}" for name in (*hung, "well")]:
            before = time.monotonic()
            rows = self.status(*targets)
            self.assertLess(time.monotonic() - before, 16)
            self.assertEqual({rows[name]["link"] for name in hung}, {"unresponsive"})
            self.assertEqual((rows["well"]["link"], rows["well"]["healthy"]), ("up", True))
        for name in hung:
            os.kill(pids[name], signal.SIGCONT)
        run = self.run_it()
        run.events(**{name: "adopted" for name in (*hung, "well")})
        self.assertEqual(run.end(), OK)

    def test_fault_109_few_descriptors_are_enough(self):
        """More children that hang than there may be files open: some are asked later."""
        names = [f"h{i}" for i in range(60)]
        pids = self.left_alone(**{name: [] for name in names})
        for pid in pids.values():
            os.kill(pid, signal.SIGSTOP)
        result = outboard("status", "--json", self.config,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)))
        self.expect(result, OK, stderr="")
        self.assertEqual([row["link"] for row in json.loads(result.stdout)], ["unresponsive"] * len(names))
        for pid in pids.values():
            os.kill(pid, signal.SIGCONT)
        run = self.run_it()
        run.events(**{name: "adopted" for name in names})
        self.assertEqual(run.end(), OK)

    def test_a_child_without_an_address_is_told_as_that(self):
        """It speaks no protocol, so it is neither unready nor cut off."""
        self.write({"mute": {"command": ["/bin/sleep", "1000"], "ready": {"mode": "none"}, "stop": {"signal": "SIGTERM"}}})
        run = self.run_it()
        self.watch(run.event("mute", "ready")["pid"])
        note = r"(?m)^mute +{} +down .* it has reported no address$"
        self.assertRegex(outboard("status", self.config).stdout, note.format("ready"))
        self.assertIsNone(self.status()["mute"]["last_error"])
        self.assertEqual(run.end(signal.SIGUSR1), OK)
        self.assertRegex(outboard("status", self.config).stdout, note.format("detached"))
        self.assertIn("takes no calls", self.status()["mute"]["last_error"])
        self.end_all()

    def test_an_error_of_the_past_is_no_error(self):
        """A child that died and runs again is well, whoever is asked."""
        self.write({"a": actor(restart={"backoff_base": "1ms"})})
        run = self.run_it()
        os.kill(run.event("a", "ready")["pid"], signal.SIGKILL)
        self.watch(run.event("a", "ready")["pid"])
        self.assertEqual((self.status()["a"]["restarts"], self.status()["a"]["last_error"]), (1, None))
        self.assertEqual(run.end(signal.SIGUSR1), OK)
        self.assertEqual((self.status()["a"]["restarts"], self.status()["a"]["last_error"]), (1, None))
        self.assertRegex(outboard("status", self.config).stdout, r"(?m)rpc.sock$")
        self.end_all()

    def test_a_failed_child_keeps_its_reason_and_a_stopped_one_has_none(self):
        """With the supervisor and without it."""
        quick = {"ready": {"mode": "none"}, "restart": {"max_restarts": 1, "backoff_base": "1ms"}}
        self.write({"failed": {"command": ["/bin/false"], **quick}, "never": {"command": ["/bin/false"], "ready": {"mode": "none"},
                    "restart": {"on": "never"}}, "stopped": {"command": ["/bin/false"], **quick}})
        run = self.run_it()
        run.events(failed="failed", never="failed", stopped="failed")
        self.expect(outboard("stop", "--config", self.config, "stopped"), OK)
        for supervised in True, False:
            rows = self.status()
            self.assertEqual({row["supervised"] for row in rows.values()}, {supervised})
            self.assertRegex(rows["failed"]["last_error"],
                             r"^gave up after 1 restart; last: process \d+ exited with status 1$")
            self.assertRegex(rows["never"]["last_error"], r"^not restarted \(restart.on\): process \d+ exited with status 1$")
            self.assertEqual((rows["stopped"]["state"], rows["stopped"]["last_error"]), ("stopped", None))
            if supervised:
                self.assertEqual(run.end(signal.SIGUSR1), OK)

    def test_a_child_that_was_never_started(self):
        self.write({"a": []})
        row = self.status()["a"]
        self.assertEqual((row["state"], row["pid"], row["last_error"]), ("idle", None, None))
        self.assertFalse(os.path.exists(self.root), "looking makes nothing")

    def test_a_parent_is_not_disturbed(self):
        """The data directory of a supervised child: the connection of its parent stays up."""
        self.write({"a": []})
        run = self.run_it()
        pid = run.event("a", "ready")["pid"]
        for _ in range(3):
            row = self.status(f"{self.root}/a")["a"]
            self.assertEqual((row["state"], row["link"], row["pid"]), ("ready", "up", pid))
            self.assertTrue(row["supervised"])
            self.expect(outboard("call", f"{self.root}/a", "act.echo", "1"), OK, "1\n")
        # The parent's own connection still carries the child's calls back.
        self.assertEqual(self.status()["a"]["link"], "up")
        self.assertEqual(run.end(), OK)
        self.assertEqual([r["event"] for r in run.records if "event" in r],
                         ["starting", "ready", "stopping", "exited", "stopped"])

    def test_the_table_is_aligned(self):
        self.write({"a-long-name": [], "b": actor("exit=1", restart={"backoff_base": "1h", "backoff_max": "1h"})})
        run = self.run_it()
        run.events(**{"a-long-name": "ready", "b": "restarting"})
        lines = outboard("status", self.config).stdout.splitlines()
        self.assertEqual(lines[0].split(), ["NAME", "STATE", "LINK", "WHERE", "PID", "UPTIME", "RESTARTS", "HEALTHY",
                                            "VERSION", "ADDRESS", "NOTE"])
        for heading, words in ("STATE", ("ready", "backoff")), ("LINK", ("up", "down")), ("RESTARTS", ("0", "1")):
            at = lines[0].index(heading)
            self.assertEqual([line[at:].split()[0] for line in lines[1:]], list(words))
        self.assertEqual([line for line in lines if line != line.rstrip()], [])
        self.assertEqual(run.end(), OK)

    def test_several_targets(self):
        self.write({"a": [], "b": []})
        run = self.run_it()
        run.events(a="ready", b="ready")
        self.assertEqual(list(self.status(f"{self.root}/b", f"{self.root}/a")), ["b", "a"])
        self.assertEqual(run.end(), OK)

    def test_bad_targets(self):
        self.expect(outboard("status"), USAGE, "")
        missing = outboard("status", f"{self.dir}/nothing")
        self.expect(missing, USAGE, "")
        self.assertIn("nothing", missing.stderr)
        plain = outboard("status", self.dir)
        self.expect(plain, USAGE, "")
        self.assertIn("neither a child's data directory nor a data_root", plain.stderr)
        with open(self.config, "w") as file:
            file.write('{"children": {"a": {"comand": ["x"]}}, "data_root": "/x"}')
        bad = outboard("status", self.config)
        self.expect(bad, USAGE, "")
        self.assertIn(f"{self.place_of('comand')}: children.a.comand: ", bad.stderr)

    def test_the_option_state_is_for_one_child(self):
        self.left_alone(a=[], b=[])
        state = f"{self.root}/.state/a"
        self.expect(outboard("status", f"{self.root}/a", "--state", state), OK)
        for target in (self.config, self.root):
            wrong = outboard("status", target, "--state", state)
            self.expect(wrong, USAGE, "")
            self.assertIn("--state is for the data directory of a child", wrong.stderr)
        for more in ([f"{self.root}/b"], ["--data-root", f"{self.root}/b"], ["--config", self.config]):
            wrong = outboard("status", f"{self.root}/a", *more, "--state", state)
            self.expect(wrong, USAGE, "", "outboard: status: --state requires exactly one DATA_DIR\n")
        self.end_all()

    @unittest.skipUnless(os.geteuid() == 0, "only root can act as another user")
    def test_a_data_root_that_cannot_be_read_is_an_error(self):
        self.left_alone(a=[])
        os.chmod(self.dir, 0o755)
        for mode in 0o700, 0o711:
            os.chmod(self.root, mode)
            result = outboard_as(12345, "status", self.root)
            self.expect(result, UNREACHABLE, "",
                        f"outboard: {self.root}: cannot be read: Permission denied\n")
        self.end_all()

    def test_an_unreadable_directory_does_not_hide_others(self):
        self.left_alone(a=[])
        result = outboard("status", "--json", f"{self.dir}/nothing", f"{self.root}/a")
        self.assertEqual(result.returncode, USAGE)
        self.assertIn('"name":"a"', result.stdout)
        self.end_all()

    def make_root(self, count):
        """A data_root with the directories of this many children that are not alive."""
        root = os.path.join(self.dir, f"root{count}")
        for directory in "", ".state":
            os.mkdir(os.path.join(root, directory), 0o700)
        open(f"{root}/run.lock", "w").close()
        for i in range(count):
            os.mkdir(f"{root}/c{i}", 0o700)
            os.mkdir(f"{root}/.state/c{i}", 0o700)
            with open(os.open(f"{root}/.state/c{i}/state.json", os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
                file.write("{}")
        return root

    def test_the_work_for_a_root_is_linear_in_its_children(self):
        """Measured as the time of the processor, which other processes do not change much."""
        def work(root, count):
            def once():
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                result = outboard("status", root)
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                self.expect(result, OK)
                self.assertEqual(result.stdout.count("\n"), count + 1)
                return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
            return min(once() for _ in range(3))
        few, many = 250, 2000
        growth = work(self.make_root(many), many) / work(self.make_root(few), few)
        self.assertLess(growth, 2 * many / few)

    @unittest.skipUnless(os.geteuid() == 0, "only root can act as another user")
    def test_another_user_cannot_read_the_status(self):
        self.left_alone(a=[])
        os.chmod(self.dir, 0o755)
        os.chmod(self.root, 0o755)
        result = outboard_as(12345, "status", f"{self.root}/a")
        self.assertIn(result.returncode, (USAGE, UNREACHABLE))
        self.assertIn(f"{self.root}/a", result.stderr)
        self.end_all()


if __name__ == "__main__":
    unittest.main(verbosity=2)
