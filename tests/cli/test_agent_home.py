# SPDX-License-Identifier: MIT
"""Children behind an agent that dials home: it is a child of the supervisor, which cannot dial it."""
import json
import os
import signal
import subprocess
import tempfile
import unittest
import urllib.parse

from agents import QUICK
from command import ACTOR, OK, OUTBOARD, UNREACHABLE, Case, free_port, outboard

SOURCE = os.environ["OB_TEST_SOURCE"]


class Dialling(Case):
    def setUp(self):
        super().setUp()
        self.address = f"unix://{urllib.parse.quote(self.dir)}/a.home"
        self.more = {}

    def begin(self, *args, **more):
        self.write({"guest1": {"command": [OUTBOARD, "agent", "--root", os.path.join(self.dir, "far"), "--allow", ACTOR],
                               "ready": {"mode": "dial-home"}, "accept": self.address, **QUICK, **self.more},
                    "worker": {"command": [ACTOR, *args], "via": "guest1", **QUICK, **more}})
        self.expect(outboard("check", self.config), OK)
        return self.run_again("ready")

    def run_again(self, event):
        run = self.run_it()
        run.event("worker", event)
        return run

    def up(self):
        """Wait until the link is up; returns the row."""
        while True:
            row = self.status()["worker"]
            if row["link"] == "up":
                return row

    def life(self):
        run = self.begin()
        row = self.up()
        self.assertEqual(row["where"], "guest1")
        os.kill(row["pid"], signal.SIGKILL)
        run.event("worker", "exited")
        run.event("worker", "ready")
        first = self.up()["pid"]
        self.assertNotEqual(first, row["pid"])
        # The agent is killed and started again: it finds the child.
        os.kill(self.status()["guest1"]["pid"], signal.SIGKILL)
        run.event("guest1", "ready")
        again = self.up()
        # The supervisor is killed: the agent dials the next one.
        run.process.kill()
        run.process.wait()
        run = self.run_again("adopted")
        self.assertEqual(self.up()["pid"], again["pid"])
        self.assertEqual(run.end(), OK)


class Life(Dialling):
    def test_unix(self):
        self.life()

    def test_tcp_with_noise(self):
        self.address = f"tcp://127.0.0.1:{free_port()}"
        self.life()

    def test_tls(self):
        with tempfile.TemporaryDirectory(prefix="ob-certificates-") as made:
            subprocess.run(["bash", f"{SOURCE}/tests/support/certificates.sh", made], check=True)

            def shown(name):
                return {"certificate": f"{made}/{name}.pem", "key": f"{made}/{name}.key", "ca": f"{made}/ca.pem"}
            self.address = f"tls+tcp://127.0.0.1:{free_port()}"
            self.more = {"transport": {"use": "tls", "settings": shown("server"), "child_settings": shown("client")}}
            self.life()

    def test_what_it_writes_and_many_starts(self):
        """Each start of the child is a stream of its own."""
        run = self.begin("say=hello from afar")
        for _ in range(5):
            watched = self.watch(self.up()["pid"])
            self.expect(outboard("restart", "--config", self.config, "worker"), OK)
            watched.wait()
            run.record(lambda r: r.get("outboard") == "worker" and r.get("msg") == "hello from afar")
        self.assertEqual(self.status()["guest1"]["restarts"], 0)
        self.assertEqual(run.end(), OK)

    def test_others_are_told_why_they_cannot_reach_it(self):
        run = self.begin()
        self.up()
        result = outboard("call", "--config", self.config, "worker", "outboard-control.health")
        self.assertEqual(result.returncode, UNREACHABLE)
        self.assertIn("agent guest1: ", result.stderr)
        self.assertIn("the child dials its parent and does not listen", result.stderr)
        self.assertEqual(run.end(), OK)

    def test_with_an_address_of_its_own_others_reach_it(self):
        self.more = {"listen": f"unix://{urllib.parse.quote(self.dir)}/far.sock"}
        run = self.begin()
        self.up()
        result = outboard("call", "--config", self.config, "worker", "outboard-control.health")
        self.assertEqual(result.returncode, OK, result.stderr)
        self.assertTrue(json.loads(result.stdout)["healthy"])
        self.assertEqual(run.end(), OK)


if __name__ == "__main__":
    unittest.main()
