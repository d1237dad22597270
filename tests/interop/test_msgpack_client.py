# SPDX-License-Identifier: MIT
"""A client that knows only docs/PROTOCOL.md talks to a child of the library."""
import json
import os
import socket
import subprocess
import tempfile
import unittest
import urllib.parse

import rpc

BIN = os.path.join(os.environ["OB_TEST_BUILD"], "bin")


def read_config(path):
    with open(os.path.join(path, "outboard.json")) as file:
        return json.load(file)


class WithChild(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """A parent whose child is ready once the parent has answered."""
        cls.scratch = tempfile.TemporaryDirectory()
        cls.data = os.path.join(cls.scratch.name, "a child")
        command = [os.path.join(BIN, "kv-parent"), cls.data, os.path.join(BIN, "kv-child")]
        cls.parent = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        cls.ask("set colour blue")
        cls.config = read_config(cls.data)

    @classmethod
    def tearDownClass(cls):
        cls.parent.communicate("stop\n", timeout=60)
        cls.scratch.cleanup()

    @classmethod
    def ask(cls, command):
        cls.parent.stdin.write(command + "\n")
        cls.parent.stdin.flush()
        for line in cls.parent.stdout:
            if line.startswith(("reply", "error")):
                return line
        raise AssertionError("the parent ended")

    def setUp(self):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(30)
        self.addCleanup(sock.close)
        address = urllib.parse.urlsplit(self.config["rpc_addr"])
        self.assertEqual(address.scheme, "unix")
        sock.connect(urllib.parse.unquote(address.path))
        self.connection = rpc.Connection(sock)

    def authenticate(self):
        self.connection.authenticate(self.config["token"], self.config["codec"], self.config["auth"])

    def assert_closed(self):
        with self.assertRaises((rpc.Closed, ConnectionResetError)):
            self.connection.receive()


class Client(WithChild):
    def test_it_authenticates_and_asks_for_health(self):
        self.authenticate()
        health = self.connection.call("outboard-control.health")
        self.assertIs(health["healthy"], True)
        self.assertEqual(health["pid"], self.config["pid"])
        self.assertEqual(health["last_error"], "")
        self.assertGreater(health["uptime"], 0)
        self.assertEqual(sorted(health["timestamp"]), ["nanoseconds", "seconds"])

    def test_it_calls_methods_of_the_application(self):
        self.authenticate()
        self.assertEqual(self.connection.call("outboard-control.interfaces"), ["outboard-control", "kv"])
        self.assertEqual(self.connection.call("kv.get", "colour"), "blue")
        self.assertIs(self.connection.call("outboard.ping"), True)
        version = self.connection.call("outboard-control.checkVersion", 0)
        self.assertEqual(version, {"current_version": version["current_version"], "needs_restart": False})

    def test_parameters_have_places_or_names(self):
        self.authenticate()
        self.connection.send(0, 7, "kv.get", {"key": "colour"})
        self.assertEqual(self.connection.receive(), [1, 7, None, "blue"])

    def test_errors_have_the_documented_codes(self):
        self.authenticate()
        wrong = {
            -32003: "nobody.has",
            -32601: "outboard-control.nothing",
            -32602: "outboard-control.checkVersion",
            -32600: "outboard.auth",
        }
        for code, method in wrong.items():
            with self.assertRaises(rpc.RemoteError) as caught:
                self.connection.call(method)
            self.assertEqual(caught.exception.code, code, method)
        with self.assertRaises(rpc.RemoteError) as caught:
            self.connection.call("outboard.supervise", "of another start")
        self.assertEqual(caught.exception.code, -32005)

    def test_errors_have_the_form_that_other_clients_show(self):
        """Neovim and its clients show `[code, message]`, and "unknown error" for a map."""
        self.authenticate()
        self.connection.send(0, 9, "nobody.has", [])
        self.assertEqual(self.connection.receive(), [1, 9, [-32003, "unknown object: nobody"], None])

    def test_its_parent_is_not_disturbed(self):
        self.authenticate()
        self.assertEqual(self.connection.call("kv.get", "colour"), "blue")
        self.assertRegex(self.ask("status"), "ready link=up pid=%d restarts=0" % self.config["pid"])

    def test_a_cancelled_call_is_answered_nevertheless(self):
        self.authenticate()
        self.connection.send(0, 8, "kv.get", ["colour"])
        self.connection.send(2, "$/cancel", [8])
        self.connection.send(2, "$/nothing-that-is-known", [])
        self.assertEqual(self.connection.receive(), [1, 8, None, "blue"])

    def test_another_token_is_refused(self):
        other = "%064x" % (int(self.config["token"], 16) ^ 1)
        c = os.urandom(32)
        bound = rpc.prologue(self.config["codec"], self.config["auth"])
        word, data = self.connection.call("outboard.auth", "token", c)
        self.assertEqual((word, len(data)), (rpc.MORE, 64))
        self.assertNotEqual(data[32:], rpc.proof(other, b"S", bound, c, data[:32]))
        with self.assertRaises(rpc.RemoteError) as caught:
            self.connection.call("outboard.auth", "token", rpc.proof(other, b"C", bound, c, data[:32]))
        self.assertEqual((caught.exception.code, str(caught.exception)), (-32000, str(rpc.REFUSED)))
        self.assert_closed()

    def test_a_call_before_authentication_is_refused(self):
        with self.assertRaises(rpc.RemoteError) as caught:
            self.connection.call("outboard-control.health")
        self.assertEqual(caught.exception.code, -32000)
        self.assert_closed()

    def test_bytes_behind_an_authentication_request_are_refused(self):
        hello = rpc.msgpack.packb([0, 1, "outboard.auth", ["token", os.urandom(32)]], use_bin_type=True)
        self.connection.sock.sendall(hello + b"\x94")
        self.assertEqual(self.connection.receive(), [1, 1, rpc.REFUSED, None])
        self.assert_closed()

    def test_garbage_is_not_answered(self):
        self.connection.sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        self.assert_closed()


class Supervisor(WithChild):
    def test_the_newest_parent_wins_and_the_older_one_is_notified(self):
        self.authenticate()
        self.assertIs(self.connection.call("outboard.supervise", self.config["instance"]), True)
        # The parent supervises again, and replaces us in turn.
        self.assertEqual(self.connection.receive(), [2, "$/bye", []])
        self.assert_closed()


if __name__ == "__main__":
    unittest.main(verbosity=2)
