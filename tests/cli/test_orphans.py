# SPDX-License-Identifier: MIT
"""Processes that children leave behind end with the process group, or with the supervisor that became their parent."""
import os
import signal
import sys
import time
import unittest

from command import ACTOR, OK, PATIENCE, Case, Lines, actor, is_alive, outboard, parent_of, zombies_of


def leaving(shell, *args):
    """A child that runs a shell line first."""
    return {"command": ["/bin/sh", "-c", f'{shell}; exec "$0" "$@"', ACTOR, *args]}


class Orphans(Case):
    def pid_in(self, name):
        with open(os.path.join(self.dir, name)) as file:
            return int(file.read())

    def test_fault_15_a_grandchild_ends_with_the_group(self):
        self.write({"a": actor(f"leave={self.dir}/left")})
        run = self.run_it()
        run.event("a", "ready")
        left = self.watch(self.pid_in("left"))
        self.expect(outboard("stop", "--config", self.config, "a"), OK, "a: stopped\n")
        left.wait()
        self.assertEqual(zombies_of(run.pid), [])
        self.assertEqual(run.end(), OK)

    def test_fault_15_a_double_forked_grandchild_ends_with_the_group(self):
        """Its parent is gone before the child is ready, so it is a child of the supervisor from the beginning."""
        self.write({"a": leaving(f"(sleep 1000 & echo $! >{self.dir}/left)")})
        run = self.run_it()
        run.event("a", "ready")
        left = self.watch(self.pid_in("left"))
        self.assertEqual(parent_of(left.pid), run.pid)
        os.kill(self.status()["a"]["pid"], signal.SIGKILL)
        run.event("a", "exited")
        left.wait()
        self.assertEqual(run.end(), OK)

    def test_fault_93_a_grandchild_outside_the_group_ends_with_the_child(self):
        """It holds the lock of the child, and the child is stopped only when nothing of it is left."""
        self.write({"a": leaving(f"setsid sh -c 'sleep 1000 & echo $! >{self.dir}/left'")})
        run = self.run_it()
        run.event("a", "ready")
        left = self.watch(self.pid_in("left"))
        self.expect(outboard("stop", "--config", self.config), OK, "a: stopped\n")
        left.wait()
        self.assertIn('"sleep" (pid ', run.event("a", "lingering")["cause"])
        self.assertEqual(run.end(), OK)

    def test_fault_93_a_child_outlives_its_runner(self):
        """A shell is killed, what it started in another session lives: it is ended before there is a second one."""
        self.write({"a": {**leaving(""), "restart": {"backoff_base": "10ms"}, "command": [
            "/bin/sh", "-c", 'setsid -w "$0" "$@"; exit $?', ACTOR]}})
        run = self.run_it()
        run.event("a", "ready")
        status = self.status()["a"]
        inner = self.watch(status["inner_pid"])
        os.kill(status["pid"], signal.SIGKILL)
        inner.wait()
        run.event("a", "ready")
        names = [r["event"] for r in run.records if "event" in r]
        self.assertEqual(names, ["starting", "ready", "exited", "lingering", "restarting", "starting", "ready"])
        self.assertEqual(run.end(), OK)

    def test_fault_90_the_end_is_bounded_whatever_was_left(self):
        """It forks and exits on and on, each time in a session of its own, and holds the lock no more.

        Whether it is caught or given up depends on the moment. One that was given up ends with the directory of the test.
        """
        chain = ("import os, sys, time\nend = time.monotonic() + 120\n"
                 'print("begun", file=open(sys.argv[1] + "/begun", "w"))\n'
                 "while os.path.exists(sys.argv[1]) and time.monotonic() < end:\n"
                 "    if os.fork(): os._exit(0)\n    os.setsid()")
        self.write({"a": leaving(f"(setsid {sys.executable} -S -E -c '{chain}' {self.dir} 3>&- &)")})
        os.mkfifo(f"{self.dir}/begun")
        fifo = os.open(f"{self.dir}/begun", os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, fifo)
        run = self.run_it()
        run.event("a", "ready")
        self.assertEqual(Lines(fifo).next(time.monotonic() + PATIENCE), "begun")
        begun = time.monotonic()
        self.assertEqual(run.end(), OK)
        self.assertLess(time.monotonic() - begun, 20)
        texts = [r["msg"] for r in run.records]
        left = any("cannot be ended" in text for text in texts)
        self.assertTrue(left or any("left behind" in text for text in texts), texts)

    def test_fault_15_a_grandchild_outside_the_group_ends_with_the_supervisor(self):
        """One that has closed the lock as well: nobody knows whose it was."""
        self.write({"a": leaving(f"setsid sh -c 'sleep 1000 3>&- & echo $! >{self.dir}/left'")})
        run = self.run_it()
        run.event("a", "ready")
        left = self.watch(self.pid_in("left"))
        self.assertEqual(parent_of(left.pid), run.pid)
        self.expect(outboard("stop", "--config", self.config), OK, "a: stopped\n")
        self.assertTrue(is_alive(left.pid), "nobody knows whose it was")
        self.assertEqual(run.end(), OK)
        left.wait()
        self.assertTrue(any("left behind" in r["msg"] for r in run.records))

    def test_fault_16_a_dead_orphan_is_reaped(self):
        self.write({"a": leaving(f"setsid sh -c 'sleep 1000 & echo $! >{self.dir}/left'"), "b": []})
        run = self.run_it()
        run.events(a="ready", b="ready")
        left = self.watch(self.pid_in("left"))
        os.kill(left.pid, signal.SIGKILL)
        left.wait()
        # A later death of a member's child is told after the stray's: both came by the same signal.
        os.kill(self.status()["b"]["pid"], signal.SIGKILL)
        self.assertEqual(run.event("b", "exited")["signal"], 9)
        self.assertEqual(zombies_of(run.pid), [])
        self.assertEqual(run.end(), OK)

    def test_reaping_orphans_never_takes_the_status_of_a_child(self):
        """Many children and orphans die while the supervisor is stopped; each exit is reported with its status."""
        names = [f"c{i}" for i in range(12)]
        self.write({name: leaving("setsid sh -c '(exit 3) & (exit 4) &'") for name in names})
        run = self.run_it()
        pids = {name: record["pid"] for name, record in run.events(**{name: "ready" for name in names}).items()}
        os.kill(run.pid, signal.SIGSTOP)
        for watched in [self.watch(pid) for pid in pids.values()]:
            os.kill(watched.pid, signal.SIGKILL)
            watched.wait()
        os.kill(run.pid, signal.SIGCONT)
        exits = run.events(**{name: "exited" for name in names})
        self.assertEqual({record.get("signal") for record in exits.values()}, {9})
        self.assertEqual(run.end(), OK)

    def test_a_detached_supervisor_kills_nothing(self):
        self.write({"a": leaving(f"setsid sh -c 'sleep 1000 & echo $! >{self.dir}/left'")})
        run = self.run_it()
        run.event("a", "ready")
        left = self.watch(self.pid_in("left"))
        self.assertEqual(run.end(signal.SIGUSR1), OK)
        self.assertTrue(is_alive(left.pid))
        again = self.run_it()
        again.event("a", "adopted")
        self.assertEqual(again.end(), OK)
        os.kill(left.pid, signal.SIGKILL)
        left.wait()


if __name__ == "__main__":
    unittest.main(verbosity=2)
