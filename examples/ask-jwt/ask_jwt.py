#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
A helper of the authenticator ask that checks bearer tokens: ask_jwt.py KEY_FILE ISSUER AUDIENCE

A client sends a JSON Web Token (RFC 7519), signed with HS256: HMAC-SHA-256, with the bytes of KEY_FILE as key, which only its
owner may read. `iss` and `aud` must be as given, `exp` is required, `nbf` is respected, both within a few seconds. `sub` becomes
the subject, and what else the token says in strings and numbers are the claims, for rules such as "allow claim.role=admin *".

It is a child of outboard, on ../python-child, and needs only the standard library.
"""
import base64
import hmac
import json
import os
import re
import stat
import sys
import time

sys.path.append(os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "python-child"))
import outboard_child

LEEWAY, KEY_MIN, CLAIMS_MAX, VALUE_MAX = 5, 32, 32, 255
NAME = re.compile(r"[A-Za-z0-9_.-]{1,63}")
OUR_OWN = {"iss", "aud", "exp", "nbf", "iat", "jti", "sub"}


class Refused(Exception):
    """With the reason, for the log of whoever asks. The client does not see it."""


def read_key(path):
    with open(path, "rb") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            raise SystemExit("%s: others than its owner may read or write it" % path)
        key = file.read()
    if len(key) < KEY_MIN:
        raise SystemExit("%s: a key for HS256 has at least %d bytes" % (path, KEY_MIN))
    return key


# ---- The token ----


def unpack(part):
    """Base64url without padding, and nothing else."""
    if not re.fullmatch(rb"[A-Za-z0-9_-]+", part):
        raise Refused("not a token of three parts in base64url")
    try:
        return base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    except ValueError:
        raise Refused("not a token of three parts in base64url") from None


def load(part):
    """A JSON object in which no name occurs twice."""

    def pairs(found):
        if len(dict(found)) != len(found):
            raise ValueError("a name occurs twice")
        return dict(found)

    def constant(name):
        raise ValueError("%s is not JSON" % name)  # no time is before or after NaN

    try:
        value = json.loads(unpack(part).decode(), object_pairs_hook=pairs, parse_constant=constant)
    except (ValueError, RecursionError):
        raise Refused("a part of the token is not JSON") from None
    if not isinstance(value, dict):
        raise Refused("a part of the token is not a JSON object")
    return value


def number(payload, name):
    value = payload.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Refused("%s is missing, or not a number" % name)
    return value


class Verifier:
    def __init__(self, key, issuer, audience, clock=time.time):
        self.key = key
        self.issuer = issuer
        self.audience = audience
        self.clock = clock

    def payload(self, token):
        """What a token with a good signature says. The algorithm is ours to choose, not the token's."""
        parts = token.split(b".")
        if len(parts) != 3:
            raise Refused("not a token of three parts in base64url")
        header = load(parts[0])
        if header.get("alg") != "HS256" or "crit" in header:
            raise Refused("not signed with HS256")
        signature = hmac.digest(self.key, parts[0] + b"." + parts[1], "sha256")
        if not hmac.compare_digest(signature, unpack(parts[2])):
            raise Refused("the signature is wrong")
        return load(parts[1])

    def verify(self, token):
        payload, now = self.payload(token), self.clock()
        if payload.get("iss") != self.issuer:
            raise Refused("of another issuer")
        audience = payload.get("aud")
        if self.audience not in (audience if isinstance(audience, list) else [audience]):
            raise Refused("for another audience")
        if now >= number(payload, "exp") + LEEWAY:
            raise Refused("expired")
        if "nbf" in payload and now < number(payload, "nbf") - LEEWAY:
            raise Refused("not valid yet")
        subject = payload.get("sub")
        if not isinstance(subject, str) or not 1 <= len(subject.encode("utf-8", "replace")) <= 255 or not subject.isprintable():
            raise Refused("sub is missing, or not a name")
        return subject, claims(payload)


def claims(payload):
    """Those that a rule can have: names and texts of a moderate size."""
    found = {}
    for name, value in payload.items():
        text = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else None
        if name not in OUR_OWN and NAME.fullmatch(name) and text is not None and text.isprintable() and len(text.encode()) <= VALUE_MAX:
            found[name] = text
    return dict(list(found.items())[:CLAIMS_MAX])


# ---- The interface outboard-ask ----


def ask(verifier):
    def step(role, data, **_):
        if role != "acceptor" or not isinstance(data, (bytes, str)):
            return {"word": "refused", "reason": "not asked for a client"}
        try:
            subject, found = verifier.verify(data if isinstance(data, bytes) else data.encode())
        except Refused as refusal:
            return {"word": "refused", "reason": str(refusal)}
        return {"word": "done", "subject": subject, "claims": found}

    return {"step": step}


def main():
    if len(sys.argv) != 4:
        raise SystemExit("usage: ask_jwt.py KEY_FILE ISSUER AUDIENCE")
    child = outboard_child.Child(version=1)
    child.expose("outboard-ask", ask(Verifier(read_key(sys.argv[1]), *sys.argv[2:])))
    child.run()


if __name__ == "__main__":
    main()
