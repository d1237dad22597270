# SPDX-License-Identifier: MIT
"""A child with a listener for clients, beside that of its parent."""
import json
import os
import signal
import unittest

from command import BUILD, OK, REMOTE, USAGE, Case, actor, outboard

PLUGINS = [f"{BUILD}/plugins", f"{BUILD}/test-plugins"]
VISITOR = {"use": "visitor", "settings": {"name": "eve"}}

# What the config of the child says, and the key and the reason of its fault. SOCKET is an address.
WRONG = [
    ({"client_auth": "peercred"}, "client_auth", "requires client_listen"),
    ({"client_transport": "unix"}, "client_transport", "requires client_listen"),
    ({"auth": ["peercred", VISITOR]}, "auth", "authenticator visitor may only be in client_auth"),
    ({"client_listen": "SOCKET", "client_auth": "nonsense"}, "client_auth", "nonsense"),
    ({"client_listen": "SOCKET", "client_auth": []}, "client_auth", "a list of strings that is not empty"),
    ({"client_listen": "SOCKET", "client_auth": "visitor", "listen": "SOCKET"}, "client_listen",
     "is the address of listen"),
    ({"client_listen": "SOCKET", "client_auth": [{"use": "visitor", "settings": {}}]}, "client_auth",
     "auth visitor: settings: name: required"),
    ({"client_listen": "SOCKET", "client_auth": [{**VISITOR, "child_settings": "same"}]}, "client_auth.0.child_settings",
     "its settings are those of the child"),
    ({"client_listen": "SOCKET", "client_auth": [{"use": "token", "settings": {}}]}, "client_auth",
     "auth token takes no settings"),
    ({"client_listen": "nonsense://x"}, "client_listen", "nonsense"),
    ({"client_listen": "tcp://127.0.0.1:7", "client_auth": "peercred"}, "client_auth", "peercred is refused"),
    ({"client_listen": "tcp://127.0.0.1:7", "client_auth": [VISITOR]}, "client_auth", "without encryption is refused"),
]


class Clients(Case):
    def setUp(self):
        super().setUp()
        self.socket = f"{self.dir}/clients.sock"
        self.address = f"unix://{self.socket}"

    def call(self, method, *params, auth="visitor"):
        return outboard("call", "--plugin-path", ":".join(PLUGINS), "--address", self.address, "--auth", auth, method, *params)

    def test_others_call_a_child_by_its_second_listener(self):
        rules = ["allow listener=parent *", "allow subject=eve act.who outboard-control.health", "deny *"]
        self.write({"a": actor(client_listen=self.address, client_auth=VISITOR, rules=rules)}, plugin_path=PLUGINS)
        self.expect(outboard("check", self.config), OK)
        run = self.run_it()
        run.event("a", "ready")
        with open(f"{self.root}/a/outboard.json") as file:
            config = json.load(file)
        self.assertEqual(config["client_addr"], self.address)
        self.assertEqual(config["client_auth"], "visitor")
        self.assertEqual(config["settings"], {"auth": {}, "client_auth": {"visitor": {"name": "eve"}}})
        self.assertEqual(self.status()["a"]["client_address"], self.address)
        result = self.call("act.who")
        self.expect(result, OK)
        self.assertEqual(json.loads(result.stdout)[0:2], ["eve", "visitor"])
        self.assertEqual(json.loads(result.stdout)[4], 2)
        self.expect(self.call("act.echo", "1"), REMOTE)
        self.expect(outboard("call", "--config", self.config, "a", "act.echo", "1"), OK, "1\n")
        result = self.call("outboard.supervise", json.dumps([config["instance"]]))
        self.expect(result, REMOTE)
        self.assertIn("a parent does not come by the listener for clients", result.stderr)
        self.assertEqual(run.end(), OK)

    def test_the_next_parent_shows_the_address(self):
        self.write({"a": actor(client_listen="tcp://127.0.0.1:0", client_auth=VISITOR, allow_plaintext=True)},
                   plugin_path=PLUGINS)
        run = self.run_it()
        watched = self.watch(run.event("a", "ready")["pid"])
        address = self.status()["a"]["client_address"]
        self.assertRegex(address, r"^tcp://127\.0\.0\.1:[1-9][0-9]*$")
        self.assertEqual(run.end(signal.SIGUSR1), OK)
        self.assertEqual(self.status()["a"]["client_address"], address)
        run = self.run_it()
        run.event("a", "adopted")
        self.assertEqual(self.status()["a"]["client_address"], address)
        self.assertFalse(self.status()["a"]["stale"])
        self.assertEqual(run.end(), OK)
        watched.wait()
        self.assertIsNone(self.status()["a"]["client_address"])

    def test_another_list_makes_a_child_stale(self):
        child = actor(client_listen=self.address, client_auth=VISITOR)
        self.write({"a": child}, plugin_path=PLUGINS)
        run = self.run_it()
        watched = self.watch(run.event("a", "ready")["pid"])
        self.assertEqual(run.end(signal.SIGUSR1), OK)
        for change in ({"client_auth": {"use": "visitor", "settings": {"name": "ada"}}}, {"client_auth": "peercred"},
                       {"client_listen": self.address + "2"}):
            self.write({"a": {**child, **change}}, plugin_path=PLUGINS)
            self.assertTrue(self.status()["a"]["stale"], change)
        self.write({"a": child}, plugin_path=PLUGINS)
        self.assertFalse(self.status()["a"]["stale"])
        run = self.run_it()
        run.event("a", "adopted")
        self.assertEqual(run.end(), OK)
        watched.wait()

    def test_faults(self):
        for child, key, reason in WRONG:
            with self.subTest(json.dumps(child)):
                child = {k: self.address if v == "SOCKET" else v for k, v in child.items()}
                self.write({"x": actor(**child)}, plugin_path=PLUGINS)
                result = outboard("check", "--json", self.config)
                self.expect(result, USAGE, None, "")
                faults = json.loads(result.stdout)
                self.assertEqual([fault["key"] for fault in faults], [f"children.x.{key}"])
                self.assertIn(reason, faults[0]["reason"])

    def test_two_children_do_not_share_an_address(self):
        self.write({"x": actor(client_listen=self.address), "y": actor(client_listen=self.address)}, plugin_path=PLUGINS)
        result = outboard("check", self.config)
        self.expect(result, USAGE, "")
        self.assertIn('children.y.client_listen: is already used by "x"', result.stderr)

    def test_a_check_as_another_user_only_warns(self):
        """Root may read what the child may not, and the other way round."""
        if os.geteuid() != 0:
            self.skipTest("only root can run a child as another user")
        keys = {"use": "keys", "settings": {"key": "/no/such/key", "authorized": "/no/such/list"}}
        for user, kind in (({}, ""), ({"user": "daemon"}, "warning: ")):
            self.write({"x": actor(client_listen=self.address, client_auth=keys, **user)}, plugin_path=PLUGINS)
            result = outboard("check", self.config)
            self.assertIn(f"{kind}children.x.client_auth: auth keys: settings: key: /no/such/key", result.stderr)
            self.assertEqual("another user than the child's" in result.stderr, kind != "")

    def test_a_child_elsewhere_is_not_tried(self):
        self.write({"x": actor(client_listen=self.address, client_auth={"use": "visitor", "settings": {}},
                               connect="unix:///run/x")}, plugin_path=PLUGINS)
        self.expect(outboard("check", self.config), OK)


if __name__ == "__main__":
    unittest.main(verbosity=2)
