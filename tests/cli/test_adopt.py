# SPDX-License-Identifier: MIT
"""outboard run, again: children of an earlier run are adopted, ended, or shown as stale."""
import json
import os
import signal
import unittest

from command import OK, Case, actor, outboard


class Again(Case):
    def begin(self):
        """Run until every child is ready or adopted; returns the run and the pids by name."""
        run = self.run_it()
        with open(self.config) as file:
            names = list(json.load(file)["children"])
        found = {}

        def take(record):
            if record.get("event") in ("ready", "adopted"):
                found[record["outboard"]] = record
            return len(found) == len(names)
        run.record(take)
        self.how = {name: record["event"] for name, record in found.items()}
        return run, {name: record["pid"] for name, record in found.items()}

    def detach(self, run, pids):
        watched = {name: self.watch(pid) for name, pid in pids.items()}
        self.assertEqual(run.end(signal.SIGUSR1), OK)
        return watched

    def test_sigusr1_detaches_and_the_next_run_adopts(self):
        self.write({"a": [], "b": [], "c": []})
        run, before = self.begin()
        self.detach(run, before)
        self.assertFalse(os.path.exists(f"{self.root}/run.sock"))
        again, after = self.begin()
        self.assertEqual(after, before)
        self.assertEqual(set(self.how.values()), {"adopted"})
        status = self.status()
        self.assertTrue(all(row["adopted"] and not row["stale"] for row in status.values()))
        self.assertEqual(again.end(), OK)
        self.assertEqual(self.living_children(), [])

    def test_the_children_of_a_killed_run_are_adopted(self):
        self.write({"a": [], "b": []})
        run, before = self.begin()
        run.process.kill()
        run.process.wait()
        again, after = self.begin()
        self.assertEqual(after, before)
        self.assertEqual(again.end(), OK)

    def test_records_written_between_two_runs_arrive(self):
        self.write({"a": []})
        run, pids = self.begin()
        self.detach(run, pids)
        self.expect(outboard("call", f"{self.root}/a", "act.log", "[3, 7]"), OK, "10\n")
        again = self.run_it()
        numbers = [again.record(lambda r: r["msg"] == "numbered")["n"] for _ in range(3)]
        self.assertEqual(numbers, [7, 8, 9])
        self.assertEqual(again.end(), OK)

    def test_a_removed_child_is_ended(self):
        self.write({"keep": [], "gone": ["say=hello"]})
        run, before = self.begin()
        gone = self.detach(run, before)["gone"]
        self.write({"keep": [], "new": []})
        again = self.run_it()
        told = again.record(lambda r: r["msg"] == "no longer in the config, ending it")
        self.assertEqual((told["outboard"], told["pid"]), ("gone", before["gone"]))
        again.record(lambda r: r["msg"] == "ended" and r["outboard"] == "gone")
        gone.wait()
        self.assertEqual(self.status()["keep"]["pid"], before["keep"])
        self.assertEqual(os.listdir(f"{self.root}/gone"), [])
        state = f"{self.root}/.state/gone"
        self.assertEqual(sorted(os.listdir(state)), ["outboard.lock", "parent.lock", "start", "state.json"])
        with open(f"{state}/state.json") as file:
            self.assertEqual(json.load(file)["state"], "stopped")
        with open(f"{self.root}/run.json") as file:
            self.assertNotIn("gone", [entry["name"] for entry in json.load(file)["children"]])
        self.assertEqual(again.end(), OK)

    def test_a_removed_child_outside_data_root_is_ended_as_recorded(self):
        """Its data directory is not in data_root, and it ignores SIGINT and SIGTERM."""
        place = os.path.join(self.dir, "elsewhere", "far")
        self.write({"far": actor("stubborn", data_path=place, stop={"signal": "SIGHUP", "timeout": "1h"}), "near": []})
        run, before = self.begin()
        far = self.detach(run, before)["far"]
        self.write({"near": []})
        again = self.run_it()
        again.record(lambda r: r["msg"] == "ended" and r["outboard"] == "far")
        far.wait()
        self.assertEqual(again.end(), OK)

    def test_a_removed_child_that_ignores_its_signal_is_killed(self):
        self.write({"deaf": actor("stubborn", stop={"timeout": "50ms"}), "near": []})
        run, before = self.begin()
        deaf = self.detach(run, before)["deaf"]
        self.write({"near": []})
        again = self.run_it()
        again.record(lambda r: r["msg"] == "ended")
        deaf.wait()
        self.assertEqual(again.end(), OK)

    def test_fault_82_extreme_numbers_in_the_record_are_ignored(self):
        for number in 2**63 - 1, -2**63:
            self.write({"gone": [], "near": []})
            run, before = self.begin()
            gone = self.detach(run, before)["gone"]
            with open(f"{self.root}/run.json") as file:
                record = json.load(file)
            for entry in record["children"]:
                entry.update(stop_signal=number, stop_timeout_ms=number)
            with open(f"{self.root}/run.json", "w") as file:
                json.dump(record, file)
            self.write({"near": []})
            again = self.run_it()
            again.record(lambda r: r["msg"] == "ended")
            gone.wait()
            self.assertEqual(again.end(), OK)

    def test_removed_children_are_found_without_a_record(self):
        """run.json is lost or broken; children in data_root are still found."""
        self.write({"a": [], "b": []})
        run, before = self.begin()
        watched = self.detach(run, before)
        os.unlink(f"{self.root}/run.json")
        self.write({"a": []})
        again = self.run_it()
        again.record(lambda r: r["msg"] == "ended" and r["outboard"] == "b")
        watched["b"].wait()
        self.assertEqual(again.end(signal.SIGUSR1), OK)
        with open(f"{self.root}/run.json", "w") as file:
            file.write('{"children":[{"name":"x","data_path":"relative"},3,{"name":"../y","data_path":"/"}],')
        self.write({"c": []})
        third = self.run_it()
        third.record(lambda r: r["msg"] == "ended" and r["outboard"] == "a")
        self.assertEqual(third.end(), OK)

    def test_a_child_that_moves_never_runs_twice(self):
        place = os.path.join(self.dir, "moved")
        self.write({"a": []})
        run, before = self.begin()
        old = self.detach(run, before)["a"]
        self.write({"a": actor(data_path=place)})
        again = self.run_it()
        again.record(lambda r: r["msg"] == "ended")
        self.assertNotIn("starting", [r.get("event") for r in again.records])
        old.wait()
        again.event("a", "ready")
        self.assertEqual(self.status()["a"]["data_path"], place)
        self.assertEqual(again.end(), OK)

    def test_one_directory_by_two_names_is_one_child(self):
        """The path in the config differs from the one in the record; no child is ended."""
        self.write({"a": []})
        run, before = self.begin()
        self.detach(run, before)
        os.symlink(self.root, os.path.join(self.dir, "link"))
        self.write({"a": actor(data_path=f"{self.dir}/link/a", listen=f"unix://{self.root}/a/rpc.sock")})
        again, after = self.begin()
        self.assertEqual(after, before)
        self.assertEqual([r for r in again.records if r["msg"] == "ended"], [])
        self.assertEqual(again.end(), OK)

    def test_a_child_of_another_supervisor_is_not_ended(self):
        """Another supervisor holds a child whose directory lies in our data_root."""
        other = os.path.join(self.dir, "other.json")
        with open(other, "w") as file:
            json.dump({"data_root": f"{self.dir}/other-root",
                       "children": {"theirs": actor(data_path=f"{self.root}/theirs")}}, file)
        mine, self.config = self.config, other
        theirs = self.run_it()
        pid = theirs.event("theirs", "ready")["pid"]
        self.config = mine
        self.write({"a": []})
        run = self.run_it()
        run.event("a", "ready")
        self.assertEqual(run.end(), OK)
        self.config = other
        self.assertEqual(self.status()["theirs"]["pid"], pid)
        self.assertEqual(theirs.end(), OK)
        self.config = mine

    def test_a_child_started_with_another_config_is_stale(self):
        self.write({"a": [], "b": []})
        run, before = self.begin()
        self.detach(run, before)
        self.write({"a": actor("version=2"), "b": actor(stop={"timeout": "1s"}, restart={"backoff_base": "1s"})})
        alone = self.status()
        self.assertEqual([alone[n]["stale"] for n in "ab"], [True, False], "from the data directories alone")
        again, after = self.begin()
        self.assertEqual(after, before)
        status = self.status()
        self.assertEqual([status[n]["stale"] for n in "ab"], [True, False])
        self.assertRegex(outboard("status", self.config).stdout, r"(?m)^a +ready \(stale\) ")
        self.expect(outboard("restart", "--config", self.config, "a"), OK, "a: ready\n")
        self.assertFalse(self.status()["a"]["stale"])
        self.assertEqual(again.end(), OK)

    def test_a_child_in_backoff_needs_no_detach(self):
        self.write({"a": actor("exit=1", restart={"backoff_base": "1h", "backoff_max": "1h"})})
        run = self.run_it()
        run.event("a", "restarting")
        self.assertEqual(run.end(signal.SIGUSR1), OK)
        self.assertEqual(self.status()["a"]["state"], "stopped")


if __name__ == "__main__":
    unittest.main(verbosity=2)
