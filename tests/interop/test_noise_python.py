# SPDX-License-Identifier: MIT
"""noise against dissononce, an implementation in Python: either is the initiator, records cross both ways, keys change."""
import os
import struct
import subprocess
import unittest

from dissononce.cipher.chachapoly import ChaChaPolyCipher
from dissononce.dh.x25519.x25519 import X25519DH
from dissononce.exceptions.decrypt import DecryptFailedException
from dissononce.hash.blake2b import Blake2bHash
from dissononce.processing.handshakepatterns.interactive.NN import NNHandshakePattern
from dissononce.processing.impl.cipherstate import CipherState
from dissononce.processing.impl.handshakestate import HandshakeState
from dissononce.processing.impl.symmetricstate import SymmetricState
from dissononce.processing.modifiers.psk import PSKPatternModifier

PEER = os.path.join(os.environ["OB_TEST_BUILD"], "tests", "noise-peer")
PSK = bytes(range(100, 132))
PROLOGUE = b"\x00\x0aoutboard/1\x00\x07msgpack\x00\x05noise"
MASK = bytes(b ^ 0x5A for b in range(256))
REFUSED, BAD_RECORD = 2, 3
REKEY_EVERY = 65536
BURST = 256


class Records:
    """A direction: dissononce's CipherState, with the key changed as docs/PROTOCOL.md says."""

    def __init__(self, cipherstate):
        self.state, self.key, self.n = cipherstate, cipherstate._key, 0

    def advance(self):
        self.n += 1
        if self.n % REKEY_EVERY == 0:
            # Its rekey() keeps the tag in the key, and restarts the count; Noise does neither.
            self.key = self.state.cipher.rekey(self.key)[:32]
            self.state.initialize_key(self.key)
            self.state.set_nonce(self.n)

    def seal(self, text):
        record = self.state.encrypt_with_ad(b"", text)
        self.advance()
        return record

    def open(self, record):
        text = self.state.decrypt_with_ad(b"", record)
        self.advance()
        return text


class Noise(unittest.TestCase):
    def start(self, initiator, psk=PSK, prologue=PROLOGUE):
        """Our end as initiator or responder, and dissononce as the other."""
        role = "initiator" if initiator else "responder"
        self.ours = subprocess.Popen(
            [PEER, role, PSK.hex(), PROLOGUE.hex()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(self.stop, self.ours)
        self.theirs = HandshakeState(SymmetricState(CipherState(ChaChaPolyCipher()), Blake2bHash()), X25519DH())
        pattern = PSKPatternModifier(0).modify(NNHandshakePattern())
        self.theirs.initialize(pattern, not initiator, prologue, psks=(psk,))
        self.assertEqual(self.theirs.protocol_name, "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2b")

    @staticmethod
    def stop(ours):
        ours.kill()
        ours.wait()
        for pipe in ours.stdout, ours.stdin:
            try:
                pipe.close()
            except BrokenPipeError:
                pass

    def send(self, message):
        self.ours.stdin.write(struct.pack(">H", len(message)) + message)

    def receive(self):
        self.ours.stdin.flush()
        head = self.ours.stdout.read(2)
        return self.ours.stdout.read(struct.unpack(">H", head)[0]) if head else None

    def ends_with(self, status):
        self.ours.stdin.close()
        self.assertEqual(self.ours.wait(60), status)

    def write(self):
        message = bytearray()
        return self.theirs.write_message(b"", message), bytes(message)

    def open(self, initiator):
        """A whole handshake; returns the directions of dissononce."""
        self.start(initiator)
        payload = bytearray()
        if initiator:
            self.theirs.read_message(self.receive(), payload)
            (receive, send), message = self.write()
            self.send(message)
        else:
            _, message = self.write()
            self.send(message)
            send, receive = self.theirs.read_message(self.receive(), payload)
        self.assertEqual(payload, b"")
        return Records(send), Records(receive)

    def exchange(self, send, receive, texts):
        for text in texts:
            self.send(send.seal(text))
        for text in texts:
            self.assertEqual(receive.open(self.receive()), text.translate(MASK))


class Tests(Noise):
    def test_records_of_every_size_cross_both_ways(self):
        for initiator in (True, False):
            send, receive = self.open(initiator)
            for size in list(range(130)) + [16383, 16384, 65519]:
                self.exchange(send, receive, [os.urandom(size)])
            self.ends_with(0)

    def test_fault_47_keys_change_at_the_same_number(self):
        for initiator in (True, False):
            send, receive = self.open(initiator)
            first = send.key
            for n in range(0, REKEY_EVERY + BURST, BURST):
                self.exchange(send, receive, [b"%d" % (n + i) for i in range(BURST)])
            self.assertEqual(receive.n, REKEY_EVERY + BURST)
            self.assertNotEqual(send.key, first)
            self.ends_with(0)

    def test_fault_42_48_another_psk_or_prologue_is_refused_by_both(self):
        for psk, prologue in (bytes(32), PROLOGUE), (PSK, b""):
            self.start(False, psk, prologue)
            self.send(self.write()[1])
            self.assertIsNone(self.receive())
            self.ends_with(REFUSED)
            self.start(True, psk, prologue)
            with self.assertRaises(DecryptFailedException):
                self.theirs.read_message(self.receive(), bytearray())

    def test_fault_45_a_changed_message_is_refused(self):
        for at in range(48):
            self.start(False)
            message = bytearray(self.write()[1])
            message[at] ^= 1
            self.send(bytes(message))
            self.assertIsNone(self.receive())
            self.ends_with(REFUSED)

    def test_fault_45_a_changed_record_is_the_last(self):
        for at in (0, 50, 115):
            send, receive = self.open(at == 50)
            self.exchange(send, receive, [b"fine"])
            record = bytearray(send.seal(bytes(100)))
            record[at] ^= 1
            self.send(bytes(record))
            self.assertIsNone(self.receive())
            self.ends_with(BAD_RECORD)


if __name__ == "__main__":
    unittest.main(verbosity=2)
