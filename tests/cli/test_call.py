# SPDX-License-Identifier: MIT
"""outboard call: results as JSON, and an exit status for each way to fail."""
import json
import os
import signal
import socket
import subprocess
import time
import unittest

from command import OK, OUTBOARD, REMOTE, UNKNOWN, UNREACHABLE, USAGE, Case, outboard


class Call(Case):
    def setUp(self):
        super().setUp()
        self.write({"a": []})
        self.run_once = self.run_it()
        self.pid = self.run_once.event("a", "ready")["pid"]
        self.target = f"{self.root}/a"
        self.address = f"unix://{self.root}/a/rpc.sock"

    def tearDown(self):
        if self.run_once.process.poll() is None:
            self.run_once.end()
        super().tearDown()

    def call(self, *args):
        return outboard("call", *args)

    def token(self, mode=0o600):
        with open(f"{self.target}/outboard.json") as file:
            token = json.load(file)["token"]
        path = os.path.join(self.dir, "token")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, mode), "w") as file:
            file.write(token + "\n")
        return path

    @unittest.skipIf(os.geteuid() != 0, "needs root")
    def test_root_believes_no_state_of_another_user(self):
        """Who wrote it chose what root would call."""
        state = f"{self.root}/.state/a/state.json"
        os.chown(state, 12345, 12345)
        result = self.call(self.target, "act.echo", "[1]")
        self.expect(result, USAGE, "")
        self.assertIn("there is no state.json that belongs to user 0, who asks", result.stderr)
        os.chown(state, 0, 0)
        self.expect(self.call(self.target, "act.echo", "[1]"), OK, "1\n")

    def test_results_are_exact_json(self):
        for value in ('{"b":1,"a":[1.0,null,true]}', "18446744073709551615", "-9223372036854775808", '"\\u0000é"', "0.1",
                      "[]", "1e100"):
            result = self.call(self.target, "act.echo", f"[{value}]")
            self.expect(result, OK, None, "")
            self.assertEqual(json.loads(result.stdout), json.loads(value))
        self.expect(self.call(self.target, "act.echo", "[1.0]"), OK, "1.0\n")

    def test_a_single_value_is_the_only_parameter(self):
        self.expect(self.call(self.target, "act.echo", '"hi"'), OK, '"hi"\n')
        self.expect(self.call(self.target, "act.echo"), OK, "null\n")
        self.expect(self.call(self.target, "outboard-control.checkVersion", '{"expected_version":0}'), OK,
                    '{"current_version":0,"needs_restart":false}\n')

    def test_an_error_of_the_remote_side_is_1(self):
        result = self.call(self.target, "act.nothing")
        self.expect(result, REMOTE, "")
        self.assertIn("-32601", result.stderr)
        result = self.call(self.target, "nobody.nothing")
        self.expect(result, REMOTE, "")
        self.assertIn("unknown object: nobody", result.stderr)

    def test_bad_json_is_2(self):
        for text in "{", "[1,]", "nan", '{"a":1,"a":2}', "1 2":
            result = self.call(self.target, "act.echo", text)
            self.expect(result, USAGE, "")
            self.assertIn("the JSON argument", result.stderr)

    def test_bad_words_and_options_are_2(self):
        for args in ([], [self.target], [self.target, "act.echo", "1", "2"], ["--address", self.address],
                     [self.target, "act.echo", "--codec", "msgpack"], [self.target, "act.echo", "--timeout", "5"],
                     [self.target, "act.echo", "--timeout"], [self.target, "act.echo", "--unknown"],
                     ["--address", self.address, "--auth", "nonsense", "act.echo"],
                     ["--address", self.address, "--codec", "nonsense", "act.echo"],
                     ["--address", "no address", "act.echo"], ["--address", "gopher://x", "act.echo"]):
            result = self.call(*args)
            self.expect(result, USAGE, "")
            self.assertNotEqual(result.stderr, "")

    def test_no_server_is_3(self):
        empty = os.path.join(self.dir, "empty")
        os.mkdir(empty, 0o700)
        for args in ([f"{self.dir}/nothing", "act.echo"], [empty, "act.echo"],
                     ["--address", f"unix://{self.dir}/no.sock", "--auth", "peercred", "act.echo"]):
            result = self.call(*args)
            self.expect(result, UNREACHABLE, "")
            self.assertNotEqual(result.stderr, "")

    def test_a_stopped_child_is_3(self):
        self.expect(outboard("stop", "--config", self.config, "a"), OK)
        result = self.call(self.target, "act.echo")
        self.expect(result, UNREACHABLE, "")
        self.assertIn("no child is running", result.stderr)

    def test_by_address_with_the_token(self):
        self.expect(self.call("--address", self.address, "--token-file", self.token(), "act.echo", "7"), OK, "7\n", "")
        self.expect(self.call("act.echo", "7", "--token-file", self.token(), "--auth=peercred,token", "--codec=msgpack",
                              f"--address={self.address}"), OK, "7\n", "")

    def test_a_wrong_token_is_3(self):
        path = os.path.join(self.dir, "wrong")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write("0" * 64)
        self.expect(self.call("--address", self.address, "--token-file", path, "act.echo"), UNREACHABLE, "")

    def test_no_authentication_must_be_requested_by_name(self):
        """A child requires its token, by default and with `none`."""
        nothing = self.call("--address", self.address, "act.echo")
        self.expect(nothing, USAGE, "")
        self.assertIn("--token-file", nothing.stderr)
        self.expect(self.call("--address", self.address, "--auth", "none", "act.echo"), UNREACHABLE, "")

    def test_none_is_for_foreign_servers(self):
        """A foreign server receives a plain MessagePack-RPC request and nothing before it."""
        path = os.path.join(self.dir, "foreign.sock")
        with socket.socket(socket.AF_UNIX) as server:
            server.settimeout(60)
            server.bind(path)
            server.listen()
            call = subprocess.Popen([OUTBOARD, "call", "--address", f"unix://{path}", "--auth", "none", "sum", "[1, 2]"],
                                    stdout=subprocess.PIPE)
            peer, _ = server.accept()
            with peer:
                peer.settimeout(60)
                request = peer.recv(4096)
                self.assertEqual(request[:2], b"\x94\x00")
                self.assertEqual(request[-7:], b"\xa3sum\x92\x01\x02")
                peer.sendall(b"\x94\x01" + request[2:-7] + b"\xc0\x03")
                self.assertEqual(call.communicate(timeout=60), (b"3\n", None))
        self.assertEqual(call.returncode, OK)

    def test_a_token_file_of_any_length_is_read_within_its_bounds(self):
        path = os.path.join(self.dir, "token")
        for length in (4095, 4096, 4097):
            with open(path, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                file.write("a" * length)
            result = self.call("--address", self.address, "--token-file", path, "act.echo")
            self.assertNotEqual(result.returncode, OK)
            self.assertIn(path if length > 4095 else "token", result.stderr)

    def test_a_token_file_that_others_can_read_is_refused(self):
        path = self.token()
        os.chmod(path, 0o644)
        result = self.call("--address", self.address, "--token-file", path, "act.echo")
        self.expect(result, USAGE, "")
        self.assertIn("accessible to group or others", result.stderr)

    def test_a_timeout_after_the_call_was_sent_is_4(self):
        began = time.monotonic()
        result = self.call(self.target, "act.keep", "--timeout", "2s")
        self.expect(result, UNKNOWN, "")
        self.assertLess(time.monotonic() - began, 20)

    def test_a_connection_that_breaks_is_4(self):
        result = self.call(self.target, "act.exit", "0")
        self.expect(result, UNKNOWN, "")

    def test_a_hung_child_cannot_be_reached(self):
        os.kill(self.pid, signal.SIGSTOP)
        result = self.call(self.target, "act.echo", "--timeout", "300ms")
        os.kill(self.pid, signal.SIGCONT)
        self.expect(result, UNREACHABLE, "")

    def test_fault_86_a_result_cannot_command_the_terminal(self):
        text = "a\x1b[2J\x7f\u009b2J\u202e\u2066z caf\u00e9"
        self.expect(self.call(self.target, "act.echo", json.dumps([text])), OK,
                    '"a\\u001b[2J\\u007f\\u009b2J\\u202e\\u2066z caf\u00e9"\n')

    def test_fault_86_an_error_cannot_command_the_terminal(self):
        result = self.call(self.target, "act.\x1b[2J")
        self.expect(result, REMOTE, "")
        self.assertNotIn("\x1b", result.stderr)
        self.assertIn("\\x1b[2J", result.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
