# SPDX-License-Identifier: MIT
"""MessagePack-RPC and the authenticator `token`, as docs/PROTOCOL.md describes them, for the client and the child here."""
import hashlib
import hmac
import os
import struct

import msgpack

MORE, DONE = "more", "done"
REFUSED = [-32000, "refused"]


def prologue(codec, mechanisms, binding=None):
    """The prologue: three texts, each behind its length; inside records also the binding of the channel."""
    texts = [text.encode() for text in ("outboard/1", codec, mechanisms)] + ([b"seal", binding] if binding else [])
    return b"".join(struct.pack(">H", len(t)) + t for t in texts)


def proof(token, side, prologue_bytes, c, s):
    return hmac.new(bytes.fromhex(token), side + prologue_bytes + c + s, hashlib.sha256).digest()


class Closed(Exception):
    """The peer ended the connection."""


class RemoteError(Exception):
    """The peer answered with an error."""

    def __init__(self, error):
        super().__init__(str(error))
        self.code = error[0] if isinstance(error, list) else None


class Connection:
    """Messages over a stream socket."""

    def __init__(self, sock):
        self.sock = sock
        self.unpacker = msgpack.Unpacker(raw=False, max_buffer_size=4 << 20)
        self.next_id = 1

    def send(self, *message):
        self.sock.sendall(msgpack.packb(list(message), use_bin_type=True))

    def receive(self):
        while True:
            for message in self.unpacker:
                return message
            data = self.sock.recv(65536)
            if not data:
                raise Closed()
            self.unpacker.feed(data)

    def call(self, method, *params):
        """Call and wait. No other messages are expected meanwhile."""
        call_id, self.next_id = self.next_id, self.next_id + 1
        self.send(0, call_id, method, list(params))
        kind, answered, error, result = self.receive()
        if (kind, answered) != (1, call_id):
            raise ValueError("not the response to request %d" % call_id)
        if error is not None:
            raise RemoteError(error)
        return result

    def authenticate(self, token, codec, mechanisms, binding=None):
        """The dialer's side of `token`."""
        c = os.urandom(32)
        bound = prologue(codec, mechanisms, binding)
        word, data = self.call("outboard.auth", "token", c)
        s, theirs = data[:32], data[32:]
        if word != MORE or not hmac.compare_digest(theirs, proof(token, b"S", bound, c, s)):
            raise RemoteError([None, "the listener does not know the token"])
        if self.call("outboard.auth", "token", proof(token, b"C", bound, c, s)) != [DONE, b""]:
            raise ValueError("the acceptor is not done")
