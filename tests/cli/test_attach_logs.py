# SPDX-License-Identifier: MIT
"""Records that are read by outboard-control.logs: each once and in order, whatever the connection does."""
import json
import os
import signal
import sys
import unittest

from attached import AttachCase
from command import ACTOR, OK, REMOTE, outboard

EXAMPLE = os.path.join(os.environ["OB_TEST_SOURCE"], "examples", "python-child", "kv_child.py")


def numbers(records):
    return [r["n"] for r in records if r.get("msg") == "numbered"]


class Logs(AttachCase):
    def call(self, *words):
        return outboard("call", os.path.join(self.root, "far"), *words)

    def attach(self, *args, connect=None, listen=None, **more):
        far = self.other(listen=listen)
        far.start(*args)
        self.write({"far": {**far.child(), "connect": connect or far.listen, **more}})
        run = self.run_it()
        run.event("far", "adopted")
        return far, run

    def await_number(self, run, n):
        run.record(lambda r: r.get("n") == n)

    def test_the_records_of_an_attached_child_come_by_calls(self):
        far, run = self.attach()
        self.expect(self.call("act.log", "[100, 0]"), OK)
        self.await_number(run, 99)
        self.assertEqual(numbers(run.records), list(range(100)))
        self.assertEqual(run.end(), 0)
        self.assertIsNone(far.process.poll())

    def run_until_it_answers(self, far):
        """A first supervisor waits until the child listens, and lets go of it."""
        self.write({"far": far.child()})
        run = self.run_it()
        run.event("far", "adopted")
        self.assertEqual(run.end(), 0)

    def log_directly(self, far, count, first):
        """By a connection of its own: nothing cuts that one."""
        self.expect(outboard("call", "--address", far.listen, "--auth", "peercred,token", "--token-file", far.token_file,
                             "act.log", f"[{count}, {first}]"), OK)

    def test_fault_124_over_fifty_cuts_none_is_lost_or_doubled(self):
        # The more often a connection breaks soon, the later the next dial: five children have ten cuts each.
        names = [f"far{i}" for i in range(5)]
        children = {}
        for i, name in enumerate(names):
            far = self.other()
            far.start()
            # What the dialer reads breaks within some 6 KB.
            chaos = f"chaos+{far.listen}?seed={i}&reset=1/3000&side=dialer&way=in"
            children[name] = far.child(connect=chaos, health={"interval": "0s"})
        self.write(children)
        run = self.run_it()
        run.events(**{name: "adopted" for name in names})
        last, cuts = 0, 0
        while cuts < 50:
            for far in self.others:
                self.log_directly(far, 60, last)
            last += 60
            run.all_of(*[lambda r, name=name: r.get("outboard") == name and r.get("n") == last - 1 for name in names])
            cuts = len([r for r in run.records if r.get("event") == "link_up"])
        for name in names:
            self.assertEqual(numbers([r for r in run.records if r.get("outboard") == name]), list(range(last)))
        self.assertFalse([r for r in run.records if r.get("event") == "replaced"])

    def test_fault_125_what_does_not_fit_is_counted(self):
        far = self.other()
        far.start()
        self.write({"far": far.child()})
        self.run_until_it_answers(far)
        self.log_directly(far, 20000, 0)  # 2 MB of records, and nobody reads
        run = self.run_it()
        self.await_number(run, 19999)
        read = numbers(run.records)
        dropped = sum(r["dropped"] for r in run.records if r["msg"] == "log records were dropped")
        self.assertEqual(read, list(range(dropped, 20000)))
        self.assertGreater(len(read), 1000)

    def test_the_next_supervisor_goes_on_behind_the_last_one(self):
        far, run = self.attach()
        self.expect(self.call("act.log", "[50, 0]"), OK)
        self.await_number(run, 49)
        self.assertEqual(run.end(signal.SIGUSR1), 0)
        self.expect(self.call("act.log", "[50, 50]"), OK)  # nobody reads
        run = self.run_it()
        self.await_number(run, 99)
        self.assertEqual(numbers(run.records), list(range(50, 100)))
        self.assertIsNone(far.process.poll())

    def test_the_sequence_of_another_process_is_another_one(self):
        far, run = self.attach()
        self.expect(self.call("act.log", "[5, 0]"), OK)
        self.await_number(run, 4)
        far.kill()
        run.event("far", "link_down")
        far.start()
        run.event("far", "link_up")
        self.expect(self.call("act.log", "[3, 100]"), OK)
        self.await_number(run, 102)
        self.assertEqual(numbers(run.records), [0, 1, 2, 3, 4, 100, 101, 102])

    def test_fault_125_a_reader_that_is_stopped_does_not_hold_up_the_child(self):
        far, run = self.attach()
        os.kill(run.pid, signal.SIGSTOP)
        try:
            self.expect(self.call("act.log", "[20000, 0]"), OK)
        finally:
            os.kill(run.pid, signal.SIGCONT)
        self.await_number(run, 19999)
        read = numbers(run.records)
        self.assertEqual(read, sorted(set(read)))

    def test_nobody_but_the_parent_reads_them(self):
        _, run = self.attach()
        self.expect(self.call("act.log", "[1, 0]"), OK)
        self.await_number(run, 0)
        done = self.call("outboard-control.logs", "[]")
        self.expect(done, REMOTE)
        self.assertIn("permission denied", done.stderr)

    def test_a_child_that_was_started_here_can_be_asked_too(self):
        self.write({"near": {"command": [ACTOR], "logs": "rpc"}, "plain": [ACTOR][1:]})
        run = self.run_it()
        run.events(near="ready", plain="ready")
        for name in ("near", "plain"):
            self.expect(outboard("call", os.path.join(self.root, name), "act.log", "[3, 0]"), OK)
        run.all_of(*[lambda r, name=name: r.get("outboard") == name and r.get("n") == 2 for name in ("near", "plain")])
        for name in ("near", "plain"):
            self.assertEqual(numbers([r for r in run.records if r.get("outboard") == name]), [0, 1, 2])
        with open(os.path.join(self.root, "near", "outboard.json")) as file:
            self.assertEqual(json.load(file)["logs"], "rpc")
        self.assertEqual(run.end(), 0)

    def test_a_child_in_python_keeps_its_records_too(self):
        far = self.other(program=(sys.executable, EXAMPLE), codec="json", auth="token")
        far.start()
        self.write({"far": far.child(codec="json", auth="token")})
        run = self.run_it()
        run.event("far", "adopted")
        for i in range(3):
            self.expect(self.call("kv.set", json.dumps([f"key{i}", "x"])), OK)
        run.record(lambda r: r.get("key") == "key2")
        self.assertEqual([r["key"] for r in run.records if r["msg"] == "set"], ["key0", "key1", "key2"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
