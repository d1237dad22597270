# SPDX-License-Identifier: MIT
"""
noise, as docs/PROTOCOL.md describes it, with nothing but Python's own hashes: X25519 (RFC 7748), ChaCha20-Poly1305 (RFC 8439) and the
handshake are written out here. It is slow, and its time depends on its secrets: it is for tests.
"""
import hashlib
import hmac
import struct

P = 2**255 - 19


def x25519(k, u):
    k = bytearray(k)
    k[0] &= 248
    k[31] = k[31] & 127 | 64
    k = int.from_bytes(k, "little")
    u = int.from_bytes(u, "little") & (2**255 - 1)
    a, b, c, d = 1, 0, u, 1
    for t in reversed(range(255)):
        swap = k >> t & 1
        if swap:
            a, b, c, d = c, d, a, b
        p, q, r, s = (a + b) % P, (a - b) % P, (c + d) % P, (c - d) % P
        pp, qq = p * p % P, q * q % P
        e = (pp - qq) % P
        a, b = pp * qq % P, e * (pp + 121665 * e) % P
        c, d = (s * p + r * q) ** 2 % P, u * (s * p - r * q) ** 2 % P
        if swap:
            a, b, c, d = c, d, a, b
    return (a * pow(b, P - 2, P) % P).to_bytes(32, "little")


def chacha(key, counter, nonce):
    words = list(struct.unpack("<16I", b"expand 32-byte k" + key + struct.pack("<I", counter) + nonce))
    x = list(words)
    columns = [(0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)]
    diagonals = [(0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)]
    for a, b, c, d in (columns + diagonals) * 10:
        for one, other, by, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            x[one] = (x[one] + x[other]) & 0xFFFFFFFF
            v = x[by] ^ x[one]
            x[by] = (v << turn | v >> 32 - turn) & 0xFFFFFFFF
    return struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(x, words)))


def cross(k, nonce, text):
    stream = b"".join(chacha(k, 1 + i, nonce) for i in range(-(-len(text) // 64)))
    return bytes(a ^ b for a, b in zip(text, stream))


def encrypt(k, n, ad, plain):
    nonce = b"\0\0\0\0" + struct.pack("<Q", n)
    text = cross(k, nonce, plain)
    r, s = struct.unpack("<16s16s", chacha(k, 0, nonce)[:32])
    r = int.from_bytes(r, "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    mac, total = ad + b"\0" * (-len(ad) % 16) + text + b"\0" * (-len(text) % 16), 0
    mac += struct.pack("<QQ", len(ad), len(text))
    for i in range(0, len(mac), 16):
        total = (total + int.from_bytes(mac[i : i + 16] + b"\1", "little")) * r % (2**130 - 5)
    return text + ((total + int.from_bytes(s, "little")) % 2**128).to_bytes(16, "little")


def decrypt(k, n, ad, text):
    plain = cross(k, b"\0\0\0\0" + struct.pack("<Q", n), text[:-16])
    if encrypt(k, n, ad, plain) != text:
        raise ValueError("this was not encrypted by the peer, or not as number %d" % n)
    return plain


def rekey(k):
    return encrypt(k, 2**64 - 1, b"", bytes(32))[:32]


def psk(token, number):
    return hashlib.blake2b(digest_size=32, key=token, salt=struct.pack("<Q", number), person=b"outboard").digest()


def public_key(private):
    return x25519(private, (9).to_bytes(32, "little"))


class Noise:
    """The state of a handshake."""

    def __init__(self, psk, prologue):
        self.h = self.ck = b"Noise_NNpsk0_25519_ChaChaPoly_BLAKE2b".ljust(64, b"\0")
        self.mix_hash(prologue)
        self.ck, h, self.k = self.hkdf(psk)
        self.mix_hash(h)

    def mix_hash(self, data):
        self.h = hashlib.blake2b(self.h + data).digest()

    def hkdf(self, data):
        key = hmac.new(self.ck, data, hashlib.blake2b).digest()
        one = hmac.new(key, b"\1", hashlib.blake2b).digest()
        two = hmac.new(key, one + b"\2", hashlib.blake2b).digest()
        three = hmac.new(key, two + b"\3", hashlib.blake2b).digest()
        return one, two, three

    def mix_key(self, data):
        self.ck, self.k, _ = self.hkdf(data)

    def message(self, public, dh=None):
        """The message with this public key; the second one also with the result of DH."""
        self.mix_hash(public)
        self.mix_key(public)
        if dh is not None:
            self.mix_key(dh)
        tag = encrypt(self.k[:32], 0, self.h, b"")
        self.mix_hash(tag)
        return public + tag

    def keys(self):
        """The keys for records of the dialer and of the acceptor."""
        dialer, acceptor, _ = self.hkdf(b"")
        return dialer[:32], acceptor[:32]


def example(given):
    """The whole documented example from its inputs: token, e-dialer, e-acceptor, prologue, plain."""
    value = dict(given, psk=psk(given["token"], 1))
    noise = Noise(value["psk"], given["prologue"])
    e = public_key(given["e-acceptor"])
    value["message-1"] = noise.message(public_key(given["e-dialer"]))
    value["message-2"] = noise.message(e, x25519(given["e-dialer"], e))
    value["k-dialer"], value["k-acceptor"] = noise.keys()
    value["k-dialer-2"] = rekey(value["k-dialer"])
    for name, k, n in (
        ("record-0", "k-dialer", 0),
        ("reply-0", "k-acceptor", 0),
        ("record-65535", "k-dialer", 65535),
        ("record-65536", "k-dialer-2", 65536),
    ):
        value[name] = encrypt(value[k], n, b"", given["plain"])
    return value
