# SPDX-License-Identifier: MIT
"""The cgroup of a child: refused where it cannot be, killed and removed as a whole, found again. Real cgroups where this machine lets
us make them; limits are tested in a guest (tests/guest/cgroups.c)."""
import json
import os
import signal
import unittest

from command import OK, REMOTE, USAGE, Case, outboard

# A runner and a process that nothing but the cgroup tells whose it is: another session, no descriptor 3, an empty environment.
PAIR = "mkfifo up; env -i setsid sh -c 'echo >up; exec sleep 1000' 3<&- & read x <up; "


def own_cgroup():
    """The directory of the cgroup of this process; None: the whole hierarchy is not mounted."""
    with open("/proc/self/mountinfo") as file:
        mounts = [line.split() for line in file if " - cgroup2 " in line]
    with open("/proc/self/cgroup") as file:
        own = [line.strip()[3:] for line in file if line.startswith("0::/")]
    whole = [mount[4] for mount in mounts if mount[3] == "/"]
    return whole[0] + own[0].rstrip("/") if whole and own else None


class Faults(Case):
    """What a config says wrong, with the place."""

    def test_values(self):
        for key, values, reason in (
                ("memory.max", (0, -1, "0", "64X", "64MB", "1.5G", "99999999999T", [], ""), "must be a number of bytes"),
                ("memory.high", ("M", True), "must be a number of bytes"),
                ("pids.max", (0, -1, "10", "all"), "must be a number above 0"),
                ("cpu.max", (50000, "50000 ", "x", "50000 100000 1", "0", "50000 0", " 5"), 'must be "TIME PERIOD"'),
                ("cpu.weight", (0, 10001, "100"), "from 1 to 10000"),
                ("io.weight", (0, 10001), "from 1 to 10000"),
                ("oom.group", (1, "true"), "true or false"),
                ("memory.min", (1,), "is not a known key")):
            for value in values:
                with self.subTest(key=key, value=value):
                    self.write({"x": {"command": ["/bin/true"], "cgroup": {key: value}}})
                    result = outboard("check", self.config)
                    self.expect(result, USAGE, "")
                    self.assertIn(f"{self.place_of(key)}: children.x.cgroup.{key}: ", result.stderr)
                    self.assertIn(reason, result.stderr)

    def test_out_of_range(self):
        for value, reason in (("999 100000", "must be at least 1000 µs"), ("50000 999", "the period must be")):
            self.write({"x": {"command": ["/bin/true"], "cgroup": {"cpu.max": value}}})
            result = outboard("check", self.config)
            self.assertEqual(result.returncode, USAGE)
            self.assertIn(f"{self.place_of('cgroup')}: children.x.cgroup: cpu.max: {reason}", result.stderr)

    def test_places(self):
        self.write({"x": {"command": ["/bin/true"], "cgroup": []}}, cgroup_root="relative")
        result = outboard("check", self.config)
        self.assertIn(f"{self.place_of('cgroup_root')}: cgroup_root: must be an absolute path", result.stderr)
        self.assertIn(f"{self.place_of('cgroup')}: children.x.cgroup: must be an object", result.stderr)

    def test_a_directory_that_is_no_cgroup(self):
        """`check` says it, and so does the start: what is missing may be there by then."""
        for root, reason in ((self.dir, "is not a cgroup of cgroup v2"), ("/sys/fs/no/such", "No such file or directory")):
            self.write({"x": {"command": ["/bin/true"], "ready": {"mode": "none"}, "restart": {"on": "never"}, "cgroup": {}}},
                       cgroup_root=root)
            result = outboard("check", self.config)
            self.expect(result, USAGE, "")
            self.assertIn("children.x.cgroup: ", result.stderr)
            self.assertIn(root, result.stderr)
            self.assertIn(reason, result.stderr)
            run = self.run_it()
            cause = run.event("x", "failed")["cause"]
            self.assertIn("cgroup: ", cause)
            self.assertIn(reason, cause)
            self.assertIn(reason, self.status()["x"]["last_error"])
            self.assertEqual(run.end(), OK)


class Cgroups(Case):
    def setUp(self):
        own = own_cgroup()
        if own is None:
            self.skipTest("cgroup v2 is not mounted")
        path = os.path.join(own, f"outboard-test-{os.getpid()}")
        try:
            os.mkdir(path)
        except OSError as e:
            self.skipTest(f"no cgroup can be made in {own}: {e.strerror}")
        self.v2 = path
        super().setUp()

    def tearDown(self):
        super().tearDown()
        left = self.cgroups()
        for name in left:
            with open(os.path.join(self.v2, name, "cgroup.kill"), "w") as file:
                file.write("1")
        self.assertEqual(left, [], "cgroups were left")
        os.rmdir(self.v2)

    def cgroups(self):
        return [name for name in os.listdir(self.v2) if os.path.isdir(os.path.join(self.v2, name))]

    def members(self):
        """The pids in the only cgroup."""
        name, = self.cgroups()
        self.assertTrue(name.startswith("outboard-x-"))
        with open(os.path.join(self.v2, name, "cgroup.procs")) as file:
            return [int(line) for line in file]

    def begin(self, script="exec sleep 1000", **more):
        self.write({"x": {"command": ["/bin/sh", "-c", PAIR + script], "cwd": self.dir, "ready": {"mode": "none"},
                          "restart": {"backoff_base": "10ms"}, "cgroup": {}, **more}}, cgroup_root=self.v2)
        return self.run_it()

    def await_pair(self, run):
        """Both processes, when they are up: the runner has replaced the shell that waits for the other."""
        pid = run.event("x", "ready")["pid"]
        while not os.readlink(f"/proc/{pid}/exe").endswith(("/sleep", "/busybox", "/coreutils")):
            os.sched_yield()
        os.unlink(os.path.join(self.dir, "up"))
        self.assertEqual(len(self.members()), 2)
        return pid, [self.watch(member) for member in self.members()]

    def test_a_stop_ends_all_in_it(self):
        run = self.begin()
        pid, watched = self.await_pair(run)
        self.assertGreaterEqual(self.status()["x"]["cgroup"]["cpu_us"], 0)
        table = outboard("status", self.config).stdout.splitlines()
        self.assertIn("MEMORY", table[0])
        self.assertIn("CPU", table[0])
        self.expect(outboard("stop", "--config", self.config, "x"), OK)
        for member in watched:
            member.wait(0)
        self.assertEqual(self.cgroups(), [])
        self.assertIsNotNone(run.event("x", "exited").get("cpu_us"))
        self.expect(outboard("start", "--config", self.config, "x"), OK)
        _, watched = self.await_pair(run)
        self.assertEqual(run.end(), OK)
        for member in watched:
            member.wait(0)

    def test_a_restart_ends_all_in_it(self):
        run = self.begin()
        pid, watched = self.await_pair(run)
        os.kill(pid, signal.SIGKILL)
        self.assertEqual(run.event("x", "exited")["signal"], 9)
        _, again = self.await_pair(run)
        for member in watched:
            member.wait(0)
        self.assertEqual(run.end(), OK)
        for member in again:
            member.wait(0)

    def test_the_next_supervisor_finds_it(self):
        for how in signal.SIGUSR1, signal.SIGKILL:
            with self.subTest(how):
                run = self.begin()
                pid, watched = self.await_pair(run)
                run.end(how)
                self.assertEqual(len(self.members()), 2)
                self.assertIsNotNone(self.status()["x"]["cgroup"])
                run = self.run_it()
                self.assertEqual(run.event("x", "adopted")["pid"], pid)
                self.assertEqual(run.end(), OK)
                for member in watched:
                    member.wait(0)
                self.assertEqual(self.cgroups(), [])

    def test_a_child_that_died_without_a_supervisor(self):
        """What it left in its cgroup is ended before the next one is started."""
        run = self.begin()
        pid, watched = self.await_pair(run)
        run.end(signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
        [w for w in watched if w.pid == pid][0].wait()
        self.assertEqual(len(self.members()), 1)
        run = self.run_it()
        _, again = self.await_pair(run)
        for member in watched:
            member.wait(0)
        self.assertEqual(run.end(), OK)
        for member in again:
            member.wait(0)

    def test_a_removed_child_is_ended_with_its_cgroup(self):
        run = self.begin()
        _, watched = self.await_pair(run)
        run.end(signal.SIGKILL)
        self.write({})
        run = self.run_it()
        run.record(lambda r: r.get("outboard") == "x" and r["msg"] == "ended")
        for member in watched:
            member.wait(0)
        self.assertEqual(self.cgroups(), [])
        self.assertEqual(run.end(), OK)

    def test_leftover_fail_names_who_is_in_it(self):
        run = self.begin("exit 3", leftover="fail")
        cause = run.event("x", "failed")["cause"]
        self.assertIn("(leftover: fail)", cause)
        member, = self.members()
        self.assertIn(f"(pid {member})", cause)
        watched = self.watch(member)
        self.expect(outboard("start", "--config", self.config, "x"), REMOTE)
        self.expect(outboard("stop", "--config", self.config, "x"), OK)
        watched.wait(0)
        self.assertEqual(self.cgroups(), [])
        self.assertEqual(run.end(), OK)

    def test_a_command_that_cannot_be_executed_leaves_no_cgroup(self):
        self.write({"x": {"command": [self.dir], "ready": {"mode": "none"}, "restart": {"on": "never"}, "cgroup": {}}},
                   cgroup_root=self.v2)
        run = self.run_it()
        self.assertIn("Permission denied", run.event("x", "failed")["cause"])
        self.assertEqual(self.cgroups(), [])
        self.assertEqual(run.end(), OK)

    def test_a_cgroup_root_cannot_change_in_a_reload(self):
        run = self.begin("exec sleep 1000")
        _, watched = self.await_pair(run)
        with open(self.config) as file:
            config = json.load(file)
        with open(self.config, "w") as file:
            json.dump({**config, "cgroup_root": self.v2 + "/other"}, file)
        result = outboard("reload", "--config", self.config)
        self.assertNotEqual(result.returncode, OK)
        self.assertIn("cgroup_root: cannot change", result.stderr)
        self.assertEqual(run.end(), OK)

    def test_a_controller_that_is_missing(self):
        """The parent enables none for a cgroup without limits."""
        inner = os.path.join(self.v2, "inner")
        os.mkdir(inner)
        try:
            self.write({"x": {"command": ["/bin/true"], "ready": {"mode": "none"}, "restart": {"on": "never"},
                              "cgroup": {"memory.max": "64M", "pids.max": 10}}}, cgroup_root=inner)
            result = outboard("check", self.config)
            reason = f'memory.max: there is no controller "memory" in {inner}/cgroup.controllers'
            self.expect(result, USAGE, "")
            self.assertIn(f"{self.place_of('cgroup')}: children.x.cgroup: {reason}", result.stderr)
            run = self.run_it()
            self.assertIn(f"cgroup: {reason}", run.event("x", "failed")["cause"])
            self.assertEqual(run.end(), OK)
        finally:
            os.rmdir(inner)


if __name__ == "__main__":
    unittest.main()
