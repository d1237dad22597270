# SPDX-License-Identifier: MIT
"""Descriptors of outboard run: what a child costs, the limit, and what still works when there are none left."""
import os
import resource
import unittest

from command import OK, ONCE, OUTBOARD, Case, Run, actor, outboard

PER_CHILD = 6
SLEEPER = {"command": ["/bin/sleep", "1000"], "ready": {"mode": "none"}, **ONCE}


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def lowest_free(pid):
    used = {int(number) for number in os.listdir(f"/proc/{pid}/fd")}
    return next(number for number in range(len(used) + 1) if number not in used)


def limit_of(pid):
    return resource.prlimit(pid, resource.RLIMIT_NOFILE)


class Descriptors(Case):
    def limited(self, soft, hard):
        """outboard run behind prlimit(1): a limit that was lowered here could not be raised again."""
        wrapper = os.path.join(self.dir, "limited")
        with open(wrapper, "w") as file:
            file.write(f"#!/bin/sh\nulimit -S -n {soft} && ulimit -H -n {hard} && exec '{OUTBOARD}' \"$@\"\n")
        os.chmod(wrapper, 0o755)
        return wrapper

    def run_limited(self, soft, hard):
        run = Run(self.config, program=self.limited(soft, hard))
        self.runs.append(run)
        return run

    def test_fault_88_what_a_child_costs(self):
        """The same for children with a connection and without."""
        for make in (lambda: actor(), lambda: SLEEPER):
            counts = []
            for number in 1, 9:
                names = [f"c{i}" for i in range(number)]
                self.write({name: make() for name in names})
                run = self.run_it()
                run.events(**{name: "ready" for name in names})
                counts.append(descriptors(run.pid))
                self.assertEqual(run.end(), OK)
            self.assertEqual(counts[1] - counts[0], 8 * PER_CHILD)

    def test_fault_88_the_soft_limit_is_raised_and_children_get_the_old_one(self):
        self.write({"a": actor(), "b": actor(limits={"nofile": [77, 88]})})
        run = self.run_limited(64, 512)
        ready = run.events(a="ready", b="ready")
        self.assertEqual(limit_of(run.pid), (512, 512))
        self.assertEqual(limit_of(ready["a"]["pid"]), (64, 512))
        self.assertEqual(limit_of(ready["b"]["pid"]), (77, 88))
        self.assertEqual(run.end(), OK)

    def test_fault_88_without_descriptors_it_can_be_asked_and_stopped(self):
        """Children that start take all there are; those of them that cannot start wait for an hour."""
        names = [f"c{i:02}" for i in range(40)]
        self.write({name: SLEEPER for name in names})
        run = self.run_limited(128, 128)
        seen = {}

        def settled(record):
            if record.get("event") in ("ready", "restarting"):
                seen[record["outboard"]] = record["event"]
            return len(seen) == len(names)
        run.record(settled)
        ready = [name for name in names if seen[name] == "ready"]
        self.assertTrue(0 < len(ready) < len(names), seen)
        self.assertEqual(sorted(self.status()), names)
        # Nothing is free now but the reserve.
        resource.prlimit(run.pid, resource.RLIMIT_NOFILE, (lowest_free(run.pid), 128))
        for _ in range(3):
            self.assertEqual(sorted(self.status()), names)
        for name in ready[:3]:
            self.expect(outboard("stop", "--config", self.config, name), OK, f"{name}: stopped\n")
        self.assertEqual(self.status()[ready[0]]["state"], "stopped")
        resource.prlimit(run.pid, resource.RLIMIT_NOFILE, (128, 128))
        self.expect(outboard("start", "--config", self.config, ready[0]), OK, f"{ready[0]}: ready\n")
        self.assertEqual(run.end(), OK)

    def test_fault_88_check_computes_the_need(self):
        self.write({f"c{i}": SLEEPER for i in range(20)})
        need = 20 * PER_CHILD + 45
        for limit, warned in (need - 1, True), (need, False):
            result = outboard("check", self.config, program=self.limited(64, limit))
            self.expect(result, OK, f"{self.config}: fine, 20 children\n")
            said = (f"{self.place_of('children')}: warning: children: 20 children need {need} descriptors "
                    f"(6 each, plus 45); the hard limit RLIMIT_NOFILE is {limit}\n")
            self.assertEqual(result.stderr, said if warned else "")


if __name__ == "__main__":
    unittest.main()
