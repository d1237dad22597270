# SPDX-License-Identifier: MIT
"""The authenticator ask under outboard run: helpers that are children of the same supervisor, which are the examples ask-jwt and
ask-pam; what `check` finds; and the conformance suite, through a real helper."""
import base64
import hmac
import json
import os
import signal
import subprocess
import sys
import time
import unittest

from command import BUILD, OK, PATIENCE, REMOTE, UNREACHABLE, USAGE, Case, actor, outboard

SOURCE = os.environ["OB_TEST_SOURCE"]
STORE = f"{BUILD}/bin/kv-child"
PAM = f"{BUILD}/bin/ask-pam"
JWT = f"{SOURCE}/examples/ask-jwt/ask_jwt.py"
KEY = b"0123456789abcdef0123456789abcdef"

sys.path.append(os.path.dirname(JWT))
os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
sys.dont_write_bytecode = True
import ask_jwt


def pack(value):
    return base64.urlsafe_b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).rstrip(b"=")


def token(key=KEY, header=None, **payload):
    payload = {"iss": "tests", "aud": "store", "exp": time.time() + 600, "sub": "alice", **payload}
    text = pack(header or {"alg": "HS256", "typ": "JWT"}) + b"." + pack({k: v for k, v in payload.items() if v is not None})
    return text + b"." + pack(hmac.digest(key, text, "sha256"))


class Asking(Case):
    """A store whose clients are let in by a helper, and the helper."""

    def put(self, name, content, mode=0o600):
        path = os.path.join(self.dir, name)
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, mode)
        return path

    def store(self, socket, *rules, **more):
        return {"command": [STORE], "client_listen": f"unix://{self.dir}/store",
                "client_auth": {"use": "ask", "settings": {"socket": socket, **more}},
                "rules": ["allow parent *", *rules, "deny *"]}

    def helper(self, *command, **more):
        return {"command": [*command], "listen": f"unix://{self.dir}/ask", "auth": "peercred", "codec": "json",
                "restart": {"backoff_base": "10ms", "backoff_max": "100ms"}, **more}

    def call(self, message, method, *params):
        """As a client of the store that sends this message to be let in."""
        settings = self.put("settings.json", json.dumps({"auth": {"ask": {"send_file": self.put("message", message)}}}).encode())
        return outboard("call", "--address", f"unix://{self.dir}/store", "--auth", "ask", "--settings", settings, method,
                        *([json.dumps(params)] if params else []))


class Jwt(Asking):
    def test_a_token_is_checked_and_its_claims_are_for_rules(self):
        key = self.put("key", KEY)
        self.write({"store": self.store(f"{self.dir}/ask", "allow claim.role=admin kv.*", "allow kv.get"),
                    "jwt": self.helper(sys.executable, "-B", JWT, key, "tests", "store")})
        self.expect(outboard("check", self.config), OK)
        run = self.run_it()
        run.events(store="ready", jwt="ready")
        self.expect(self.call(token(role="admin"), "kv.set", "a", "b"), OK)
        self.expect(self.call(token(), "kv.get", "a"), OK, '"b"\n')
        self.expect(self.call(token(), "kv.set", "a", "c"), REMOTE)
        self.expect(self.call(token(exp=1), "kv.get", "a"), UNREACHABLE)
        refusal = run.record(lambda r: r.get("msg") == "a connection was refused")
        self.assertIn("refuses: expired", json.dumps(refusal))
        # Who comes by the listener of the parent is not asked for a token.
        self.expect(outboard("call", "--config", self.config, "store", "kv.get", '["a"]'), OK, '"b"\n')
        self.assertEqual(run.end(), OK)

    def test_a_helper_that_is_killed_is_back_for_the_next_client(self):
        key = self.put("key", KEY)
        self.write({"store": self.store(f"{self.dir}/ask", "allow kv.*"),
                    "jwt": self.helper(sys.executable, "-B", JWT, key, "tests", "store")})
        run = self.run_it()
        pid = run.events(store="ready", jwt="ready")["jwt"]["pid"]
        self.expect(self.call(token(), "kv.set", "a", "b"), OK)
        os.kill(pid, signal.SIGKILL)
        run.event("jwt", "ready")
        self.expect(self.call(token(), "kv.get", "a"), OK, '"b"\n')
        self.assertEqual(run.end(), OK)

    def test_bad_tokens(self):
        verifier = ask_jwt.Verifier(KEY, "tests", "store")
        self.assertEqual(verifier.verify(token(role="admin", level=7, deep={}, ok=True, aud=["x", "store"])),
                         ("alice", {"role": "admin", "level": "7"}))
        good = token()
        cases = {
            b"": "three parts", b"a.b": "three parts", b"a.b.c.d": "three parts", b"a=.b.c": "base64url",
            b"ab.cd.ef": "not JSON", pack([]) + b".a.b": "not a JSON object",
            pack(b'{"alg":"HS256","alg":"none"}') + b".a.b": "not JSON",
            good[:-2] + b"AA": "signature", good.rsplit(b".", 1)[0] + b".AA": "signature",
            token(key=bytes(32)): "signature", token(header={"alg": "none"}): "HS256", token(header={"alg": "RS256"}): "HS256",
            token(header={"alg": "HS256", "crit": ["x"]}): "HS256", token(iss="other"): "issuer", token(aud="other"): "audience",
            token(aud=None): "audience", token(exp=None): "exp is missing", token(exp=True): "exp is missing",
            token(exp=float("nan")): "not JSON", token(nbf=float("nan")): "not JSON",
            token(exp=time.time() - 60): "expired", token(nbf=time.time() + 60): "not valid yet", token(nbf="x"): "nbf is",
            token(sub=None): "sub", token(sub="a\nb"): "sub", token(sub="x" * 256): "sub", token(sub=7): "sub",
        }
        for text, reason in cases.items():
            with self.subTest(text), self.assertRaisesRegex(ask_jwt.Refused, reason):
                verifier.verify(text)

    def test_a_key_that_others_may_read_is_refused(self):
        for content, mode in ((KEY, 0o640), (KEY[1:], 0o600)):
            with self.assertRaises(SystemExit):
                ask_jwt.read_key(self.put("key", content, mode))


class Plain(Asking):
    def test_a_program_that_knows_nothing_of_outboard_may_be_the_helper(self):
        command = [sys.executable, "-B", f"{SOURCE}/examples/ask-plain/ask_plain.py", f"{self.dir}/ask"]
        self.write({"store": self.store(f"{self.dir}/ask", 'allow subject="ali baba" claim.cave=open kv.*'),
                    "plain": {"command": command, "ready": {"mode": "none"}}})
        run = self.run_it()
        run.events(store="ready", plain="ready")
        # Nobody says when it listens; until then its clients are refused, and not penalized.
        while (result := self.call(b"sesame", "kv.set", "a", "b")).returncode == UNREACHABLE:
            self.assertIn("refused", result.stderr)
        self.expect(result, OK)
        self.expect(self.call(b"simsalabim", "kv.set", "a", "b"), UNREACHABLE)
        self.assertEqual(run.end(), OK)


CHECK = """#!/bin/sh
read -r password
[ "$PAM_USER" != slow ] || read -r go <{fifo}
[ "$password" = "sesame for $PAM_USER" ]
"""


@unittest.skipUnless(os.path.exists(PAM), "the example ask-pam was not built: libpam0g-dev is not installed")
class Pam(Asking):
    def login(self, user, password):
        return json.dumps({"user": user, "password": password}).encode()

    def test_pam_decides_and_a_login_that_blocks_holds_up_nobody(self):
        """With a service of the test, in which a script looks at the password."""
        os.mkfifo(f"{self.dir}/fifo")
        script = self.put("check", CHECK.format(fifo=f"{self.dir}/fifo").encode(), 0o700)
        os.mkdir(f"{self.dir}/pam")
        self.put("pam/store", f"auth required pam_exec.so expose_authtok quiet {script}\naccount required pam_permit.so\n".encode())
        self.write({"store": self.store(f"{self.dir}/ask", "allow subject=alice kv.*", timeout="1m"),
                    "pam": {"command": [PAM, "store", f"{self.dir}/pam"], "codec": "json",
                            "client_listen": f"unix://{self.dir}/ask", "client_auth": "peercred"}})
        run = self.run_it()
        run.events(store="ready", pam="ready")
        settings = self.put("slow.json", json.dumps(
            {"auth": {"ask": {"send": self.login("slow", "sesame for slow").decode()}}}).encode())
        with subprocess.Popen([f"{BUILD}/bin/outboard", "call", "--address", f"unix://{self.dir}/store", "--auth", "ask",
                               "--settings", settings, "kv.list"], stderr=subprocess.PIPE, text=True) as slow:
            # Opening it waits for the script, which then waits for a line.
            with open(f"{self.dir}/fifo", "w") as fifo:
                self.expect(self.call(self.login("alice", "sesame for alice"), "kv.set", "a", "b"), OK)
                self.expect(self.call(self.login("bob", "sesame for bob"), "kv.get", "a"), REMOTE)
                self.expect(self.call(self.login("alice", "sesame for bob"), "kv.get", "a"), UNREACHABLE)
                self.assertIsNone(slow.poll())
                fifo.write("go\n")
            self.assertIn("permission denied", slow.communicate(timeout=PATIENCE)[1])
        self.expect(self.call(b"sesame", "kv.get", "a"), UNREACHABLE)
        self.assertEqual(run.end(), OK)


class Check(Case):
    """What `check` finds of helpers that are children."""

    def asker(self, name, asked, **more):
        return actor(client_listen=f"unix://{self.dir}/{name}.sock",
                     client_auth={"use": "ask", "settings": {"socket": f"{self.dir}/{asked}.sock", **more}})

    def faults(self, **children):
        self.write(children)
        result = outboard("check", "--json", self.config)
        return [(fault["key"], fault["reason"]) for fault in json.loads(result.stdout)]

    def test_helpers_that_need_each_other(self):
        faults = self.faults(a=self.asker("a", "b"), b=self.asker("b", "c"), c=self.asker("c", "b"), d=self.asker("d", "d"))
        self.assertEqual(faults, [
            ("children.b.client_auth", 'asks "c", which asks "b": in a circle, no helper can let another in'),
            ("children.d.client_auth", 'asks "d": in a circle, no helper can let another in'),
            ("children.a.client_auth", 'asks "b", whose client_auth must be "peercred" alone: ask shows no secret')])

    def test_a_helper_must_let_ask_in(self):
        def helper(**more):
            return actor(listen=f"unix://{self.dir}/x%20y.sock", **more)
        asker = self.asker("a", "x y")
        self.assertEqual(self.faults(a=asker, x=helper()), [
            ("children.a.client_auth", 'asks "x", whose auth must be "peercred" alone: ask shows no secret')])
        self.assertEqual(self.faults(a=asker, x=helper(auth="peercred")), [
            ("children.a.client_auth", 'asks "x" with the codec json, which has the codec msgpack')])
        self.assertEqual(self.faults(a=asker, x=helper(auth="peercred", codec="json")), [])
        self.assertEqual(self.faults(a=self.asker("a", "x y", codec="msgpack"), x=helper(auth=["peercred"])), [])
        self.assertEqual(self.faults(a=self.asker("a", "elsewhere")), [])

    def test_its_place_and_its_settings(self):
        ask = {"use": "ask", "settings": {"socket": "/s"}}
        key, reason = self.faults(a=actor(auth=[ask, "token"]))[0]
        self.assertEqual(key, "children.a.auth")
        self.assertIn("authenticator ask may only be in client_auth", reason)
        key, reason = self.faults(a=actor(client_listen="tcp://127.0.0.1:0", client_auth=[ask], allow_plaintext=True))[0]
        self.assertIn("authenticator ask is refused on transport tcp without encryption", reason)
        faults = self.faults(a=actor(client_listen=f"unix://{self.dir}/a", client_auth={"use": "ask", "settings": {"send": "x"}}))
        self.assertEqual(faults, [("children.a.client_auth", "ask: socket: required where clients come in")])
        key, reason = self.faults(a=self.asker("a", "b", user="no-such-user-here"))[0]
        self.assertIn("auth ask: settings: user: no user no-such-user-here", reason)


class PluginCheck(Case):
    def test_the_suite_through_a_real_helper(self):
        with subprocess.Popen([sys.executable, "-IBS", f"{SOURCE}/tests/support/asked.py", f"{self.dir}/ask"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as helper:
            helper.stdin.write("start\n")
            helper.stdin.flush()
            self.assertIn("ready", helper.stdout.readline())
            settings = f"{self.dir}/settings.json"
            with open(settings, "w") as file:
                json.dump({"settings": {"socket": f"{self.dir}/ask"}, "child_settings": {"socket": f"{self.dir}/ask"}}, file)
            result = outboard("plugin", "check", "--settings", settings, f"{BUILD}/plugins/ask.so")
            helper.communicate(timeout=PATIENCE)
        self.expect(result, OK)
        self.assertIn(" 0 broken", result.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
