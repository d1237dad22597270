# SPDX-License-Identifier: MIT
"""Children that others start: attached to, called, let go of, and never signalled."""
import json
import os
import signal
import unittest

from attached import AttachCase
from command import OK, PATIENCE, REMOTE, USAGE, free_port, outboard

# A heartbeat that notices a silent child soon, and not one that had to wait for a busy processor.
BRISK = {"health": {"interval": "500ms"}}
# A wait for a child that does not run, or whose token cannot be read: it is over at once.
IN_VAIN = {**BRISK, "ready": {"timeout": "300ms"}}


class Attach(AttachCase):
    def attach(self, *args, **more):
        """A child that runs, and a supervisor that has attached to it."""
        far = self.other()
        far.start(*args)
        self.write({"far": far.child(**more)})
        run = self.run_it()
        self.assertIn("attached to a child that others have started", run.event("far", "adopted")["cause"])
        return far, run

    def call(self, *words):
        return outboard("call", os.path.join(self.root, "far"), *words)

    def test_it_is_called_and_shown(self):
        far, run = self.attach("version=7")
        self.expect(self.call("act.echo", '["here"]'), OK, '"here"\n', "")
        row = self.status()["far"]
        self.assertEqual((row["state"], row["link"], row["healthy"], row["pid"], row["inner_pid"], row["version"]),
                         ("ready", "up", True, None, far.process.pid, 7))
        self.assertEqual(row["address"], far.listen)
        self.assertFalse(os.path.exists(os.path.join(self.root, "far")), "a data directory was made")
        self.assertEqual(run.end(), 0)
        self.assertIsNone(far.process.poll())

    def test_fault_120_a_lost_child_is_waited_for_and_another_one_is_told(self):
        far, run = self.attach(**BRISK)
        far.kill()
        run.all_of(*[lambda r, word=word: r.get("event") == word for word in ("link_down", "unresponsive")])
        row = self.status()["far"]
        self.assertEqual((row["state"], row["healthy"]), ("reconnecting", True))
        self.assertIn("far.sock", row["last_error"])
        far.start()
        run.event("far", "link_up")
        self.assertIn("replaced", run.event("far", "replaced")["event"])
        row = self.status()["far"]
        self.assertEqual((row["state"], row["restarts"]), ("ready", 1))
        self.assertFalse([r for r in run.records if r.get("event") in ("exited", "restarting", "failed")])

    def test_fault_120_it_is_waited_for_where_it_does_not_run_yet(self):
        far = self.other()
        self.write({"far": far.child(**IN_VAIN)})
        run = self.run_it()
        self.assertIn("not connected yet: connecting to ", run.event("far", "adopted")["cause"])
        self.assertEqual(self.status()["far"]["state"], "reconnecting")
        result = outboard("start", "--config", self.config, "far")
        self.assertEqual(result.returncode, REMOTE, result.stderr)
        self.assertIn("far.sock", result.stderr + result.stdout)
        far.start()
        run.event("far", "link_up")
        self.assertEqual(self.status()["far"]["state"], "ready")
        self.expect(outboard("start", "--config", self.config, "far"), OK)

    def test_a_stop_lets_go_and_a_start_attaches_again(self):
        far, run = self.attach()
        self.expect(outboard("stop", "--config", self.config, "far"), OK)
        run.event("far", "detached")
        self.assertEqual(self.status()["far"]["state"], "detached")
        self.expect(outboard("start", "--config", self.config, "far"), OK)
        self.expect(self.call("act.echo", "[1]"), OK, "1\n")
        self.assertIsNone(far.process.poll())

    def test_a_restart_is_refused(self):
        far, _ = self.attach()
        result = outboard("restart", "--config", self.config, "far")
        self.assertEqual(result.returncode, REMOTE)
        self.assertIn("others start this child", result.stderr + result.stdout)
        self.assertEqual(self.status()["far"]["state"], "ready")
        self.assertIsNone(far.process.poll())

    def test_with_stop_rpc_a_stop_asks_it_to_shut_down(self):
        far, run = self.attach(stop={"rpc": "20s"})
        self.expect(outboard("stop", "--config", self.config, "far"), OK)
        self.assertEqual(far.wait(), 0)
        self.assertIn("shut down, as asked", run.event("far", "exited")["cause"])
        self.assertEqual(self.status()["far"]["state"], "stopped")

    def test_with_stop_rpc_a_restart_waits_for_those_who_start_it(self):
        far, run = self.attach(stop={"rpc": "20s"}, ready={"timeout": "50s"})
        asking = self.start_command("restart", "--config", self.config, "far")
        self.assertEqual(far.wait(), 0)
        far.start()
        self.assertEqual(asking.wait(PATIENCE), 0)
        run.event("far", "adopted")
        self.assertEqual(self.status()["far"]["state"], "ready")

    def test_one_that_does_not_agree_is_let_go_of(self):
        far, run = self.attach(stop={"rpc": "100ms"})
        os.kill(far.process.pid, signal.SIGSTOP)
        result = outboard("stop", "--config", self.config, "far")
        self.assertEqual(result.returncode, REMOTE)
        self.assertIn("did not end within 100ms (stop.rpc)", result.stderr + result.stdout)
        run.event("far", "detached")
        os.kill(far.process.pid, signal.SIGCONT)

    def test_the_next_supervisor_finds_it_after_a_detach_and_after_a_kill(self):
        far, run = self.attach()
        self.assertEqual(run.end(signal.SIGUSR1), 0)
        self.assertEqual(self.status()["far"]["state"], "detached")
        self.expect(self.call("act.echo", "[2]"), OK, "2\n")  # without a supervisor
        run = self.run_it()
        run.event("far", "adopted")
        run.end(signal.SIGKILL)
        far.kill()
        far.start()
        run = self.run_it()
        run.event("far", "adopted")
        run.event("far", "replaced")  # it was another one when the last supervisor was killed
        self.assertIsNone(far.process.poll())

    def test_fault_121_over_tcp_the_token_is_read_again_for_each_connection(self):
        far = self.other(listen=f"tcp://127.0.0.1:{free_port()}")
        far.start()
        self.write({"far": far.child(**BRISK)})
        run = self.run_it()
        run.event("far", "adopted")
        for _ in range(3):
            far.kill()
            run.event("far", "link_down")
            far.renew()
            far.start()
            run.event("far", "link_up")
            self.expect(self.call("act.echo", "[3]"), OK, "3\n", "")

    def test_a_reload_attaches_with_the_new_config(self):
        far, run = self.attach()
        other = self.other()
        other.start("version=9")
        self.write({"far": other.child()})
        self.expect(outboard("reload", "--config", self.config), OK)
        self.assertIn("far", outboard("status", self.config).stdout)
        self.expect(outboard("stop", "--config", self.config, "far"), OK)
        self.expect(outboard("start", "--config", self.config, "far"), OK)
        self.assertEqual(self.status()["far"]["version"], 9)
        self.assertIsNone(far.process.poll())
        self.assertEqual(run.end(), 0)

    def test_fault_123_it_cannot_be_attached_to_while_one_of_that_name_runs_here(self):
        far = self.other()
        far.start()
        self.write({"far": ["version=1"]})
        run = self.run_it()
        run.event("far", "ready")
        pid = self.status()["far"]["pid"]
        self.watch(pid)
        self.assertEqual(run.end(signal.SIGUSR1), 0)
        self.write({"far": far.child()})
        run = self.run_it()
        cause = run.event("far", "restarting")["cause"]
        self.assertIn(f"still runs (pid {pid})", cause)
        run.end()
        self.write({"far": ["version=1"]})
        run = self.run_it()
        run.event("far", "adopted")
        run.end()


class Refused(AttachCase):
    def status_says(self, run, text):
        run.event("far", "adopted")
        self.assertIn(text, self.status()["far"]["last_error"])

    def test_fault_121_a_wrong_token(self):
        far = self.other()
        far.start()
        far.renew()  # the child has the one before
        self.write({"far": far.child(**BRISK)})
        run = self.run_it()
        self.status_says(run, "the peer did not prove that it has the token")

    def test_fault_121_token_files_that_are_none(self):
        far = self.other()
        far.start()
        for text, mode, said in [("xyz", 0o600, "does not hold a token of 64 hex digits"),
                                 ("0" * 64, 0o644, "accessible to group or others (mode 0644)"),
                                 (None, 0, "No such file")]:
            if text is None:
                os.unlink(far.token_file)
            else:
                far.secret(far.token_file, text)
                os.chmod(far.token_file, mode)
            self.write({"far": far.child(**IN_VAIN)})
            found = outboard("check", self.config)
            self.assertEqual(found.returncode, USAGE)
            self.assertIn(f"children.far.token_file: {far.token_file}: {said}", found.stderr)
            run = self.run_it()
            self.status_says(run, f"token_file: {far.token_file}: {said}")
            run.end()

    def test_what_makes_no_sense_is_a_fault(self):
        far = self.other()
        for more, key in [({"env": {"A": "b"}}, "env"), ({"env_clear": True}, "env_clear"), ({"user": "root"}, "user"),
                          ({"group": "root"}, "group"), ({"limits": {"nofile": 9}}, "limits"),
                          ({"stop": {"cleanup": ["/bin/true"]}}, "stop.cleanup"),
                          ({"stop": {"signal": "SIGTERM"}}, "stop.signal"), ({"stop": {"timeout": "3s"}}, "stop.timeout"),
                          ({"listen": "unix:///x"}, "listen"), ({"connect": None}, "connect"), ({"cwd": "/"}, "cwd"),
                          ({"umask": "022"}, "umask"), ({"stdin": "/dev/null"}, "stdin"), ({"log_pipe": 65536}, "log_pipe"),
                          ({"rules": ["allow *"]}, "rules"), ({"leftover": "wait"}, "leftover"),
                          ({"peer_users": ["root"]}, "peer_users"), ({"parent_address": "10.0.0.1"}, "parent_address"),
                          ({"client_listen": "unix:///y"}, "client_listen"), ({"health": {"on_fail": "restart"}}, "health.on_fail"),
                          ({"restart": {"on": "never"}}, "restart.on"), ({"restart": {"max_restarts": 3}}, "restart.max_restarts"),
                          ({"ready": {"mode": "none"}}, "ready.mode"), ({"token_file": None}, "token_file"),
                          ({"command": ["/bin/true"]}, "token_file")]:
            with self.subTest(key=key):
                child = {k: v for k, v in far.child(**more).items() if v is not None or k == "command"}
                self.write({"far": child})
                found = outboard("check", "--json", self.config)
                self.assertEqual(found.returncode, USAGE)
                self.assertIn(f"children.far.{key}", [f["key"] for f in json.loads(found.stdout)], found.stdout)

    def test_what_makes_sense_is_none(self):
        far = self.other()
        self.write({"far": far.child(stop={"rpc": "2s"}, version=3, lock_wait="1s", codec="msgpack", auth=["token"],
                                     health={"interval": "3s", "misses": 4}, message_max=65536)})
        self.expect(outboard("check", "--strict", self.config), OK)


if __name__ == "__main__":
    unittest.main(verbosity=2)
