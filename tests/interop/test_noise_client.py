# SPDX-License-Identifier: MIT
"""A client that knows only docs/PROTOCOL.md talks to a child of the library over tcp, sealed by noise; others are refused."""
import json
import os
import secrets
import signal
import socket
import struct
import subprocess
import tempfile
import time
import unittest
import urllib.parse

import noise_by_hand
import ready
import rpc

BIN = os.path.join(os.environ["OB_TEST_BUILD"], "bin")
PATIENCE = 60


class Wire:
    """A socket that records what it sends."""

    def __init__(self, sock):
        self.sock, self.sent = sock, []

    def sendall(self, data):
        self.sent.append(bytes(data))
        self.sock.sendall(data)

    def recv(self, size):
        return self.sock.recv(size)

    def recv_exactly(self, size):
        data = b""
        while len(data) < size:
            more = self.sock.recv(size - len(data))
            if not more:
                raise rpc.Closed()
            data += more
        return data


class Sealed:
    """A stream of bytes over records."""

    def __init__(self, wire, send_key, receive_key):
        self.wire, self.send_key, self.receive_key = wire, send_key, receive_key
        self.sent = self.received = 0

    def seal(self, text):
        record = noise_by_hand.encrypt(self.send_key, self.sent, b"", text)
        self.sent += 1
        return struct.pack(">H", len(record)) + record

    def sendall(self, data):
        for at in range(0, max(len(data), 1), 60000):
            self.wire.sendall(self.seal(data[at : at + 60000]))

    def recv(self, _):
        text = b""
        while not text:
            (size,) = struct.unpack(">H", self.wire.recv_exactly(2))
            text = noise_by_hand.decrypt(self.receive_key, self.received, b"", self.wire.recv_exactly(size))
            self.received += 1
        return text


class WithChild(unittest.TestCase):
    auth = "noise"
    command = [os.path.join(BIN, "kv-child")]
    status = 0  # when it is ended by SIGINT
    settings = None

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        path = os.path.join(scratch.name, "outboard.json")
        config = {
            "token": secrets.token_hex(32),
            "listen": "tcp://127.0.0.1:0",
            "codec": "msgpack",
            "auth": self.auth,
            "instance": secrets.token_hex(16),
            "settings": self.settings,
        }
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            json.dump(config, file)
        environment = dict(os.environ, OUTBOARD_CONFIG=path)
        self.child = subprocess.Popen(self.command, env=environment, stdout=subprocess.DEVNULL)
        self.addCleanup(self.end)
        self.config = ready.await_ready(path, self.child)

    def end(self):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGINT)
        self.assertEqual(self.child.wait(PATIENCE), self.status)

    def connect(self):
        address = urllib.parse.urlsplit(self.config["rpc_addr"])
        sock = socket.create_connection((address.hostname, address.port), PATIENCE)
        self.addCleanup(sock.close)
        return rpc.Connection(Wire(sock))

    def shake_hands(self, connection, token=None, mechanism="noise"):
        """The exchange of noise; from then on the connection is sealed."""
        token = bytes.fromhex(token or self.config["token"])
        bound = rpc.prologue(self.config["codec"], self.config["auth"])
        noise = noise_by_hand.Noise(noise_by_hand.psk(token, 1), bound)
        private = os.urandom(32)
        first = noise.message(noise_by_hand.public_key(private))
        word, second = connection.call("outboard.auth", mechanism, first)
        self.assertEqual((word, len(second)), (rpc.DONE, 48))
        e = second[:32]
        self.assertEqual(noise.message(e, noise_by_hand.x25519(private, e)), second)
        connection.sock = Sealed(connection.sock, *noise.keys())
        return noise.h

    def open(self):
        connection = self.connect()
        self.shake_hands(connection)
        connection.sock.sendall(b"")
        return connection

    @staticmethod
    def send_all(wire, pieces):
        """Send the bytes of a hostile peer, which may be cut off meanwhile."""
        try:
            for data in pieces:
                wire.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def assert_closed(self, connection):
        with self.assertRaises((rpc.Closed, ConnectionResetError)):
            connection.receive()


class Client(WithChild):
    def test_it_authenticates_and_calls(self):
        connection = self.open()
        self.assertIs(connection.call("outboard-control.health")["healthy"], True)
        self.assertEqual(connection.call("kv.set", "colour", "blue"), "blue")
        self.assertEqual(connection.call("kv.get", "colour"), "blue")
        # More than one record, both ways.
        long = "long " * 13000
        connection.call("kv.set", "text", long)
        self.assertEqual(connection.call("kv.get", "text"), long)

    def test_any_record_may_be_the_first(self):
        connection = self.connect()
        self.shake_hands(connection)
        self.assertIs(connection.call("outboard.ping"), True)

    def test_messages_may_span_records(self):
        connection = self.open()
        request = b"\x94\x00\x07\xa8kv.colon\x90"
        for at in range(len(request)):
            connection.sock.sendall(request[at : at + 1])
        self.assertEqual(connection.receive()[:2], [1, 7])

    def test_shutdown_sends_bye_inside_a_record(self):
        connection = self.open()
        self.assertIs(connection.call("outboard.supervise", self.config["instance"]), True)
        self.assertIsNone(connection.call("outboard-control.shutdown"))
        self.assertEqual(connection.receive(), [2, "$/bye", []])
        self.assert_closed(connection)

    def test_fault_42_another_token_is_refused(self):
        connection = self.connect()
        with self.assertRaises(rpc.RemoteError) as caught:
            self.shake_hands(connection, token="00" * 32)
        self.assertEqual(caught.exception.code, -32000)
        self.assert_closed(connection)

    def test_fault_43_a_recorded_session_does_nothing(self):
        """Replay every byte that a dialer sent."""
        recorded = self.open()
        recorded.call("kv.set", "count", "one")
        again = self.open()
        again.call("kv.set", "count", "two")
        thief = self.connect()
        thief.sock.sendall(recorded.sock.wire.sent[0])
        self.assertEqual(thief.receive()[3][0], rpc.DONE)
        self.send_all(thief.sock, recorded.sock.wire.sent[1:])
        self.assert_closed(thief)
        self.assertEqual(again.call("kv.get", "count"), "two")

    def test_fault_45_a_changed_record_ends_the_connection_and_nothing_else(self):
        other = self.open()
        for at in (2, 20, -1):
            connection = self.open()
            record = bytearray(connection.sock.seal(b"\x94\x00\x07\xadoutboard.ping\x90"))
            record[at] ^= 1
            connection.sock.wire.sendall(bytes(record))
            self.assert_closed(connection)
        self.assertIs(other.call("outboard.ping"), True)

    def test_fault_48_plaintext_is_refused_after_sealing(self):
        for opened in (False, True):
            connection = self.connect()
            self.shake_hands(connection)
            if opened:
                self.assertIs(connection.call("outboard.ping"), True)
            # As a record its first bytes announce 37888 bytes, which only an authenticated peer may do.
            self.send_all(connection.sock.wire, [b"\x94\x00\x07\xadoutboard.ping\x90" * (4000 if opened else 1)])
            self.assert_closed(connection)

    def test_fault_48_another_mechanism_is_refused(self):
        connection = self.connect()
        with self.assertRaises(rpc.RemoteError) as caught:
            connection.call("outboard.auth", "token", bytes(32))
        self.assertEqual(caught.exception.code, -32000)
        self.assert_closed(connection)


class ClientWithTwo(WithChild):
    auth = "noise,token"

    def test_the_second_mechanism_is_inside_the_records(self):
        connection = self.connect()
        binding = self.shake_hands(connection)
        connection.authenticate(self.config["token"], self.config["codec"], self.config["auth"], binding)
        self.assertIs(connection.call("outboard.ping"), True)

    def test_fault_103_the_second_mechanism_proves_something_of_this_connection_only(self):
        connection = self.connect()
        self.shake_hands(connection)
        with self.assertRaises(rpc.RemoteError):
            connection.authenticate(self.config["token"], self.config["codec"], self.config["auth"], bytes(64))

    def test_fault_48_the_second_mechanism_cannot_be_left_out(self):
        connection = self.connect()
        self.shake_hands(connection)
        with self.assertRaises(rpc.RemoteError) as caught:
            connection.call("outboard.ping")
        self.assertEqual(caught.exception.code, -32000)
        self.assert_closed(connection)


class Hurried(WithChild):
    """A child with a preauth timeout of one second."""

    command = [os.path.join(os.environ["OB_TEST_BUILD"], "children", "child-actor"), "auth_timeout=1000"]
    status = -signal.SIGINT

    def test_fault_43_who_sends_a_recording_and_then_nothing_is_a_stranger_whose_time_runs_out(self):
        recorded = self.open()
        thief = self.connect()
        begun = time.monotonic()
        thief.sock.sendall(recorded.sock.wire.sent[0])
        self.assertEqual(thief.receive()[3][0], rpc.DONE)
        self.assert_closed(thief)
        self.assertGreater(time.monotonic() - begun, 0.8)
        self.assertIs(recorded.call("outboard.ping"), True)


if __name__ == "__main__":
    unittest.main(verbosity=2)
