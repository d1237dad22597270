# SPDX-License-Identifier: MIT
"""outboard run, and the requests start, stop and restart."""
import os
import re
import signal
import time
import unittest

from command import ONCE, OK, PATIENCE, REMOTE, UNREACHABLE, USAGE, Case, actor, is_alive, outboard, outboard_as


class Running(Case):
    def request(self, verb, *names):
        return outboard(verb, "--config", self.config, *names)

    def test_children_are_started_and_stopped(self):
        self.write({"a": ["version=3"], "b": []})
        run = self.run_it()
        run.events(a="ready", b="ready")
        status = self.status()
        self.assertEqual([status[n]["state"] for n in "ab"], ["ready", "ready"])
        self.assertEqual(status["a"]["link"], "up")
        self.assertTrue(status["a"]["supervised"])
        pids = [self.watch(status[n]["pid"]) for n in "ab"]
        self.assertEqual(run.end(signal.SIGTERM), OK)
        for pid in pids:
            pid.wait()
        self.assertEqual(self.living_children(), [])
        self.assertEqual(sorted(os.listdir(self.root)), [".state", "a", "b", "run.json", "run.lock"])
        self.assertNotIn("outboard.json", os.listdir(self.root + "/a"))

    def test_sigint_stops_too(self):
        self.write({"a": []})
        run = self.run_it()
        run.event("a", "ready")
        self.assertEqual(run.end(signal.SIGINT), OK)
        self.assertEqual(run.records[-1].get("event"), "stopped")

    def test_a_signal_before_any_child_is_ready_stops_all(self):
        self.write({"a": ["silent"]})
        run = self.run_it()
        run.event("a", "starting")
        self.assertEqual(run.end(), OK)

    def test_stop_and_start_one(self):
        self.write({"a": [], "b": []})
        run = self.run_it()
        run.events(a="ready", b="ready")
        before = self.status()
        a = self.watch(before["a"]["pid"])
        self.expect(self.request("stop", "a"), OK, "a: stopped\n", "")
        a.wait()
        status = self.status()
        self.assertEqual((status["a"]["state"], status["a"]["pid"]), ("stopped", None))
        self.assertEqual(status["b"]["pid"], before["b"]["pid"])
        self.expect(self.request("stop", "a"), OK, "a: stopped\n")
        self.expect(self.request("start", "a"), OK, "a: ready\n", "")
        self.assertEqual(self.status()["a"]["state"], "ready")
        self.expect(self.request("start", "a"), OK, "a: ready\n")
        self.assertEqual(run.end(), OK)

    def test_restart_makes_a_new_process(self):
        self.write({"a": [], "b": []})
        run = self.run_it()
        run.events(a="ready", b="ready")
        before = self.status()
        self.expect(self.request("restart", "b"), OK, "b: ready\n", "")
        after = self.status()
        self.assertEqual(after["a"]["pid"], before["a"]["pid"])
        self.assertNotEqual(after["b"]["pid"], before["b"]["pid"])
        self.assertFalse(is_alive(before["b"]["pid"]))
        self.assertEqual(run.end(), OK)

    def test_no_names_means_all_children(self):
        self.write({"a": [], "b": []})
        run = self.run_it()
        run.events(a="ready", b="ready")
        self.expect(outboard("stop", "--data-root", self.root), OK, "a: stopped\nb: stopped\n", "")
        self.assertEqual({row["state"] for row in self.status().values()}, {"stopped"})
        self.expect(outboard("start", "--data-root", self.root), OK, "a: ready\nb: ready\n", "")
        self.assertEqual(run.end(), OK)

    def test_a_request_with_an_unknown_name_has_no_effect(self):
        self.write({"a": []})
        run = self.run_it()
        run.event("a", "ready")
        result = self.request("stop", "a", "nobody")
        self.expect(result, REMOTE, "")
        self.assertIn('there is no child "nobody"', result.stderr)
        self.assertEqual(self.status()["a"]["state"], "ready")
        self.assertEqual(run.end(), OK)

    def test_a_failed_start_has_a_reason(self):
        self.write({"bad": actor("exit=4", **ONCE), "good": []})
        run = self.run_it()
        run.events(bad="restarting", good="ready")
        result = self.request("start", "bad", "good")
        self.expect(result, REMOTE, "good: ready\n")
        self.assertRegex(result.stderr, r"^bad: restarting in 1h: process \d+ exited with status 4\n$")
        row = self.status()["bad"]
        self.assertEqual((row["state"], row["pid"]), ("backoff", None))
        self.assertRegex(row["last_error"], "exited with status 4")
        table = outboard("status", self.config).stdout
        self.assertRegex(table, r"(?m)^bad +backoff +down +host +- +- +2 +- +- +- +"
                         r"next try in (1h|59m\d+s); process \d+ exited with status 4$")
        self.assertGreater(row["next_try_ms"], 0)
        self.assertIsNone(self.status()["good"]["next_try_ms"])
        self.assertEqual(run.end(), OK)

    def test_a_crashed_child_is_restarted(self):
        self.write({"a": actor(restart={"backoff_base": "10ms", "jitter": 0.0})})
        run = self.run_it()
        first = run.event("a", "ready")["pid"]
        os.kill(first, signal.SIGKILL)
        self.assertEqual(run.event("a", "exited")["signal"], 9)
        self.assertEqual(run.event("a", "restarting")["delay"], "10ms")
        self.assertNotEqual(run.event("a", "ready")["pid"], first)
        self.assertEqual(self.status()["a"]["restarts"], 1)
        self.assertEqual(run.end(), OK)

    def test_a_failed_child_makes_the_supervisor_unhealthy(self):
        self.write({"a": actor("exit=1", restart={"max_restarts": 1, "backoff_base": "1ms"})})
        run = self.run_it()
        self.assertEqual(run.event("a", "failed")["level"], "ERROR")
        health = outboard("call", "--address", f"unix://{self.root}/run.sock", "--auth", "peercred",
                          "outboard-control.health")
        self.expect(health, OK)
        self.assertIn('"healthy":false', health.stdout)
        self.assertIn("children: a has failed", health.stdout)
        self.assertEqual(run.end(), OK)

    def test_a_second_run_of_a_data_root_is_refused(self):
        self.write({"a": []})
        run = self.run_it()
        pid = run.event("a", "ready")["pid"]
        second = outboard("run", self.config)
        self.expect(second, UNREACHABLE, "")
        self.assertIn(f"another outboard run (pid {run.pid}) uses it", second.stderr)
        self.assertIn("data_root", second.stderr)
        self.assertEqual(self.status()["a"]["pid"], pid)
        self.assertEqual(run.end(), OK)

    def test_a_shutdown_call_ends_the_supervisor(self):
        self.write({"a": []})
        run = self.run_it()
        run.event("a", "ready")
        self.expect(outboard("call", "--address", f"unix://{self.root}/run.sock", "--auth", "peercred",
                             "outboard-control.shutdown"), OK, "null\n")
        self.assertEqual(run.wait(), OK)

    def test_names_must_be_a_list(self):
        self.write({"a": []})
        run = self.run_it()
        run.event("a", "ready")

        def call(params):
            return outboard("call", "--address", f"unix://{self.root}/run.sock", "--auth", "peercred", "run.stop",
                            params)
        self.expect(call("7"), REMOTE, "")
        self.expect(call('{"names": {"a": 1}}'), REMOTE, "")
        self.expect(call("[[]]"), OK, "[]\n")
        self.assertEqual(self.status()["a"]["state"], "ready")
        self.expect(call('"a"'), OK, '[{"name":"a","ok":true,"error":null}]\n')
        self.assertEqual(run.end(), OK)

    def test_a_request_without_a_supervisor_fails(self):
        self.write({"a": []})
        for verb in "start", "stop", "restart":
            result = self.request(verb, "a")
            self.expect(result, UNREACHABLE, "")
            self.assertIn("no supervisor runs there: ", result.stderr)
        self.assertFalse(os.path.exists(self.root))

    def test_a_bad_config_starts_nothing(self):
        self.write({"a": [], "b": {"command": []}})
        result = outboard("run", self.config)
        self.expect(result, USAGE, "")
        self.assertRegex(result.stderr, rf"^{self.config}:1:\d+: children\.b\.command: ")
        self.assertFalse(os.path.exists(self.root))

    def test_a_data_root_that_others_can_write_is_refused(self):
        self.write({"a": []})
        os.mkdir(self.root)
        os.chmod(self.root, 0o777)
        result = outboard("run", self.config)
        self.expect(result, USAGE, "")
        self.assertIn("data_root", result.stderr)
        self.assertIn(f"data_root: {self.root}: writable by others (mode 0777)", result.stderr)
        self.assertEqual(os.listdir(self.root), [])

    def test_a_long_data_root(self):
        self.root = os.path.join(self.dir, "x" * 120)
        self.write({"a": []})
        run = self.run_it()
        run.event("a", "ready")
        self.assertEqual(self.status()["a"]["link"], "up")
        self.assertEqual(run.end(), OK)


class Logs(Case):
    def test_json_records_of_children_and_events(self):
        self.write({"a": ["say=not json"]})
        run = self.run_it()
        raw = run.record(lambda r: r["msg"] == "not json")
        self.assertEqual((raw["outboard"], raw["level"]), ("a", "INFO"))
        run.event("a", "ready")
        self.expect(outboard("call", f"{self.root}/a", "act.log", "[2, 41]"), OK, "43\n")
        numbers = [run.record(lambda r: r["msg"] == "numbered") for _ in range(2)]
        self.assertEqual([(r["n"], r["outboard"]) for r in numbers], [(41, "a"), (42, "a")])
        self.assertEqual(run.end(), OK)
        self.assertEqual([r["event"] for r in run.records if "event" in r], ["starting", "ready", "stopping", "exited", "stopped"])

    def test_text_records(self):
        self.write({"a": ["say=hello"]})
        run = self.run_it("--log-format", "text")
        self.read_until(run, "ready")
        self.assertEqual(run.end(), OK)
        text = "\n".join(run.lines.seen)
        self.assertRegex(text, r"(?m)^\S+ INFO  supervising pid=\d+ children=1 socket=unix://")
        self.assertRegex(text, r"(?m)^\S+ INFO  \[a\] started pid=\d+$")
        self.assertRegex(text, r"(?m)^\S+ INFO  \[a stdout\] hello$")
        self.assertRegex(text, r"(?m)^\S+ INFO  \[a\] stopped$")
        self.assertNotIn("\x1b", text)

    def read_until(self, run, word):
        deadline = time.monotonic() + PATIENCE
        while not re.search(rf"\b{word}\b", run.lines.next(deadline) or word):
            pass

    def test_a_peer_with_another_token_is_logged(self):
        """It finds the child's proof to be wrong, and goes."""
        self.write({"a": []})
        run = self.run_it()
        run.event("a", "ready")
        token = os.path.join(self.dir, "token")
        with open(os.open(token, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write("0" * 64 + "\n")
        self.expect(outboard("call", "--address", f"unix://{self.root}/a/rpc.sock", "--token-file", token, "act.echo"),
                    UNREACHABLE, "")
        told = run.record(lambda r: "connection" in r["msg"])
        self.assertEqual((told["outboard"], told["level"], told["msg"]),
                         ("a", "WARN", "a connection was given up by the peer"))
        self.assertEqual(run.end(), OK)


class Refused(Case):
    @unittest.skipUnless(os.geteuid() == 0, "only root can act as another user")
    def test_fault_49_another_user_is_refused(self):
        """Only the supervisor's user and root are admitted, even if the file modes let others connect."""
        self.write({"a": []})
        os.chmod(self.dir, 0o755)
        os.mkdir(self.root)
        os.chmod(self.root, 0o755)
        run = self.run_it()
        run.event("a", "ready")
        os.chmod(f"{self.root}/run.sock", 0o777)
        result = outboard_as(12345, "stop", "--data-root", self.root, "a")
        self.expect(result, UNREACHABLE, "")
        self.assertEqual(self.status()["a"]["state"], "ready")
        refused = run.record(lambda r: "refused" in r["msg"] and "outboard" not in r)
        self.assertIn("peercred: user 12345", refused["reason"])
        self.assertEqual(run.end(), OK)


if __name__ == "__main__":
    unittest.main(verbosity=2)
