# SPDX-License-Identifier: MIT
"""Children that dial their supervisor: by config alone, kills of either side, tls, and what the command says of them."""
import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

from command import BUILD, OK, UNREACHABLE, USAGE, Case, actor, free_port, outboard

SOURCE = os.environ["OB_TEST_SOURCE"]
PLUGINS = [f"{BUILD}/plugins"]
HOME = {"mode": "dial-home"}


class Home(Case):
    plugins = PLUGINS

    def home(self, *args, **more):
        return actor(*args, ready=HOME, accept=f"unix://{self.dir}/a.home", **more)

    def started(self, child):
        self.write({"a": child}, plugin_path=self.plugins)
        self.expect(outboard("check", self.config), OK)
        run = self.run_it()
        return run, run.event("a", "ready")["pid"]

    def row(self, run, **wanted):
        row = self.status()["a"]
        self.assertEqual({key: row[key] for key in wanted}, wanted)
        return row

    def kill_either_side(self):
        run, pid = self.started(self.home())
        self.row(run, link="up", healthy=True, address=f"unix://{self.dir}/a.home")
        os.kill(pid, signal.SIGKILL)
        run.event("a", "exited")
        pid = run.event("a", "ready")["pid"]
        # The socket of a supervisor that was killed is left; the next one takes it over.
        run.process.kill()
        run.process.wait()
        self.assertTrue(os.path.exists(f"{self.dir}/a.home"))
        run = self.run_it()
        self.assertEqual(run.event("a", "adopted")["pid"], pid)
        self.row(run, link="up", adopted=True)
        watched = self.watch(pid)
        self.assertEqual(run.end(signal.SIGUSR1), OK)
        self.assertFalse(os.path.exists(f"{self.dir}/a.home"))
        run = self.run_it()
        self.assertEqual(run.event("a", "adopted")["pid"], pid)
        self.assertEqual(run.end(), OK)
        watched.wait()
        self.assertFalse(os.path.exists(f"{self.dir}/a.home"))


class DialHome(Home):
    def test_fault_175_kills_of_either_side(self):
        self.kill_either_side()

    def test_calls_need_a_listener_of_the_childs_own(self):
        run, _ = self.started(self.home())
        result = outboard("call", f"{self.root}/a", "act.echo", "[7]")
        self.assertEqual(result.returncode, UNREACHABLE, result.stderr)
        self.assertIn("the child dials its parent and does not listen", result.stderr)
        self.assertEqual(run.end(), OK)
        run, _ = self.started(self.home(listen=f"unix://{self.root}/a/own.sock"))
        self.expect(outboard("call", f"{self.root}/a", "act.echo", "[7]"), OK, "7\n")
        self.row(run, link="up")
        self.assertEqual(run.end(), OK)

    def test_over_tls(self):
        with tempfile.TemporaryDirectory(prefix="ob-certificates-") as made:
            subprocess.run(["bash", f"{SOURCE}/tests/support/certificates.sh", made], check=True)

            def shown(name, **more):
                return {"certificate": f"{made}/{name}.pem", "key": f"{made}/{name}.key", "ca": f"{made}/ca.pem", **more}
            child = actor(ready=HOME, accept=f"tls+tcp://127.0.0.1:{free_port()}",
                          transport={"use": "tls", "settings": shown("server"), "child_settings": shown("client")})
            run, pid = self.started(child)
            with open(f"{self.root}/a/outboard.json") as file:
                self.assertEqual(json.load(file)["auth"], "token")
            self.row(run, link="up", healthy=True)
            os.kill(pid, signal.SIGKILL)
            run.event("a", "exited")
            run.event("a", "ready")
            self.assertEqual(run.end(), OK)

    def test_what_check_refuses(self):
        tcp = "tcp://127.0.0.1:7000"
        cases = [
            ({"ready": HOME}, "children.a.accept: is required"),
            ({"accept": tcp}, "children.a.accept: requires the ready mode dial-home"),
            ({"dial": tcp}, "children.a.dial: requires the ready mode dial-home"),
            ({"ready": HOME, "accept": "tcp://0.0.0.0:7000"}, "children.a.dial: is required"),
            ({"ready": HOME, "accept": "tcp://127.0.0.1:0"}, "children.a.accept: must have a fixed port"),
            ({"ready": HOME, "accept": tcp, "connect": tcp}, "children.a.connect: contradicts"),
            ({"ready": HOME, "accept": tcp, "auth": "token"}, "without encryption is refused"),
            ({"ready": HOME, "accept": f"unix://{self.root}/a/x"}, "children.a.accept: lies in data_path"),
        ]
        for more, reason in cases:
            self.write({"a": actor(**more)})
            result = outboard("check", self.config)
            self.assertEqual(result.returncode, USAGE, result.stdout + result.stderr)
            self.assertIn(reason, result.stdout + result.stderr)

    def test_two_children_do_not_share_an_address(self):
        self.write({"a": self.home(), "b": self.home()})
        result = outboard("check", self.config)
        self.assertEqual(result.returncode, USAGE)
        self.assertIn('children.b.accept: is already used by "a"', result.stdout + result.stderr)

    def test_an_address_that_is_taken_is_told(self):
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(f"{self.dir}/a.home")
            other.listen()
            self.write({"a": self.home(restart={"backoff_base": "10ms"})})
            run = self.run_it()
            told = run.event("a", "restarting")
            self.assertIn("another server is listening", told["cause"])
        os.unlink(f"{self.dir}/a.home")
        run.event("a", "ready")
        self.assertEqual(run.end(), OK)


@unittest.skipIf(os.geteuid() != 0, "needs root, to run a child as another user")
class OtherUser(Home):
    def setUp(self):
        super().setUp()
        os.chmod(self.dir, 0o755)
        # The user may not be able to enter the directory of the build: copies are used.
        self.bin = f"{self.dir}/bin"
        self.plugins = [self.bin]
        os.mkdir(self.bin)
        os.chmod(self.bin, 0o755)
        for file in [actor()["command"][0], *glob.glob(f"{BUILD}/liboutboard.so.*"), *glob.glob(f"{BUILD}/plugins/*.so")]:
            os.chmod(shutil.copy(file, self.bin), 0o755)

    def home(self, *args, **more):
        child = super().home(*args, user="daemon", env={"LD_LIBRARY_PATH": self.bin}, **more)
        return {**child, "command": [f"{self.bin}/child-actor", *child["command"][1:]]}

    def test_fault_175_kills_of_either_side(self):
        self.kill_either_side()

    def test_the_socket_is_the_childs(self):
        run, _ = self.started(self.home())
        stat = os.stat(f"{self.dir}/a.home")
        self.assertNotEqual(stat.st_uid, 0)
        self.assertEqual(stat.st_mode & 0o777, 0o600)
        self.assertEqual(run.end(), OK)

    def test_in_a_directory_of_the_child_it_is_refused(self):
        """There it could put a link, and the supervisor would bind, chown or remove a file elsewhere."""
        uid = os.stat(self.dir).st_uid
        os.mkdir(f"{self.dir}/own")
        os.chown(f"{self.dir}/own", 1, -1)
        self.write({"a": actor(user="daemon", ready=HOME, accept=f"unix://{self.dir}/own/a.home",
                               restart={"backoff_base": "1h"})})
        run = self.run_it()
        told = run.event("a", "restarting")
        self.assertIn("accept: ", told["cause"])
        self.assertEqual(os.listdir(f"{self.dir}/own"), [])
        self.assertEqual(uid, os.stat(self.dir).st_uid)
        self.assertEqual(run.end(), OK)


if __name__ == "__main__":
    unittest.main()
