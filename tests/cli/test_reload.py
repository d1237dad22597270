# SPDX-License-Identifier: MIT
"""The config of a running supervisor is read again; the signals that outboard run takes."""
import json
import os
import select
import signal
import subprocess
import time
import unittest

from command import (OK, ONCE, OUTBOARD, PATIENCE, REMOTE, STUBBORN, UNREACHABLE, USAGE, Case, actor, is_alive,
                     outboard)


class Reloading(Case):
    def reload(self, *args):
        return outboard("reload", "--data-root", self.root, *args)

    def begin(self, children, **ready):
        self.write(children)
        run = self.run_it()
        found = run.events(**(ready or {name: "ready" for name in children}))
        self.pids = {name: record["pid"] for name, record in found.items()}
        return run

    def runs_with(self, row):
        """The last argument of the process of a row of the status."""
        with open(f"/proc/{row['pid']}/cmdline") as file:
            return file.read().split("\0")[-2]

    def recorded(self):
        """name -> entry, of the record in data_root."""
        with open(os.path.join(self.root, "run.json")) as file:
            return {entry["name"]: entry for entry in json.load(file)["children"]}

    def test_fault_106_an_edited_config_is_loaded(self):
        run = self.begin({"a": [], "b": [], "c": actor(env={"X": "1", "Y": "2"}, stop={"signal": "SIGTERM"})})
        gone = self.watch(self.pids["a"])
        with open(self.config, "w") as file:
            file.write('{"children": {"new": {"command": ["%s"]}, "b": {"command": ["%s", "version=2"]}, "c": {\n'
                       '  "stop": {"signal": "SIGTERM"}, "env": {"Y": "2", "X": "1"}, "command": ["%s"]}},\n'
                       ' "data_root": "%s"}' % (*[actor()["command"][0]] * 3, self.root))
        self.expect(self.reload(), OK, "new: started\nb: stale, its config has changed: outboard restart\n"
                    "a: ended\n1 unchanged\n", "")
        gone.wait()
        status = self.status()
        self.assertEqual(list(status), ["new", "b", "c"])
        self.assertEqual([row["stale"] for row in status.values()], [False, True, False])
        self.assertEqual({row["state"] for row in status.values()}, {"ready"})
        self.assertEqual([status[n]["pid"] for n in "bc"], [self.pids[n] for n in "bc"])
        self.assertRegex(outboard("status", self.config).stdout, r"(?m)^b +ready \(stale\)")
        self.expect(outboard("restart", "--config", self.config, "b"), OK, "b: ready\n", "")
        row = self.status()["b"]
        self.assertEqual((row["stale"], self.runs_with(row)), (False, "version=2"))
        self.expect(self.reload(), OK, "3 unchanged\n", "")
        self.assertEqual(run.end(), OK)
        self.assertEqual(set(self.recorded()), {"new", "b", "c"})

    def test_fault_106_sighup_reloads(self):
        run = self.begin({"a": []})
        self.write({"a": ["version=1"], "b": []})
        run.process.send_signal(signal.SIGHUP)
        self.assertEqual(run.record(lambda r: r.get("outboard") == "a")["msg"],
                         "its config has changed, and holds from a restart on")
        told = run.record(lambda r: r["msg"] == "reloaded the config")
        self.assertEqual((told["started"], told["stale"], told["unchanged"]), (1, 1, 0))
        run.event("b", "ready")
        self.assertEqual(run.end(), OK)

    def test_fault_106_a_config_with_faults_changes_nothing(self):
        run = self.begin({"a": []})
        self.write({"b": {"command": ["/bin/true"], "user": "nobody-of-this-name", "colour": 1}})
        result = self.reload()
        self.expect(result, USAGE, "")
        self.assertIn("children.b.colour: is not a known key\n", result.stderr)
        self.write({"b": {"command": ["/bin/true"], "user": "nobody-of-this-name"}})
        result = self.reload("--json")
        self.expect(result, USAGE, stderr="")
        self.assertEqual(json.loads(result.stdout)["faults"][0]["key"], "children.b.user")
        self.assertEqual(json.loads(result.stdout)["faults"][0]["line"], 1)
        self.assertGreater(json.loads(result.stdout)["faults"][0]["column"], 1)
        run.process.send_signal(signal.SIGHUP)
        for _ in range(3):
            run.record(lambda r: r["msg"] == "a fault in the config" and r["level"] == "ERROR")
            run.record(lambda r: r["msg"] == "nothing was reloaded")
        status = self.status(self.root)
        self.assertEqual((list(status), status["a"]["pid"]), (["a"], self.pids["a"]))
        self.assertEqual(run.end(), OK)

    def test_what_belongs_to_the_supervisor_cannot_change(self):
        run = self.begin({"a": []})
        self.write({}, data_root=self.dir + "/other", plugin_path=["/tmp"])
        result = self.reload()
        self.expect(result, USAGE, "")
        self.assertRegex(result.stderr, r"data_root: cannot change while outboard run runs: start it anew\n"
                         r".*plugin_path: cannot change while")
        self.assertEqual(self.status(self.root)["a"]["state"], "ready")
        self.assertEqual(run.end(), OK)

    def test_what_is_no_file_any_more_cannot_be_reloaded(self):
        run = self.begin({"a": []})
        os.remove(self.config)
        self.expect(self.reload(), USAGE, "", f"{self.config}: cannot be read: No such file or directory\n")
        os.mkfifo(self.config)
        self.expect(self.reload(), USAGE, "", f"{self.config}: was not read from a file, and cannot be read again\n")
        self.assertEqual(run.end(), OK)

    def test_what_has_changed_is_restarted_on_request(self):
        run = self.begin({"a": actor(stop={"signal": "SIGTERM"}), "b": []})
        self.write({"a": actor("version=2", stop={"signal": "SIGINT"}), "b": []})
        self.expect(self.reload("--restart-changed"), OK, "a: restarted\n1 unchanged\n", "")
        self.assertEqual(run.event("a", "stopping")["cause"], "sent SIGTERM")
        run.event("a", "ready")
        status = self.status()
        self.assertEqual((self.runs_with(status["a"]), status["a"]["stale"]), ("version=2", False))
        self.assertEqual(status["b"]["pid"], self.pids["b"])
        self.expect(outboard("stop", "--config", self.config, "a"), OK)
        self.assertEqual(run.event("a", "stopping")["cause"], "sent SIGINT")
        self.assertEqual(run.end(), OK)

    def test_a_failed_start_is_told(self):
        run = self.begin({"a": []})
        self.write({"a": [], "b": actor("exit=4", **ONCE)})
        result = self.reload()
        self.expect(result, REMOTE, "1 unchanged\n")
        self.assertRegex(result.stderr, r"^b: restarting in 1h: process \d+ exited with status 4\n$")
        self.assertEqual(run.end(), OK)

    def test_a_change_that_was_taken_back_is_none(self):
        run = self.begin({"a": []})
        self.write({"a": ["version=2"]})
        self.expect(self.reload(), OK)
        self.assertTrue(self.status()["a"]["stale"])
        self.write({"a": []})
        self.expect(self.reload(), OK, "1 unchanged\n")
        self.assertFalse(self.status()["a"]["stale"])
        self.assertEqual(run.end(), OK)

    def test_a_stopped_child_has_the_new_config_when_it_is_started(self):
        run = self.begin({"a": []})
        self.expect(outboard("stop", "--config", self.config), OK)
        other = os.path.join(self.dir, "elsewhere")
        self.write({"a": actor("version=5", data_path=other)})
        self.expect(self.reload("--restart-changed"), OK, "a: changed, for its next start\n0 unchanged\n", "")
        self.assertEqual(self.status()["a"]["state"], "stopped")
        self.expect(outboard("start", "--config", self.config), OK)
        row = self.status()["a"]
        self.assertEqual((self.runs_with(row), row["data_path"]), ("version=5", other))
        self.assertEqual(run.end(), OK)
        self.assertEqual(self.recorded()["a"]["data_path"], other)

    def test_the_next_start_of_a_child_that_failed_has_the_new_config(self):
        run = self.begin({"a": actor("exit=4", **ONCE)}, a="starting")
        run.event("a", "restarting")
        self.write({"a": []})
        self.expect(self.reload(), OK, "a: restarted\n0 unchanged\n", "")
        run.event("a", "ready")
        self.assertEqual(run.end(), OK)

    def test_a_stale_child_that_dies_is_started_with_the_new_config(self):
        run = self.begin({"a": actor(**ONCE)})
        self.write({"a": actor("version=7", **ONCE)})
        self.expect(self.reload(), OK)
        os.kill(self.pids["a"], signal.SIGKILL)
        run.event("a", "ready")
        row = self.status()["a"]
        self.assertEqual((self.runs_with(row), row["stale"]), ("version=7", False))
        self.assertEqual(run.end(), OK)

    def test_a_child_that_is_removed_and_added_again_waits_for_its_end(self):
        run = self.begin({"a": STUBBORN}, a="starting")
        run.await_stubborn("a")
        old = self.watch(self.pids["a"])
        self.write({})
        run.process.send_signal(signal.SIGHUP)
        run.event("a", "stopping")
        self.assertEqual(self.status(), {})
        self.assertEqual(set(self.recorded()), {"a"})
        self.write({"a": []})
        run.process.send_signal(signal.SIGHUP)
        run.record(lambda r: r["msg"] == "reloaded the config")
        self.assertEqual(self.status()["a"]["state"], "blocked")
        self.assertTrue(is_alive(old.pid))
        self.expect(self.reload(), OK, "1 unchanged\n", "")
        os.kill(old.pid, signal.SIGKILL)
        run.event("a", "ready")
        self.assertNotEqual(self.status()["a"]["pid"], old.pid)
        self.assertEqual(run.end(), OK)

    def request(self, *args):
        """A request that is not waited for."""
        process = subprocess.Popen([OUTBOARD, *args, "--data-root", self.root], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        return process

    def await_waiting(self, names):
        """Until requests wait for these children, and for no others."""
        deadline, found = time.monotonic() + PATIENCE, None
        while found != {"count": len(names), "names": names}:
            self.assertLess(time.monotonic(), deadline, found)
            result = outboard("call", "--auth", "peercred", "--address", f"unix://{self.root}/run.sock", "run.waiting")
            self.expect(result, OK)
            found = json.loads(result.stdout)

    def test_each_child_that_requests_wait_for_is_told_once(self):
        run = self.begin({"a": STUBBORN, "b": STUBBORN}, a="starting", b="starting")
        run.await_stubborn("a", "b")
        requests = [self.request("stop", "a")]
        self.await_waiting(["a"])
        requests.append(self.request("stop"))
        self.await_waiting(["a", "b"])
        self.write({"b": STUBBORN})
        requests.append(self.request("reload"))
        self.await_waiting(["b", "a"])
        for pid in self.pids.values():
            os.kill(pid, signal.SIGKILL)
        self.assertEqual([r.communicate(timeout=PATIENCE)[0] for r in requests],
                         ["a: stopped\n", "a: stopped\nb: stopped\n", "a: ended\n1 unchanged\n"])
        self.assertEqual(run.end(), OK)

    def begin_again(self):
        """A child was removed and added again; the earlier one has not ended."""
        run = self.begin({"a": STUBBORN}, a="starting")
        run.await_stubborn("a")
        self.write({})
        run.process.send_signal(signal.SIGHUP)
        run.event("a", "stopping")
        self.write({"a": []})
        run.process.send_signal(signal.SIGHUP)
        run.record(lambda r: r["msg"] == "reloaded the config")
        return run, self.watch(self.pids["a"])

    def test_a_child_that_was_stopped_before_it_could_be_started_stays_stopped(self):
        run, old = self.begin_again()
        self.expect(outboard("stop", "--config", self.config), OK, "a: stopped\n", "")
        self.expect(self.reload(), OK, "1 unchanged\n", "")
        os.kill(old.pid, signal.SIGKILL)
        run.record(lambda r: r["msg"] == "ended")
        self.assertEqual(self.status()["a"]["state"], "idle")
        self.assertEqual(run.end(), OK)

    def test_a_start_waits_for_the_end_of_an_earlier_child(self):
        run, old = self.begin_again()
        self.expect(outboard("stop", "--config", self.config), OK, "a: stopped\n", "")
        request = self.request("start")
        self.await_waiting(["a"])
        self.assertTrue(is_alive(old.pid))
        self.assertEqual(self.status()["a"]["state"], "blocked")
        os.kill(old.pid, signal.SIGKILL)
        self.assertEqual(request.communicate(timeout=PATIENCE), ("a: ready\n", None))
        self.assertEqual(self.status()["a"]["restarts"], 0)
        self.assertEqual(run.end(), OK)

    def test_a_restart_of_a_child_that_is_removed_meanwhile_fails(self):
        run = self.begin({"a": STUBBORN}, a="starting")
        run.await_stubborn("a")
        request = subprocess.Popen([OUTBOARD, "restart", "--config", self.config, "a"], stdin=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True)
        run.event("a", "stopping")
        self.write({})
        run.process.send_signal(signal.SIGHUP)
        run.record(lambda r: r["msg"] == "reloaded the config")
        os.kill(self.pids["a"], signal.SIGKILL)
        _, stderr = request.communicate(timeout=PATIENCE)
        self.assertEqual((request.returncode, stderr), (REMOTE, "a: no longer in the config\n"))
        self.assertEqual(run.end(), OK)

    def test_a_directory_is_not_given_to_another_child_while_it_is_used(self):
        path = os.path.join(self.dir, "data")
        run = self.begin({"a": actor(data_path=path)})
        self.write({"b": actor(data_path=path)})
        result = self.reload()
        self.expect(result, USAGE, "")
        self.assertRegex(result.stderr, r'json:1:\d+: children.b.data_path: is still that of "a": end that one first\n$')
        self.write({})
        self.expect(self.reload(), OK, "a: ended\n0 unchanged\n")
        self.write({"b": actor(data_path=path)})
        self.expect(self.reload(), OK, "b: started\n0 unchanged\n")
        self.assertEqual(run.end(), OK)

    def test_a_directory_is_not_given_away_while_a_child_that_was_found_ends(self):
        path = os.path.join(self.dir, "data")
        run = self.begin({"a": {**STUBBORN, "data_path": path}}, a="starting")
        run.await_stubborn("a")
        self.assertEqual(run.end(signal.SIGUSR1), OK)
        self.write({})
        run = self.run_it()
        run.record(lambda r: r["msg"] == "no longer in the config, ending it")
        self.write({"b": actor(data_path=path)})
        result = self.reload()
        self.expect(result, USAGE, "")
        self.assertIn('data_path: is still that of "a": end that one first\n', result.stderr)
        os.kill(self.pids["a"], signal.SIGKILL)
        run.record(lambda r: r["msg"] == "ended")
        self.expect(self.reload(), OK, "b: started\n0 unchanged\n")
        self.assertEqual(run.end(), OK)

    def test_fault_106_an_edited_config_that_was_not_loaded_is_told(self):
        run = self.begin({"a": []})
        self.write({"a": ["version=2"], "b": []})
        result = outboard("start", "--config", self.config, "b")
        self.expect(result, REMOTE, "")
        self.assertIn("b: not loaded yet: outboard reload\n", result.stderr)
        self.expect(outboard("restart", "--config", self.config, "a"), OK,
                    "a: ready (its config has changed in the file: outboard reload)\n", "")
        self.assertNotEqual(self.runs_with(self.status()["a"]), "version=2")
        self.expect(self.reload("--restart-changed"), OK)
        self.expect(outboard("restart", "--config", self.config, "a", "b"), OK, "a: ready\nb: ready\n", "")
        self.assertEqual(run.end(), OK)

    def test_many_reloads(self):
        run = self.begin({f"x{i}": [] for i in range(4)})
        for turn in range(4):
            self.write({f"x{i}": [f"version={i + turn}"] for i in range(turn, turn + 4)})
            self.expect(self.reload("--restart-changed"), OK)
            status = self.status()
            self.assertEqual(list(status), [f"x{i}" for i in range(turn, turn + 4)])
            self.assertEqual([self.runs_with(row) for row in status.values()],
                             [f"version={i + turn}" for i in range(turn, turn + 4)])
        self.assertEqual(run.end(), OK)
        self.assertEqual(self.living_children(), [])


class Signals(Case):
    def begin(self, *names, **child):
        """Children that do not end."""
        self.write({name: {**STUBBORN, **child} for name in names})
        run = self.run_it()
        run.await_stubborn(*names)
        return run

    def test_fault_106_the_second_sigint_kills(self):
        cleanup = ["/bin/echo", "cleaned"]
        run = self.begin("a", stop={"timeout": "1h", "rpc": "1h", "cleanup": cleanup})
        run.process.send_signal(signal.SIGINT)
        self.assertEqual(run.event("a", "stopping")["cause"], "sent SIGINT")
        told = run.record(lambda r: r["msg"] == "waiting for children to end")
        self.assertEqual(told["children"], "a")
        self.assertEqual(run.end(signal.SIGINT), OK)
        said = [r["msg"] for r in run.records]
        self.assertIn("asked again: killing the children that still run", said)
        self.assertIn("killed at once, as asked", [r.get("cause") for r in run.records])
        self.assertIn("cleaned", said)
        self.assertEqual(said[-1], "stopped")

    def test_a_renamed_child_waits_for_the_directory(self):
        child = {"data_path": os.path.join(self.dir, "data"), "stop": {"timeout": "300ms"}}
        run = self.begin("a", **child)
        self.assertEqual(run.end(signal.SIGUSR1), OK)
        self.write({"b": actor(**child)})
        run = self.run_it()
        run.event("b", "ready")
        told = [(r.get("outboard"), r.get("event") or r["msg"]) for r in run.records]
        self.assertLess(told.index(("a", "ended")), told.index(("b", "starting")))
        self.assertIn("outboard.json", os.listdir(child["data_path"]))
        self.assertEqual(run.end(), OK)

    def test_two_signals_at_once_are_one_request(self):
        self.write({"a": []})
        run = self.run_it()
        run.event("a", "ready")
        for number in (signal.SIGINT, signal.SIGTERM):
            run.process.send_signal(number)
        self.assertEqual(run.wait(), OK)
        self.assertNotIn("asked again: killing the children that still run", [r["msg"] for r in run.records])

    def test_fault_106_the_second_sigterm_kills_removed_children_too(self):
        run = self.begin("found", "keep")
        self.assertEqual(run.end(signal.SIGUSR1), OK)
        self.write({"keep": STUBBORN, "loaded": STUBBORN})
        run = self.run_it()
        run.all_of(lambda r: r.get("event") == "adopted", lambda r: r["msg"] == "up")
        self.write({"keep": STUBBORN})
        run.process.send_signal(signal.SIGHUP)
        run.event("loaded", "stopping")
        run.process.send_signal(signal.SIGTERM)
        told = run.record(lambda r: r["msg"] == "waiting for children to end")
        self.assertEqual(set(told["children"].split(", ")), {"found", "loaded", "keep"})
        self.assertEqual(run.end(signal.SIGTERM), OK)
        self.assertEqual({r["outboard"] for r in run.records if r["msg"] in ("ended", "stopped")},
                         {"found", "keep", "loaded"})

    def test_sigint_while_all_are_detached_kills_removed_children_only(self):
        run = self.begin("keep", "gone")
        pids = {name: row["pid"] for name, row in self.status().items()}
        self.write({"keep": STUBBORN})
        run.process.send_signal(signal.SIGHUP)
        run.event("gone", "stopping")
        run.process.send_signal(signal.SIGUSR1)
        run.event("keep", "detached")
        self.assertEqual(run.end(signal.SIGINT), OK)
        self.assertIn("killing the removed children that still run", [r["msg"] for r in run.records])
        self.assertEqual([is_alive(pids[name]) for name in ("keep", "gone")], [True, False])
        keep = self.watch(pids["keep"])
        os.kill(keep.pid, signal.SIGKILL)
        keep.wait()

    def test_nothing_is_reloaded_while_all_is_ending(self):
        run = self.begin("a")
        run.process.send_signal(signal.SIGTERM)
        run.event("a", "stopping")
        self.write({"a": STUBBORN, "b": []})
        run.process.send_signal(signal.SIGHUP)
        self.assertEqual(run.record(lambda r: r["msg"] == "a fault in the config")["reason"],
                         "the supervisor is shutting down")
        run.record(lambda r: r["msg"] == "waiting for children to end")
        self.assertEqual(run.end(), OK)

    def test_sigquit_detaches(self):
        run = self.begin("a", stop={"signal": "SIGKILL"})
        pid = self.status()["a"]["pid"]
        self.assertEqual(run.end(signal.SIGQUIT), OK)
        self.assertIn("detaching all children", [r["msg"] for r in run.records])
        self.assertTrue(is_alive(pid))
        run = self.run_it()
        self.assertEqual(run.event("a", "adopted")["pid"], pid)
        self.assertEqual(run.end(), OK)

    def test_an_ignored_sighup_stays_ignored(self):
        self.write({})
        run = self.run_it(preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        run.record(lambda r: r["msg"] == "supervising")
        run.process.send_signal(signal.SIGHUP)
        self.assertEqual(run.end(), OK)
        self.assertNotIn("reloaded the config", [r["msg"] for r in run.records])

    def test_without_a_file_there_is_nothing_to_open_anew(self):
        self.write({})
        run = self.run_it()
        run.record(lambda r: r["msg"] == "supervising")
        run.process.send_signal(signal.SIGUSR2)
        self.assertEqual(run.record(lambda r: r["msg"] == "nothing was opened anew")["cause"],
                         "the log does not go to a file")
        self.assertEqual(run.end(), OK)


class LogFiles(Case):
    """A log that logrotate moves away."""

    def launch(self, *args, **more):
        """Run until the child has started."""
        fifo = os.path.join(self.dir, "fifo")
        os.mkfifo(fifo)
        heard = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
        self.addCleanup(os.close, heard)
        self.write({"a": {"command": ["/bin/sh", "-c", "echo up >$0; exec sleep 1000", fifo],
                          "ready": {"mode": "none"}}})
        process = subprocess.Popen([OUTBOARD, "run", "--log-format", "json", *args, self.config],
                                   stdin=subprocess.DEVNULL, **more)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        ended = self.watch(process.pid).fd
        self.assertEqual(select.select([heard, ended], [], [], PATIENCE)[0], [heard], "it has ended, or does nothing")
        return process

    def rotate(self, process, log):
        """The messages in the old log and in the new one, when all has ended."""
        os.rename(log, log + ".1")
        process.send_signal(signal.SIGUSR2)
        self.status(self.root)  # takes the loop some turns
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(PATIENCE), OK)
        found = []
        for path in (log + ".1", log):
            with open(path) as file:
                found.append([json.loads(line)["msg"] for line in file])
        return found

    def check(self, old, new):
        self.assertEqual(old[0], "supervising")
        self.assertNotIn("stopping all children", old)
        self.assertEqual((new[0], new[1], new[-1]), ("opened the log anew", "stopping all children", "stopped"))

    def test_a_log_file_is_opened_anew(self):
        log = os.path.join(self.dir, "log")
        self.check(*self.rotate(self.launch("--log-file", log), log))

    def test_stdout_is_opened_anew_if_it_is_a_file(self):
        log = os.path.join(self.dir, "log")
        with open(log, "w") as file:
            process = self.launch(stdout=file, stderr=file)
        self.check(*self.rotate(process, log))

    def test_a_log_file_that_cannot_be_opened_is_an_error(self):
        self.write({})
        log = os.path.join(self.dir, "missing", "log")
        self.expect(outboard("run", "--log-file", log, self.config), UNREACHABLE, "",
                    f"outboard: run: {log}: cannot be opened: No such file or directory\n")


if __name__ == "__main__":
    unittest.main(verbosity=2)
