# SPDX-License-Identifier: MIT
"""outboard call: parameters from files, plugins, names of children, the data of errors, and results that cannot be printed."""
import json
import os
import socket
import subprocess
import threading
import unittest

from command import BUILD, OK, OUTBOARD, PATIENCE, REMOTE, UNKNOWN, UNPRINTED, UNREACHABLE, USAGE, Case, outboard


class WithChild(Case):
    def setUp(self):
        super().setUp()
        self.write({"a": []})
        self.run_once = self.run_it()
        self.run_once.event("a", "ready")
        self.target = f"{self.root}/a"

    def tearDown(self):
        self.run_once.end()
        super().tearDown()

    def call(self, *args, data="", **more):
        return subprocess.run([OUTBOARD, "call", *args], input=data, capture_output=True, text=True, timeout=PATIENCE,
                              **more)

    def file(self, text):
        path = f"{self.dir}/params.json"
        with open(path, "w") as file:
            file.write(text)
        return path


class Params(WithChild):
    def test_from_standard_input_and_files(self):
        for text, result in ('[{"a":[1.0]}]', '{"a":[1.0]}'), ('"hi"\n', '"hi"'), ("\n  [7]\n", "7"):
            for args, data in ((["-"], text), ([f"@{self.file(text)}"], ""), (["@-"], text), (["@/dev/stdin"], text)):
                self.expect(self.call(self.target, "act.echo", *args, data=data), OK, f"{result}\n", "")

    def test_larger_than_an_argument_may_be(self):
        text = json.dumps(["x" * (3 << 20)])
        for result in (self.call(self.target, "act.echo", "-", data=text),
                       self.call(self.target, "act.echo", f"@{self.file(text)}")):
            self.expect(result, OK, None, "")
            self.assertEqual(len(result.stdout), (3 << 20) + 3)

    def test_what_is_too_large_is_not_sent(self):
        result = self.call(self.target, "act.echo", "-", data=json.dumps(["x" * (5 << 20)]))
        self.expect(result, USAGE, "")
        with open("/dev/zero") as endless:
            result = subprocess.run([OUTBOARD, "call", self.target, "act.echo", "-"], stdin=endless, capture_output=True,
                                    text=True, timeout=PATIENCE)
        self.expect(result, USAGE, "", "outboard: call: standard input: is larger than 64 MiB\n")

    def test_what_is_no_json_has_a_place(self):
        path = self.file('{"a": 1,\n "b": 2,}')
        for args, place in (([f"@{path}"], f"{path}:2:8: trailing comma"),
                            (["-"], "standard input:1:1: the text is empty"),
                            (["[1,]"], "the JSON argument:1:3: trailing comma"),
                            (["@"], ": cannot be read: No such file or directory"),
                            ([f"@{self.dir}"], f"{self.dir}: cannot be read: Is a directory")):
            result = self.call(self.target, "act.echo", *args)
            self.expect(result, USAGE, "", f"outboard: call: {place}\n")


class Plugins(WithChild):
    def setUp(self):
        super().setUp()
        self.bare = {**os.environ, "OUTBOARD_PLUGIN_PATH": f"{self.dir}/nothing"}

    def test_the_path_of_plugins(self):
        for args in ([], ["--plugin-path", f"{self.dir}/none:{self.dir}"]):
            result = self.call(self.target, "act.echo", *args, env=self.bare)
            self.assertNotEqual(result.returncode, OK)
            self.assertEqual(result.stdout, "")
        for path in f"{BUILD}/plugins", f"{self.dir}/none:{BUILD}/plugins":
            self.expect(self.call(self.target, "act.echo", "1", "--plugin-path", path, env=self.bare), OK, "1\n", "")

    def test_the_path_of_the_config(self):
        self.write({"a": []}, plugin_path=[f"{BUILD}/plugins"])
        address = ["--address", f"unix://{self.root}/run.sock", "--auth", "peercred", "run.status"]
        self.expect(self.call(*address, env=self.bare), USAGE, "")
        for args in [self.target, "act.echo"], address:
            self.expect(self.call("--config", self.config, *args, env=self.bare), OK, None, "")

    def test_a_child_by_its_name(self):
        for target in "a", self.target:
            self.expect(self.call("--config", self.config, target, "act.echo", "2"), OK, "2\n", "")
        with open(self.config) as file:
            self.expect(self.call("--config", "-", "a", "act.echo", "2", data=file.read()), OK, "2\n", "")
        result = self.call("--config", self.config, "b", "act.echo")
        self.expect(result, USAGE, "")
        self.assertIn('has no child "b"', result.stderr)
        for params in "-", "@-":
            self.assertIn("only one of", self.call("--config", "-", "a", "act.echo", params).stderr)
        self.write({"a": {"command": 1}})
        result = self.call("--config", self.config, "a", "act.echo")
        self.expect(result, USAGE, "")
        self.assertIn("children.a.command", result.stderr)


class Results(WithChild):
    def into_full(self, *args, data=""):
        with open("/dev/full", "w") as full:
            result = subprocess.run([OUTBOARD, *args], input=data, stdout=full, stderr=subprocess.PIPE, text=True,
                                    timeout=PATIENCE)
        self.assertEqual(result.returncode, UNPRINTED, result.stderr)
        return result.stderr

    def test_fault_110_a_result_that_cannot_be_printed_is_5(self):
        for size in 3, 1 << 20:
            self.assertEqual(self.into_full("call", self.target, "act.echo", "-", data=json.dumps("x" * size)),
                             "outboard: act.echo: was executed, but the result cannot be printed: "
                             "No space left on device\n")
        self.into_full("call", "--address", f"unix://{self.root}/run.sock", "--auth", "peercred", "run.stop", '["a"]')
        self.assertEqual(self.status()["a"]["state"], "stopped")

    def test_fault_110_a_request_whose_outcome_cannot_be_printed_is_5(self):
        self.assertIn("No space left", self.into_full("stop", "--config", self.config))
        self.assertEqual(self.status()["a"]["state"], "stopped")

    def test_fault_110_a_reader_that_is_gone_is_5(self):
        reader, writer = os.pipe()
        os.close(reader)
        result = subprocess.run([OUTBOARD, "call", self.target, "act.echo", "1"], stdout=writer, stderr=subprocess.PIPE,
                                text=True, timeout=PATIENCE)
        os.close(writer)
        self.assertEqual(result.returncode, UNPRINTED)
        self.assertIn("Broken pipe", result.stderr)


class Refused(Case):
    """With peercred alone a refused connection is open at first: it must not look like a call that was lost."""

    def answer(self, method, reply):
        path = f"{self.dir}/s.sock"
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)
            server.listen()
            server.settimeout(PATIENCE)
            seen = []

            def serve():
                connection, _ = server.accept()
                with connection, connection.makefile("rw") as file:
                    for line in file:
                        seen.append(json.loads(line)["method"])
                        if seen[-1] == method:
                            return
                        file.write(json.dumps({"jsonrpc": "2.0", "id": json.loads(line)["id"], **reply}) + "\n")
                        file.flush()

            thread = threading.Thread(target=serve)
            thread.start()
            result = outboard("call", "--address", f"unix://{path}", "--codec", "json", "--auth", "peercred", "x.y")
            thread.join()
        os.unlink(path)
        return result.returncode, seen

    def test_a_connection_that_ends_before_the_call_is_3_and_after_it_4(self):
        denied = {"error": {"code": -32005, "message": "denied"}}
        self.assertEqual(self.answer("outboard.ping", {}), (UNREACHABLE, ["outboard.ping"]))
        for code in -32000, -32006:  # refused; ending
            self.assertEqual(self.answer("", {"error": {"code": code, "message": "no"}}),
                             (UNREACHABLE, ["outboard.ping"]))
        for reply in {"result": True}, denied:
            self.assertEqual(self.answer("x.y", reply), (UNKNOWN, ["outboard.ping", "x.y"]))


class Foreign(Case):
    """A JSON-RPC server of another make, which answers a call as the test says."""

    def answer(self, reply):
        path = f"{self.dir}/s.sock"
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)
            server.listen()
            server.settimeout(PATIENCE)

            def serve():
                connection, _ = server.accept()
                with connection, connection.makefile("rw") as file:
                    request = json.loads(file.readline())
                    if reply is not None:
                        file.write(json.dumps({"jsonrpc": "2.0", "id": request["id"], **reply}) + "\n")
                        file.flush()
                        file.read()  # until the command has ended

            thread = threading.Thread(target=serve)
            thread.start()
            result = outboard("call", "--address", f"unix://{path}", "--codec", "json", "--auth", "none", "x.y")
            thread.join()
        os.unlink(path)
        return result

    def error(self, code, **more):
        return self.answer({"error": {"code": code, "message": "no", **more}})

    def test_the_data_of_an_error_is_printed(self):
        for data, shown in (("column 17\x1b\u009b", '"column 17\\u001b\\u009b"'), ({"a": [1, None]}, '{"a":[1,null]}'),
                            (0, "0"), ("x" * 5000, json.dumps("x" * 5000))):
            self.expect(self.error(7, data=data), REMOTE, "", f"outboard: x.y: no (error 7)\noutboard: data: {shown}\n")
        for more in {}, {"data": None}:
            self.expect(self.error(7, **more), REMOTE, "", "outboard: x.y: no (error 7)\n")

    def test_errors_tell_whether_the_call_was_executed(self):
        for code, status in ((7, REMOTE), (-32601, REMOTE), (-32602, REMOTE), (-32603, REMOTE), (-32004, REMOTE),
                             (-32000, UNREACHABLE), (-32001, UNREACHABLE), (-32006, UNKNOWN)):
            self.expect(self.error(code), status, "", f"outboard: x.y: no (error {code})\n")
        self.expect(self.answer(None), UNKNOWN, "")

    def test_a_result_is_a_result(self):
        self.expect(self.answer({"result": [1.0, "é"]}), OK, '[1.0,"é"]\n', "")


if __name__ == "__main__":
    unittest.main(verbosity=2)
