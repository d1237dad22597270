# SPDX-License-Identifier: MIT
"""A client that knows only docs/PROTOCOL.md, and signs with OpenSSL, talks to a child that asks for `noise` and `keys`."""
import base64
import os
import signal
import struct
import tempfile
import unittest

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

import rpc
import test_noise_client

RAW = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)
SEED = (serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption())
ACTOR = os.path.join(os.environ["OB_TEST_BUILD"], "children", "child-actor")


def public_of(key):
    return key.public_key().public_bytes(*RAW)


def text_of(role, bound, nonces, keys):
    return b"outboard keys 1 " + role + b"\0" + struct.pack(">I", len(bound)) + bound + nonces + keys


class Client(test_noise_client.WithChild):
    auth = "noise,keys"
    command = [ACTOR]
    status = -signal.SIGINT

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.acceptor, self.dialer = (ed25519.Ed25519PrivateKey.generate() for _ in range(2))
        secret, self.list = (os.path.join(scratch.name, name) for name in ("key", "authorized"))
        seed = base64.b64encode(self.acceptor.private_bytes(*SEED)).decode()
        with open(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write("outboard-ed25519-secret %s\n" % seed)
        self.let_in((self.dialer, "a client"))
        self.settings = {"auth": {"keys": {"key": secret, "authorized": self.list}}}
        super().setUp()

    def let_in(self, *keys):
        lines = ["ed25519 %s %s\n" % (base64.b64encode(public_of(key)).decode(), name) for key, name in keys]
        with open(os.open(self.list + ".new", os.O_WRONLY | os.O_CREAT, 0o644), "w") as file:
            file.write("# who may call\n" + "".join(lines))
        os.chmod(self.list + ".new", 0o644)
        os.rename(self.list + ".new", self.list)

    def begin(self):
        """Until the acceptor has proved itself: the connection, what is signed, but for the role, and the binding."""
        connection = self.connect()
        bound = rpc.prologue(self.config["codec"], self.auth, self.shake_hands(connection))
        d, mine = os.urandom(32), public_of(self.dialer)
        word, answer = connection.call("outboard.auth", "keys", d + mine)
        self.assertEqual((word, len(answer)), (rpc.MORE, 128))
        a, theirs, proof = answer[:32], answer[32:64], answer[64:]
        self.assertEqual(theirs, public_of(self.acceptor))
        signed = (bound, d + a, mine + theirs)
        self.acceptor.public_key().verify(proof, text_of(b"acceptor", *signed))
        with self.assertRaises(InvalidSignature):
            self.acceptor.public_key().verify(proof, text_of(b"dialer", *signed))
        return connection, signed

    def finish(self, connection, proof):
        return connection.call("outboard.auth", "keys", proof)

    def assert_refused(self, connection, proof):
        with self.assertRaises(rpc.RemoteError) as caught:
            self.finish(connection, proof)
        self.assertEqual(caught.exception.code, -32000)
        self.assert_closed(connection)

    def test_a_key_of_the_list_calls_as_its_subject(self):
        connection, signed = self.begin()
        answer = self.finish(connection, self.dialer.sign(text_of(b"dialer", *signed)))
        self.assertEqual(answer, [rpc.DONE, b""])
        self.assertEqual(connection.call("act.who")[:2], ["a client", "keys"])

    def test_another_role_text_or_key_is_refused(self):
        other = ed25519.Ed25519PrivateKey.generate()
        for key, role in ((self.dialer, b"acceptor"), (other, b"dialer")):
            connection, signed = self.begin()
            self.assert_refused(connection, key.sign(text_of(role, *signed)))

    def test_fault_103_a_proof_of_another_connection_is_refused(self):
        _, (bound, _, _) = self.begin()
        connection, (_, nonces, keys) = self.begin()
        self.assert_refused(connection, self.dialer.sign(text_of(b"dialer", bound, nonces, keys)))

    def test_a_key_that_was_removed_is_refused_and_its_open_connection_stays(self):
        before, signed = self.begin()
        self.finish(before, self.dialer.sign(text_of(b"dialer", *signed)))
        self.let_in((ed25519.Ed25519PrivateKey.generate(), "another"))
        connection, signed = self.begin()
        self.assert_refused(connection, self.dialer.sign(text_of(b"dialer", *signed)))
        self.assertIs(before.call("outboard.ping"), True)


if __name__ == "__main__":
    unittest.main(verbosity=2)
