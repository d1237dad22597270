# SPDX-License-Identifier: MIT
"""outboard status from the data directories alone, without a parent and beside one."""
import os
import resource
import signal
import unittest

from command import OK, UNREACHABLE, USAGE, Case, actor, outboard, outboard_as

KEYS = ["name", "state", "link", "pid", "uptime_ms", "restarts", "healthy", "version", "adopted", "stale", "supervised",
        "address", "last_error", "next_try_ms", "data_path"]


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
                         ["starting", "ready", "exited", "stopped"])

    def test_the_table_is_aligned(self):
        self.write({"a-long-name": [], "b": actor("exit=1", restart={"backoff_base": "1h", "backoff_max": "1h"})})
        run = self.run_it()
        run.events(**{"a-long-name": "ready", "b": "restarting"})
        lines = outboard("status", self.config).stdout.splitlines()
        self.assertEqual(lines[0].split(), ["NAME", "STATE", "LINK", "PID", "UPTIME", "RESTARTS", "HEALTHY", "VERSION",
                                            "ADDRESS", "NOTE"])
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
        self.assertIn(f"{self.config}: children.a.comand: ", bad.stderr)

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
