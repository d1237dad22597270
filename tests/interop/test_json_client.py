# SPDX-License-Identifier: MIT
"""
What docs/PROTOCOL.md says about JSON, line by line, to a child of the library and to one that is in Python; and the session that it shows,
with both.
"""
import contextlib
import base64
import hashlib
import hmac
import json
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import unittest

import ready

SOURCE = os.environ["OB_TEST_SOURCE"]
BIN = os.path.join(os.environ["OB_TEST_BUILD"], "bin")
PATIENCE = 30

with open(os.path.join(SOURCE, "docs/PROTOCOL.md"), encoding="utf-8") as page:
    EXAMPLE = page.read().partition("### A session in JSON")[2]
    GIVEN, WIRE = re.findall(r"^```[^\n]*\n(.*?)^```$", EXAMPLE, re.M | re.S)[:2]


def given(name):
    return bytes.fromhex(re.search(r"^%s +([0-9a-f]+)$" % name, GIVEN, re.M)[1])


def shown():
    """The lines of the documented session as ('>' or '<', text), without comments."""
    return re.findall(r"^([<>]) (\S.*?)(?:   +.*)?$", WIRE, re.M)


def mac(side, c, s):
    prologue = b"".join(struct.pack(">H", len(t)) + t for t in (b"outboard/1", b"json", b"token"))
    return hmac.digest(given("token"), side + prologue + c + s, hashlib.sha256)


def binary(data):
    return {"$binary": base64.b64encode(data).decode()}


def auth(call_id, data):
    return {"jsonrpc": "2.0", "id": call_id, "method": "outboard.auth", "params": ["token", binary(data)]}


def compact(message):
    return json.dumps(message, separators=(",", ":"))


class Page(unittest.TestCase):
    def test_the_documented_authentication_is_right(self):
        c, s = given("c"), given("s")
        expected = [
            auth(1, c),
            {"jsonrpc": "2.0", "id": 1, "result": ["more", binary(s + mac(b"S", c, s))]},
            auth(2, mac(b"C", c, s)),
            {"jsonrpc": "2.0", "id": 2, "result": ["done", binary(b"")]},
        ]
        self.assertEqual([text for _, text in shown()[:4]], [compact(m) for m in expected])


@contextlib.contextmanager
def started(*command):
    """A child that is ready, and how to connect to it."""
    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(scratch, "outboard.json")
        config = {"token": given("token").hex(), "listen": "unix://%s/rpc.sock" % scratch, "codec": "json"}
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            json.dump({**config, "auth": "token", "instance": given("instance").hex()}, file)
        env = {**os.environ, "OUTBOARD_CONFIG": path}
        child = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            ready.await_ready(path, child)
            yield child, os.path.join(scratch, "rpc.sock")
        finally:
            child.kill()
            child.wait()


class Lines:
    """A connection, line by line."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(path)
        self.stream = self.sock.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.sock.close()

    def say(self, text):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.sock.sendall(text.encode() if isinstance(text, str) else text)

    def hear(self):
        """The next line; "" at the end of the stream."""
        try:
            return self.stream.readline().decode()
        except ConnectionResetError:
            return ""

    def authenticate(self):
        c = given("c")
        self.say(compact(auth(1, c)) + "\n")
        data = base64.b64decode(json.loads(self.hear())["result"][1]["$binary"])
        s, proof = data[:32], data[32:]
        assert proof == mac(b"S", c, s)
        self.say(compact(auth(2, mac(b"C", c, s))) + "\n")
        assert json.loads(self.hear())["result"] == ["done", binary(b"")]


class Session:
    def hold(self, *command):
        with started(*command) as (child, address):
            with Lines(address) as lines:
                lines.authenticate()
                for direction, text in shown()[4:]:
                    if direction == ">":
                        lines.say(text + "\n")
                    else:
                        self.assert_shown(lines.hear(), text)
                self.assertEqual(lines.hear(), "")
            self.assertEqual(child.wait(PATIENCE), 0)

    def assert_shown(self, line, text):
        self.assertEqual(line, text + "\n")


class Library(Session, unittest.TestCase):
    def test_the_documented_session_works_with_a_child_of_the_library(self):
        self.hold(os.path.join(BIN, "kv-child"))


class Python(Session, unittest.TestCase):
    def test_the_documented_session_works_with_a_child_in_python(self):
        self.hold(sys.executable, "-B", os.path.join(SOURCE, "examples/python-child/kv_child.py"))

    def assert_shown(self, line, text):
        """The text of an error may differ, and it may have data."""

        def plain(value):
            if isinstance(value, list):
                return [plain(v) for v in value]
            return {**value, "error": value["error"]["code"]} if "error" in value else value

        self.assertEqual(plain(json.loads(line)), plain(json.loads(text)))


def request(params, call_id="1", method="act.echo"):
    return '{"jsonrpc":"2.0","id":%s,"method":"%s","params":%s}' % (call_id, method, params)


def result(value, call_id="1"):
    return '{"jsonrpc":"2.0","id":%s,"result":%s}' % (call_id, value)


class Claims:
    """To a child with the methods act.echo and act.later."""

    @classmethod
    def setUpClass(cls):
        cls.context = started(*cls.command)
        cls.child, cls.address = cls.context.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.context.__exit__(None, None, None)

    def setUp(self):
        self.lines = Lines(self.address)
        self.addCleanup(self.lines.__exit__)

    def answer(self, text):
        self.lines.say(text if isinstance(text, bytes) else text + "\n")
        return self.lines.hear().rstrip("\n")

    def written(self, call_id):
        """The id in the answer."""
        return call_id

    def test_values_come_back_as_they_were(self):
        self.lines.authenticate()
        same = [
            "9223372036854775807", "-9223372036854775808", "18446744073709551615", "1.0", "-0.0", "1e+300", "true", "null",
            '"\\u0000"', '"\U0001f40d"', '{"b":1,"a":[{}]}', '{"$binary":"AAEC"}', '{"$binary":""}', '{"$$binary":1}', '{"$$$binary":[]}',
        ]  # fmt: skip
        for value in same:
            self.assertEqual(self.answer(request("[%s]" % value)), result(value))
        self.assertEqual(self.answer(request("[18446744073709551616]")), result("1.8446744073709552e+19"))
        self.assertEqual(self.answer(request('["\\ud83d\\udc0d"]')), result('"\U0001f40d"'))

    def test_ids_come_back_as_they_were_written(self):
        self.lines.authenticate()
        for call_id in '"four"', '"\\u0041\\n"', "null", "-1", "1.50", "4294967296", '"%s"' % ("x" * 62):
            self.assertEqual(self.answer(request("[7]", call_id)), result("7", self.written(call_id)))
        for call_id in '"%s"' % ("x" * 63), "true", "[1]", "{}", '{"$binary":""}':
            answer = json.loads(self.answer(request("[7]", call_id)))
            self.assertEqual((answer["id"], answer["error"]["code"]), (None, -32600), call_id)

    def test_blank_lines_and_other_members_are_passed_over(self):
        self.lines.authenticate()
        self.assertEqual(self.answer("\n \t\r\n" + request("[1]") + "\r"), result("1"))
        self.assertEqual(self.answer('{"x":[{}],"id":2,"method":"outboard.ping","jsonrpc":"2.0","y":0}'), result("true", "2"))
        # Before authentication, too.
        with Lines(self.address) as lines:
            lines.say("\n\n")
            lines.authenticate()

    def test_invalid_requests_get_their_error_codes(self):
        self.lines.authenticate()
        parse, invalid = -32700, -32600
        deep = "%s%%s%s" % ("[" * 24, "]" * 24)
        cases = [
            ("{", parse), (request("[1]") + "x", parse), (request("[1e999]"), parse), (request('["\\ud83d"]'), parse),
            (request("[NaN]"), parse), (request('[{"a":1,"a":2}]'), parse), (request('[{"$binary":"A"}]'), parse),
            (request('[{"$binary":1}]'), parse), (request('["\udcff"]').encode(errors="surrogateescape") + b"\n", parse),
            (request("[-1e999]"), parse), (request("[%s]" % ("9" * 400)), parse), (request("[Infinity]"), parse),
            (request("[-Infinity]"), parse), (request('["\\udc0d\\ud83d"]'), parse), (request('[{"\\ud83d":1}]'), parse),
            (request('[{"a":1,"\\u0061":2}]'), parse), (request("[1]", '"\\ud83d"'), parse), (request('[{"$binary":"AB=="}]'), parse),
            (request('[{"$binary":"AA==\\n"}]'), parse), (request('[{"$binary":{"$binary":""}}]'), parse), ("\v", parse),
            ("[]", invalid), ("3", invalid), ('"text"', invalid), ('{"jsonrpc":"2.0","id":true,"method":"x"}', invalid),
            (request("[%s]" % (deep % "")), invalid), (request(deep % '{"$binary":""}'), invalid), (request(deep % "{}"), invalid),
            ('{"jsonrpc":"2.0","id":1,"method":"outboard.ping","x":%s}' % (deep % "[]"), invalid),
            ("[%s]" % request(deep % "[]"), invalid), (request("[%s]" % ("[" * 5000 + "]" * 5000)), invalid),
            ("[%s]" % ",".join(["1"] * 257), invalid),
        ]  # fmt: skip
        for text, code in cases:
            answer = json.loads(self.answer(text))
            self.assertEqual((answer["id"], answer["error"]["code"]), (None, code), text)
            self.assertTrue(code != parse or answer["error"]["data"], text)
        for text in '{"jsonrpc":"1.0","id":5,"method":"x"}', '{"id":5,"method":"x"}', '{"jsonrpc":"2.0","id":5,"method":1}':
            answer = json.loads(self.answer(text))
            self.assertEqual((answer["id"], answer["error"]["code"]), (5, invalid), text)
        deepest = deep % ""
        self.assertEqual(self.answer(request(deepest)), result(deepest[1:-1]))
        self.assertEqual(self.answer("[%s]" % request(deepest)), "[%s]" % result(deepest[1:-1]))

    def test_a_batch_is_answered_when_its_last_answer_is_there(self):
        self.lines.authenticate()
        ping = request("[]", method="outboard.ping", call_id="2")
        batch = "[%s, %s]" % (request("[]", method="act.later"), ping)
        self.assertEqual(
            json.loads(self.answer(batch)),
            [json.loads(result("true", "2")), json.loads(result('"from another thread"'))],
        )
        note = '{"jsonrpc":"2.0","method":"act.echo","params":[1]}'
        self.lines.say("[%s]\n" % ",".join([note] * 256))
        self.assertEqual(self.answer(ping), result("true", "2"))
        self.assertEqual(len(json.loads(self.answer("[%s]" % ",".join(["1"] * 256)))), 256)

    def test_a_result_that_does_not_fit_is_an_error(self):
        """A number whose text is longer in the answer."""
        self.lines.authenticate()

        def long(count, call_id):
            return request("[[%s]]" % ",".join(["1e14"] * count), call_id)

        self.assertEqual(json.loads(self.answer(long(300000, "1")))["error"]["code"], -32004)
        answers = json.loads(self.answer("[%s,%s,%s]" % (long(150000, "1"), long(150000, "2"), request("[3]", "3"))))
        self.assertEqual(sorted((a["id"], a.get("error", {}).get("code")) for a in answers), [(1, None), (2, -32004), (3, None)])

    def test_messages_that_close_the_connection(self):
        long = request('["%s"]' % ("x" * (4 << 20)))
        cases = [
            '{"jsonrpc":"2.0","id":1,"result":1,"error":{}}', '{"jsonrpc":"2.0","id":1,"error":null}', '{"jsonrpc":"2.0","result":1}',
            '{"jsonrpc":"2.0","id":true,"result":1}', '{"jsonrpc":"2.0","id":"%s","result":1}' % ("x" * 63), '{"id":1,"result":1}',
            '[%s,{"jsonrpc":"2.0","result":1}]' % request("[1]"), long,
        ]  # fmt: skip
        for text in cases:
            with Lines(self.address) as lines:
                lines.authenticate()
                lines.say(text + "\n")
                self.assertEqual(lines.hear(), "", text[:80])

    def test_before_authentication_nothing_else_is_answered(self):
        begin = compact(auth(1, given("c")))
        for text in "{", "[%s]" % begin, '{"jsonrpc":"2.0","method":"x"}', "x" * 4097:
            with Lines(self.address) as lines:
                lines.say(text + "\n")
                self.assertEqual(lines.hear(), "", text[:80])
        refused = {"code": -32000, "message": "refused"}
        for text in request("[]", method="outboard.ping"), begin + "\n" + begin:
            with Lines(self.address) as lines:
                lines.say(text + "\n")
                self.assertEqual(json.loads(lines.hear())["error"], refused)
                self.assertEqual(lines.hear(), "")


class LibraryClaims(Claims, unittest.TestCase):
    command = (os.path.join(os.environ["OB_TEST_BUILD"], "children/child-actor"),)


class PythonClaims(Claims, unittest.TestCase):
    command = (sys.executable, "-B", os.path.join(SOURCE, "tests/interop/actor.py"))

    def written(self, call_id):
        """The answer has the same value."""
        return json.dumps(json.loads(call_id))

    def test_a_result_that_cannot_be_encoded_is_an_error(self):
        self.lines.authenticate()
        for what in "surrogate", "surrogate key", "nan", "infinity", "deep", "deep binary", "endless", "number as key", "object":
            answer = json.loads(self.answer(request('["%s"]' % what, method="act.make")))
            self.assertEqual(answer.get("error"), {"code": -32603, "message": "the result cannot be encoded"}, what)
        self.assertEqual(self.answer(request('["deepest"]', method="act.make")), result("[" * 24 + "1" + "]" * 24))

    def test_a_call_is_canceled_by_its_id(self):
        self.lines.authenticate()
        note = '{"jsonrpc":"2.0","method":"$/cancel","params":%s}\n'
        cases = [
            ("1", "[true]", "[1]"), ('"7"', "[7]", '["7"]'), ('"\\u0041"', '["\\\\u0041"]', '["A"]'), ("1.5", "[1]", "[1.50]"),
        ]  # fmt: skip
        for call_id, other, same in cases:
            self.lines.say(request("[]", call_id, "act.keep") + "\n")
            for params in "[]", "[[]]", "[{}]", "[null]", other:
                self.lines.say(note % params)
            # Twice: the answer to a canceled call may come after the first one.
            for _ in range(2):
                self.assertEqual(self.answer(request("[8]", "8")), result("8", "8"))
            self.lines.say(note % same)
            answer = json.loads(self.lines.hear())
            self.assertEqual((answer["id"], answer["error"]["code"]), (json.loads(call_id), -32002))


if __name__ == "__main__":
    unittest.main(verbosity=2)
