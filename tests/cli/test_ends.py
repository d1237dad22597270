# SPDX-License-Identifier: MIT
"""How children end: what they leave, their cleanup command, jobs that are done, a shutdown by a call."""
import os
import signal
import unittest

from command import OK, REMOTE, Case, actor, outboard

# Leaves a process in another session, which holds the lock of the child and ends when its FIFO is opened.
LEAVING = "mkfifo $0/go; setsid sh -c 'echo up; read x <'$0'/go' & exec sleep 1000"


class Ends(Case):
    def leaving(self, **more):
        return {"command": ["/bin/sh", "-c", LEAVING, self.dir], "ready": {"mode": "none"},
                "restart": {"backoff_base": "1h"}, **more}

    def let_go(self):
        with open(os.path.join(self.dir, "go"), "w"):
            pass

    def path(self, name):
        return os.path.join(self.dir, name)

    def kill_runner(self, run):
        pid = run.event("a", "starting")["pid"]
        run.record(lambda r: r["msg"] == "up")
        os.kill(pid, signal.SIGKILL)

    def test_fault_93_leftover_wait(self):
        self.write({"a": self.leaving(leftover="wait")})
        run = self.run_it()
        self.kill_runner(run)
        self.assertIn("is still running", run.event("a", "lingering")["cause"])
        row = self.status()["a"]
        self.assertEqual((row["state"], row["pid"]), ("lingering", None))
        self.assertIn("is still running", row["last_error"])
        self.let_go()
        run.event("a", "restarting")
        self.assertEqual(run.end(), OK)

    def test_fault_93_leftover_fail(self):
        self.write({"a": self.leaving(leftover="fail")})
        run = self.run_it()
        self.kill_runner(run)
        self.assertIn("(leftover: fail)", run.event("a", "failed")["cause"])
        result = outboard("start", "--config", self.config, "a")
        self.expect(result, REMOTE)
        self.assertIn("(leftover: fail)", result.stderr)
        self.let_go()
        self.expect(outboard("stop", "--config", self.config, "a"), OK, "a: stopped\n")
        self.assertEqual(run.end(), OK)

    def test_cleanup_runs_before_a_restart_and_after_a_stop(self):
        cleanup = ["/bin/sh", "-c", "echo cleaned; echo >>$0/cleaned", self.dir]
        self.write({"a": actor(restart={"backoff_base": "10ms"}, stop={"cleanup": cleanup})})
        run = self.run_it()
        os.kill(run.event("a", "ready")["pid"], signal.SIGKILL)
        record = run.record(lambda r: r["msg"] == "cleaned")
        self.assertEqual((record["outboard"], record["stream"]), ("a", "cleanup"))
        run.event("a", "ready")
        self.expect(outboard("stop", "--config", self.config, "a"), OK, "a: stopped\n")
        self.assertEqual(os.path.getsize(self.path("cleaned")), 2)
        self.assertIsNone(self.status()["a"]["last_error"])
        self.assertEqual(run.end(), OK)

    def test_a_cleanup_that_fails_fails_the_child_until_it_succeeds(self):
        cleanup = ["/bin/rmdir", self.path("left")]
        self.write({"a": actor(stop={"cleanup": cleanup})})
        run = self.run_it()
        run.event("a", "ready")
        result = outboard("stop", "--config", self.config, "a")
        self.expect(result, REMOTE)
        self.assertIn("cleanup: exited with status 1", result.stderr)
        self.assertEqual(self.status()["a"]["state"], "failed")
        self.expect(outboard("start", "--config", self.config, "a"), REMOTE)
        os.mkdir(self.path("left"))
        self.expect(outboard("start", "--config", self.config, "a"), OK)
        os.mkdir(self.path("left"))
        self.assertEqual(run.end(), OK)
        self.assertFalse(os.path.exists(self.path("left")))

    def test_a_cleanup_that_a_killed_supervisor_left_is_run_again(self):
        """The first one hangs; the next supervisor ends it."""
        script = "mkdir $0/once 2>/dev/null && echo hangs $$$$ && exec sleep 1000; echo again"
        self.write({"a": actor(restart={"backoff_base": "1h"},
                               stop={"cleanup": ["/bin/sh", "-c", script, self.dir]})})
        run = self.run_it()
        os.kill(run.event("a", "ready")["pid"], signal.SIGKILL)
        said = run.record(lambda r: r["msg"].startswith("hangs"))["msg"]
        hanging = self.watch(int(said.split()[1]))
        run.process.kill()
        run.process.wait()
        run = self.run_it()
        run.record(lambda r: r["msg"] == "again")
        hanging.wait()
        run.event("a", "ready")
        self.assertEqual(run.end(), OK)

    def test_a_child_that_left_the_config_is_cleaned_up(self):
        cleanup = ["/bin/sh", "-c", "echo cleaned", self.dir]
        self.write({"a": actor(stop={"cleanup": cleanup})})
        run = self.run_it()
        run.event("a", "ready")
        self.assertEqual(run.end(signal.SIGUSR1), OK)
        self.write({})
        run = self.run_it()
        self.assertEqual(run.record(lambda r: r["msg"] == "cleaned")["stream"], "cleanup")
        self.assertEqual(run.end(), OK)

    def test_a_job_is_done_and_can_be_started_again(self):
        self.write({"a": {"command": ["/bin/sh", "-c", "echo >>$0/ran", self.dir], "ready": {"mode": "none"},
                          "restart": {"on": "failure"}}})
        run = self.run_it()
        self.assertEqual(run.event("a", "exited")["level"], "INFO")
        run.event("a", "done")
        self.assertEqual(self.status()["a"]["state"], "done")
        self.expect(outboard("start", "--config", self.config, "a"), OK)
        run.event("a", "done")
        self.assertEqual(os.path.getsize(self.path("ran")), 2)
        self.assertEqual(run.end(), OK)

    def test_a_shutdown_is_asked_for_before_the_signal(self):
        self.write({"a": actor(stop={"rpc": "1m"})})
        run = self.run_it()
        run.event("a", "ready")
        self.expect(outboard("stop", "--config", self.config, "a"), OK, "a: stopped\n")
        self.assertEqual(run.event("a", "stopping")["cause"], "called outboard-control.shutdown")
        self.assertEqual(run.event("a", "exited")["status"], 0)
        self.assertEqual(run.end(), OK)


if __name__ == "__main__":
    unittest.main(verbosity=2)
