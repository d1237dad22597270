# SPDX-License-Identifier: MIT
"""Children behind tls: by config alone, over links that break, and with certificates that are renewed."""
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from command import ACTOR, BUILD, OK, ONCE, PATIENCE, REMOTE, USAGE, Case, actor, outboard

SOURCE = os.environ["OB_TEST_SOURCE"]
SCRIPT = os.path.join(SOURCE, "tests/support/certificates.sh")
PLUGINS = [f"{BUILD}/plugins"]

made = None


def setUpModule():
    global made
    made = tempfile.TemporaryDirectory(prefix="ob-certificates-")
    subprocess.run(["bash", SCRIPT, made.name], check=True)


def tearDownModule():
    made.cleanup()


def shown(name, **more):
    """Settings with this certificate."""
    return {"certificate": f"{made.name}/{name}.pem", "key": f"{made.name}/{name}.key", "ca": f"{made.name}/ca.pem", **more}


def tls(parent=None, child=None, listen="tls+tcp://127.0.0.1:0", **more):
    transport = {"use": "tls", "settings": parent or shown("client"), "child_settings": child or shown("server")}
    return actor(listen=listen, transport=transport, **more)


class Tls(Case):
    def started(self, child):
        self.write({"a": child}, plugin_path=PLUGINS)
        self.expect(outboard("check", self.config), OK)
        run = self.run_it()
        return run, run.event("a", "ready")["pid"]

    def ping(self):
        self.expect(outboard("call", "--config", self.config, "a", "act.echo", "7"), OK, "7\n")

    def test_a_child_is_supervised_by_config_alone(self):
        run, pid = self.started(tls())
        with open(f"{self.root}/a/outboard.json") as file:
            config = json.load(file)
        self.assertRegex(config["rpc_addr"], r"^tls\+tcp://127\.0\.0\.1:[1-9]\d*$")
        self.assertEqual(config["auth"], "token")  # sealed: noise is not needed, nor leave to send in the clear
        self.ping()
        os.kill(pid, signal.SIGKILL)
        run.event("a", "exited")
        pid = run.event("a", "ready")["pid"]
        self.ping()

        watched = self.watch(pid)
        self.assertEqual(run.end(signal.SIGUSR1), OK)
        run = self.run_it()
        self.assertEqual(run.event("a", "adopted")["pid"], pid)
        self.ping()
        self.assertEqual(run.end(), OK)
        watched.wait()

    def test_over_unix(self):
        run, _ = self.started(tls(listen=f"tls+unix://{self.dir}/s", parent=shown("client", names=["spiffe://example.org/server"])))
        self.ping()
        self.assertEqual(run.end(), OK)

    def test_links_that_break(self):
        """Each connection of the acceptor is reset once it has sent so much."""
        run, pid = self.started(tls(listen="tls+chaos+tcp://127.0.0.1:0?seed=9&delay=0..1ms&chop=1..300&reset=@5000&side=acceptor&way=out",
                                    health={"interval": "100ms"}))
        for _ in range(3):
            run.event("a", "link_down")
            run.event("a", "link_up")
        self.assertEqual(self.status()["a"]["pid"], pid)
        self.assertEqual(run.end(), OK)

    def test_what_is_wrong_with_settings_is_named(self):
        certificate = shown("server")
        for parent, reason in [
            ({"ca": certificate["ca"]}, "transport tls: settings: certificate: required, with key, unless mutual is false"),
            ({**certificate, "key": f"{made.name}/none"}, f"transport tls: settings: key: {made.name}/none: No such file"),
            ({**certificate, "key": f"{made.name}/client.key"}, "it is not the key of the certificate"),
            ({**certificate, "cipher": "x"}, 'transport tls: settings: unknown key "cipher"'),
        ]:
            with self.subTest(reason):
                self.write({"a": tls(parent=parent)}, plugin_path=PLUGINS)
                result = outboard("check", self.config)
                self.expect(result, USAGE)
                self.assertIn(reason, result.stdout + result.stderr)

    def test_a_refusal_is_the_cause(self):
        for parent, child, reason in [
            (shown("client"), shown("elsewhere"), "it is not for 127.0.0.1"),
            (shown("client"), shown("expired"), "it expired at 2020-02-01T00:00:00Z"),
            (shown("foreign"), shown("server"), "the peer refused: it does not know the CA of our certificate"),
        ]:
            with self.subTest(reason):
                self.write({"a": tls(parent, child, ready={"timeout": "4s"}, **ONCE)}, plugin_path=PLUGINS)
                run = self.run_it()
                failed = run.record(lambda r: r.get("outboard") == "a" and reason in r.get("cause", ""))
                self.assertIn("tls: ", failed["cause"])
                self.assertEqual(run.end(), OK)

    # ---- Renewal ----

    def renew(self, name):
        for kind in "pem", "key":
            shutil.copy(f"{made.name}/{name}.{kind}", f"{self.dir}/new")
            os.rename(f"{self.dir}/new", f"{self.dir}/live.{kind}")

    def test_certificates_are_renewed_while_the_link_lives(self):
        self.renew("server")
        live = {"certificate": f"{self.dir}/live.pem", "key": f"{self.dir}/live.key", "ca": f"{made.name}/ca.pem"}
        run, pid = self.started(tls(child=live))
        with open(f"{self.root}/a/outboard.json") as file:
            address = json.load(file)["rpc_addr"].removeprefix("tls+tcp://")
        self.assertIn("spiffe://example.org/server", self.names_at(address))
        self.renew("renewed")
        end = time.monotonic() + PATIENCE
        while "spiffe://example.org/renewed" not in self.names_at(address):  # looked at once a second
            self.assertLess(time.monotonic(), end)
        self.ping()
        self.assertEqual(self.status()["a"]["pid"], pid)
        self.assertEqual(run.end(), OK)
        self.assertNotIn("link_down", [r.get("event") for r in run.records[:-3]])

    def names_at(self, address):
        done = subprocess.run(["openssl", "s_client", "-connect", address, "-cert", f"{made.name}/client.pem", "-key",
                               f"{made.name}/client.key"], stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE)
        shown_one = subprocess.run(["openssl", "x509", "-noout", "-ext", "subjectAltName"], input=done.stdout,
                                   capture_output=True, timeout=PATIENCE)
        return shown_one.stdout.decode()

    # ---- Who may call what ----

    def test_rules_know_the_subject_of_a_certificate(self):
        rules = ['allow parent *', 'allow subject=client.example.org act.echo', 'deny *']
        run, _ = self.started(tls(auth=["token", "certificate"], rules=rules))
        with open(f"{self.root}/a/outboard.json") as file:
            config = json.load(file)
        with open(os.open(f"{self.dir}/token", os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(config["token"])
        for name, status in ("dns", OK), ("common", REMOTE):
            with open(f"{self.dir}/settings.json", "w") as file:
                json.dump({"transport": shown(name)}, file)
            result = outboard("call", "--plugin-path", PLUGINS[0], "--settings", f"{self.dir}/settings.json", "--auth",
                              "token,certificate", "--token-file", f"{self.dir}/token", "--address", config["rpc_addr"],
                              "act.echo", "7")
            self.assertEqual(result.returncode, status, result.stderr)
        self.assertEqual(run.end(), OK)

    # ---- The docs ----

    def test_the_documented_commands_make_certificates_that_work(self):
        with open(os.path.join(SOURCE, "docs/TRANSPORTS.md"), encoding="utf-8") as page:
            section = page.read().partition("\n## With certificates\n")[2].partition("\n## ")[0]
        commands = re.search(r"^```sh\n(.*?)^```$", section, re.M | re.S)[1]
        done = subprocess.run(["bash", "-ec", commands], cwd=self.dir, capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"^[0-9a-f]{64} ")
        child = re.search(r"^```\n(.*?)^```$", section, re.M | re.S)[1].replace("/etc/example", self.dir)
        run, _ = self.started({**json.loads("{%s}" % child)["worker"], "command": [ACTOR]})
        self.ping()
        self.assertEqual(run.end(), OK)

    # ---- The suite ----

    def test_the_suite_holds(self):
        settings = f"{self.dir}/settings.json"
        with open(settings, "w") as file:
            both = shown("server", names=["spiffe://example.org/server"])
            json.dump({"settings": both, "child_settings": both}, file)
        for listen in "tls+tcp://127.0.0.1:0", f"tls+unix://{self.dir}/s":
            result = outboard("plugin", "check", f"{BUILD}/plugins/tls.so", "--settings", settings, "--listen", listen)
            self.assertEqual(result.returncode, OK, result.stdout + result.stderr)


if __name__ == "__main__":
    unittest.main()
