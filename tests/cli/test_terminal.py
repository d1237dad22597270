# SPDX-License-Identifier: MIT
"""outboard on a terminal: a hang-up, and the progress of a request."""
import fcntl
import os
import pty
import select
import signal
import subprocess
import termios
import time
import unittest

from command import OK, OUTBOARD, PATIENCE, STUBBORN, Case, is_alive, outboard

SLEEPER = {"command": ["/bin/sleep", "1000"], "ready": {"mode": "none"}}


class Terminal(Case):
    def setUp(self):
        super().setUp()
        self.ends = dict(zip(("master", "slave"), pty.openpty()))

    def tearDown(self):
        for end in list(self.ends):
            self.close(end)
        super().tearDown()

    def close(self, end):
        os.close(self.ends.pop(end))

    def adopt_terminal(self):
        """In the child: lead a session of its own, whose terminal this is."""
        os.setsid()
        fcntl.ioctl(self.ends["slave"], termios.TIOCSCTTY, 0)

    def run_on_terminal(self, **more):
        run = self.run_it(preexec_fn=self.adopt_terminal, **more)
        self.watch(run.record(lambda r: r["msg"] == "supervising")["pid"])
        self.pid = run.event("a", "ready")["pid"]
        return run

    def check_detached(self, run):
        self.assertEqual(run.record(lambda r: r["msg"].startswith("the terminal"))["msg"],
                         "the terminal was closed, detaching all children")
        self.assertEqual(run.wait(), OK)
        self.assertTrue(is_alive(self.pid))
        again = self.run_it()
        self.assertEqual(again.event("a", "adopted")["pid"], self.pid)
        self.assertEqual(again.end(), OK)

    def test_fault_106_a_closed_terminal_detaches(self):
        """The supervisor leads the session, as in a terminal window of its own."""
        self.write({"a": SLEEPER})
        run = self.run_on_terminal()
        self.close("slave")
        self.close("master")
        self.check_detached(run)

    def test_fault_106_a_closed_terminal_detaches_below_a_shell(self):
        """The shell leads the session; the supervisor is in the foreground."""
        self.write({"a": SLEEPER})
        script = os.path.join(self.dir, "shell")
        with open(script, "w") as file:
            file.write(f'#!/bin/sh\n"{OUTBOARD}" "$@"\nexit $?\n')
        os.chmod(script, 0o755)
        run = self.run_on_terminal(program=script)
        self.close("slave")
        self.close("master")
        self.assertEqual(run.record(lambda r: r["msg"].startswith("the terminal"))["msg"],
                         "the terminal was closed, detaching all children")
        run.record(lambda r: r.get("event") == "detached")
        run.wait()  # of the shell, which SIGHUP kills
        self.assertTrue(is_alive(self.pid))
        again = self.run_it()
        self.assertEqual(again.event("a", "adopted")["pid"], self.pid)
        self.assertEqual(again.end(), OK)

    def test_fault_106_a_sighup_on_a_live_terminal_reloads(self):
        self.write({"a": SLEEPER})
        run = self.run_on_terminal()
        run.process.send_signal(signal.SIGHUP)
        self.assertEqual(run.record(lambda r: r["msg"] == "reloaded the config")["unchanged"], 1)
        self.assertEqual(run.end(), OK)

    def test_a_closed_terminal_means_nothing_after_nohup(self):
        self.write({"a": SLEEPER})

        def prepare():
            self.adopt_terminal()
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        run = self.run_it(preexec_fn=prepare)
        run.event("a", "ready")
        self.close("slave")
        self.close("master")
        self.assertEqual(self.status()["a"]["supervised"], True)
        self.assertEqual(run.end(), OK)

    def read_until(self, text):
        """What the terminal shows, up to this text."""
        shown, deadline = "", time.monotonic() + PATIENCE
        while text not in shown:
            left = deadline - time.monotonic()
            self.assertTrue(left > 0 and select.select([self.ends["master"]], [], [], left)[0], shown)
            shown += os.read(self.ends["master"], 4096).decode()
        return shown

    def request(self, *args):
        """A request whose stderr is the terminal."""
        process = subprocess.Popen([OUTBOARD, *args, "--config", self.config], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=self.ends["slave"], text=True)
        self.addCleanup(process.stdout.close)
        return process

    def test_fault_106_a_request_that_takes_long_shows_whom_it_waits_for(self):
        self.write({f"x{i}": STUBBORN for i in range(10)})
        run = self.run_it()
        run.await_stubborn(*[f"x{i}" for i in range(10)])
        pids = [row["pid"] for row in self.status().values()]
        process = self.request("stop")
        self.read_until("waiting for x0, x1, x2, x3, x4, x5, x6, x7 and 2 others")
        for pid in pids[2:]:
            os.kill(pid, signal.SIGKILL)
        self.read_until("\r\033[Kwaiting for ")
        for pid in pids[:2]:
            os.kill(pid, signal.SIGKILL)
        stdout, _ = process.communicate(timeout=PATIENCE)
        self.assertEqual((process.returncode, stdout), (OK, "".join(f"x{i}: stopped\n" for i in range(10))))
        os.write(self.ends["slave"], b"end")
        self.assertTrue(self.read_until("end").endswith("\r\033[Kend"))
        self.assertEqual(run.end(), OK)

    def test_a_reload_shows_whom_it_waits_for(self):
        self.write({"a": STUBBORN})
        run = self.run_it()
        run.await_stubborn("a")
        pid = self.status()["a"]["pid"]
        self.write({})
        process = self.request("reload")
        self.read_until("waiting for a")
        os.kill(pid, signal.SIGKILL)
        self.assertEqual(process.communicate(timeout=PATIENCE)[0], "a: ended\n0 unchanged\n")
        self.assertEqual(run.end(), OK)

    def test_where_there_is_no_terminal_nothing_is_shown(self):
        self.write({"a": {**STUBBORN, "stop": {"timeout": "2s"}}})
        run = self.run_it()
        run.await_stubborn("a")
        self.expect(outboard("stop", "--config", self.config), OK, "a: stopped\n", "")
        self.assertEqual(run.end(), OK)


if __name__ == "__main__":
    unittest.main(verbosity=2)
