# SPDX-License-Identifier: MIT
"""How a config is read: the place of each fault, pipes in place of files, the variables of `env`, and warnings."""
import json
import os
import subprocess
import threading
import unittest

from command import ACTOR, OK, OUTBOARD, PATIENCE, UNREACHABLE, USAGE, Case, outboard

BOM = "begins with a byte order mark"

# Bytes, and the place and the reason of the only fault.
BROKEN = [
    (b'{\n  "data_root": "/x",\n  "children": {\n    "x": {"command": ["sleep", "9"],}\n  }\n}\n', "4:36: trailing comma"),
    (b'{\n  "children": {},\n}', "2:17: trailing comma"),
    (b'\xef\xbb\xbf{"children": {}}', f"1:1: {BOM}: save it as UTF-8 without one"),
    ('{"children": {}}'.encode("utf-16"), f"1:1: {BOM} of UTF-16: save it as UTF-8 without one"),
    (b'{\n  // the root\n  "data_root": "/x"}', "2:3: not a value: JSON has no comments"),
    (b'{"data_root": "/x",\r\n"children": {},\r\n  "data_root": "/y"}', "3:3: duplicate key in an object"),
    ('{"data_root": "/é", "children": {}, \'x\': 1}'.encode(), "1:37: not a value: strings are in double quotes"),
    (b'{"data_root": "/x"\n"children": {}}', "2:1: ',' is missing"),
    (b'{"children":\n', "2:1: unexpected end"),
    (b"", "1:1: the text is empty"),
]

FAULTY = """{
  "data_root": "root",
  "children": {
    "web": {
      "command": ["x",
        7],
      "stop": {"timeout": "3s",
               "signal": "SIGFOO"},
      "éé": 1, "user": 5
    },
    "a.b": {"data_path": "/x"}
  }
}
"""
PLACES = [
    "2:3: data_root: must be an absolute path",
    "6:9: children.web.command.1: must be a string",
    "8:16: children.web.stop.signal: must be a signal, such as \"SIGTERM\"",
    "9:7: children.web.éé: is not a known key",
    "9:16: children.web.user: must be a string",
    "11:5: children.a.b.command: is required",
]


class Config(Case):
    def text(self, text):
        with open(self.config, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())

    def child(self, **more):
        self.write({"x": {"command": ["sleep", "1000"], "ready": {"mode": "none"}, **more}})


class Places(Config):
    def test_a_text_that_is_not_json(self):
        for text, fault in BROKEN:
            with self.subTest(text):
                self.text(text)
                self.expect(outboard("check", self.config), USAGE, "", f"{self.config}:{fault}\n")
                line, column, reason = fault.split(":", 2)
                self.assertEqual(json.loads(outboard("check", "--json", self.config).stdout),
                                 [{"file": self.config, "line": int(line), "column": int(column), "key": "",
                                   "reason": reason[1:]}])

    def test_every_fault_of_the_content(self):
        self.text(FAULTY)
        want = "".join(f"{self.config}:{fault}\n" for fault in PLACES)
        for command in ("check",), ("run",), ("status",), ("stop", "--config"):
            result = outboard(*command, self.config)
            self.expect(result, USAGE, None, want)

    def test_faults_and_warnings_that_the_system_knows(self):
        self.text('{"data_root": "%s", "children": {\n"a": {"command": ["sh"],\n"user": "no-such-user-here"},\n'
                  '"b": {"command": ["/no/such/program"],\n"health": {"interval": "1ms"}}}}' % self.root)
        lines = [line[len(self.config):] for line in outboard("check", self.config).stderr.splitlines()]
        self.assertEqual([line.split(": ")[:2] for line in lines],
                         [[":5:12", "warning"], [":3:1", "children.a.user"], [":4:7", "children.b.command"]], lines)

    def test_what_is_no_utf8_does_not_hide_the_faults(self):
        """Names of files may be any bytes, and messages and keys are cut within a character."""
        name = f"{self.dir}/\udcff.json"
        for more in {"env": {"A": "${x" + "é" * 50 + "}"}}, {"x" + "é" * 200: 1}, {"user": "é" * 600}:
            self.child(**more)
            os.rename(self.config, name)
            result = outboard("check", "--json", name)
            self.expect(result, USAGE, None, "")
            [fault] = json.loads(result.stdout)
            self.assertEqual(fault["file"], f"{self.dir}/\ufffd.json")
            self.assertTrue(fault["key"].startswith("children.x."), fault)
            self.assertIn("\ufffd", fault["key"] + fault["reason"])

    def test_each_fault_is_one_write(self):
        self.text('{"children": {"x": {"command": 1, "user": 2}}, "é": 3}')
        reader, writer = os.pipe2(os.O_DIRECT)  # a read gives what one write has put there
        with os.fdopen(writer, "wb") as pipe:
            subprocess.run([OUTBOARD, "check", self.config], stderr=pipe, timeout=PATIENCE)
        with os.fdopen(reader, "rb", buffering=0) as pipe:
            writes = list(iter(lambda: pipe.read(4096), b""))
        self.assertEqual([write.count(b"\n") for write in writes], [1] * 4, writes)
        self.assertTrue(all(write.endswith(b"\n") for write in writes), writes)

    def test_no_place_without_a_text(self):
        missing = f"{self.dir}/missing"
        self.assertEqual(json.loads(outboard("check", "--json", missing).stdout),
                         [{"file": missing, "line": None, "column": None, "key": "",
                           "reason": "cannot be read: No such file or directory"}])


class Pipes(Config):
    def check_fd(self, data, *args):
        """`check /dev/fd/N`, with a pipe there."""
        reader, writer = os.pipe()
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(data)
        try:
            return outboard("check", f"/dev/fd/{reader}", *args, pass_fds=[reader])
        finally:
            os.close(reader)

    def test_standard_input(self):
        self.child()
        for name, shown in ("-", "standard input"), ("/dev/stdin", "/dev/stdin"):
            for data, status, out, err in ((open(self.config, "rb").read(), OK, f"{shown}: fine, 1 child\n", ""),
                                           (b"{\n,", USAGE, "", f"{shown}:2:1: a key is missing\n")):
                result = subprocess.run([OUTBOARD, "check", name], input=data, capture_output=True, timeout=PATIENCE)
                self.assertEqual((result.returncode, result.stdout.decode(), result.stderr.decode()), (status, out, err))

    def test_a_pipe_as_the_shell_makes_it(self):
        self.child()
        with open(self.config, "rb") as file:
            result = self.check_fd(file.read())
        self.assertEqual((result.returncode, result.stderr), (OK, ""))
        result = self.check_fd(b"{} {}")
        self.assertEqual(result.returncode, USAGE)
        self.assertRegex(result.stderr, r"^/dev/fd/\d+:1:4: unexpected text after the value\n$")

    def test_a_fifo_is_read_when_its_writer_comes(self):
        self.child()
        fifo = f"{self.dir}/fifo"
        os.mkfifo(fifo)
        check = subprocess.Popen([OUTBOARD, "check", fifo], stdout=subprocess.PIPE)
        with open(self.config, "rb") as file, open(fifo, "wb") as pipe:  # opens when the reader does
            pipe.write(file.read())
        self.assertEqual(check.communicate(timeout=PATIENCE)[0].decode(), f"{fifo}: fine, 1 child\n")
        self.assertEqual(check.returncode, OK)

    def test_what_has_no_end_is_read_up_to_the_limit(self):
        endless = subprocess.Popen(["yes", "[1,"], stdout=subprocess.PIPE)
        with endless:
            result = subprocess.run([OUTBOARD, "check", "-"], stdin=endless.stdout, capture_output=True, text=True,
                                    timeout=PATIENCE)
            endless.stdout.close()
        self.expect(result, USAGE, "", "standard input: is larger than 16 MiB\n")

    def test_a_text_at_the_limit(self):
        text = b'{"data_root": "/x", "children": {}}'
        for size, status in (16 << 20, OK), ((16 << 20) + 1, USAGE):
            self.text(text + b" " * (size - len(text)))
            self.assertEqual(outboard("check", self.config).returncode, status)

    def test_the_commands_take_a_pipe(self):
        self.child()
        with open(self.config) as file:
            config = file.read()

        def with_input(*args):
            return subprocess.run([OUTBOARD, *args], input=config, capture_output=True, text=True, timeout=PATIENCE)

        os.rename(self.config, f"{self.dir}/elsewhere")
        os.mkfifo(self.config)
        feeder = threading.Thread(target=lambda: open(self.config, "w").write(config))
        feeder.start()
        run = self.run_it()
        feeder.join()
        run.event("x", "ready")
        for target in "-", "/dev/stdin":
            status = with_input("status", "--json", target)
            self.expect(status, OK, None, "")
            self.assertEqual([row["state"] for row in json.loads(status.stdout)], ["ready"])
        self.expect(with_input("stop", "--config", "-", "x"), OK, "x: stopped\n", "")
        self.assertEqual(run.end(), OK)
        self.expect(with_input("stop", "--config", "-"), UNREACHABLE, "")
        self.expect(with_input("status", "--state", "/x", "-"), USAGE)


class Environment(Config):
    def setUp(self):
        super().setUp()
        self.environ = {**os.environ, "OB_ONE": "1 $$ ${OB_ONE}"}
        self.environ.pop("OB_NONE", None)

    def test_values_of_env_reach_the_child(self):
        script = 'printf "%s|" "$A" "$B" "$C"; echo; exec sleep 1000'
        self.write({"x": {"command": ["/bin/sh", "-c", script], "ready": {"mode": "none"},
                          "env": {"A": "<${OB_ONE}>", "B": "$${OB_ONE}", "C": "5 $$"}}})
        run = self.run_it(env=self.environ)
        record = run.record(lambda r: r.get("outboard") == "x" and "msg" in r and "|" in r["msg"])
        self.assertEqual(record["msg"], "<1 $$ ${OB_ONE}>|${OB_ONE}|5 $|")
        self.assertEqual(run.end(), OK)

    def test_what_refers_to_nothing_is_a_fault(self):
        for value, reason in (("${OB_NONE}", "the variable OB_NONE is not set in the environment"),
                              ("$OB_ONE", 'has a single "$"'), ("${OB_ONE", 'has "${" without "}"')):
            self.child(env={"A": value})
            for command in "check", "run":
                result = outboard(command, self.config, env=self.environ)
                self.expect(result, USAGE, "")
                self.assertRegex(result.stderr, r":1:\d+: children\.x\.env\.A: ")
                self.assertIn(reason, result.stderr)

    def test_who_looks_for_the_supervisor_needs_no_variables(self):
        self.child(env={"A": "${OB_ONE}"})
        run = self.run_it(env=self.environ)
        run.event("x", "ready")
        other = {name: value for name, value in self.environ.items() if name != "OB_ONE"}
        self.expect(outboard("check", self.config, env=other), USAGE, "")
        self.expect(outboard("status", self.config, env=other), OK, None, "")
        self.expect(outboard("stop", "--config", self.config, env=other), OK, "x: stopped\n", "")
        self.assertEqual(run.end(), OK)

    def test_the_path_of_env_is_searched(self):
        tool = f"{self.dir}/bin/ob-tool-of-the-child"
        os.mkdir(os.path.dirname(tool))
        with open(tool, "w") as file:
            file.write("#!/bin/sh\necho found\nexec sleep 1000\n")
        os.chmod(tool, 0o755)
        command = {"command": [os.path.basename(tool)], "ready": {"mode": "none"}}
        self.write({"x": {**command, "env": {"PATH": f"{self.dir}/bin:${{PATH}}"}}})
        self.expect(outboard("check", self.config), OK, None, "")
        run = self.run_it()
        run.record(lambda r: r.get("outboard") == "x" and r.get("msg") == "found")
        self.assertEqual(run.end(), OK)
        self.write({"x": command})
        plain = {**os.environ, "PATH": "/usr/bin:/bin"}  # a directory that may not be entered would make it EACCES
        self.assertIn("in PATH of the parent: No such file", outboard("check", self.config, env=plain).stderr)
        self.write({"x": {"command": ["sh"], "env": {"PATH": "/nonexistent"}}})
        self.assertIn("in PATH of its env: No such file", outboard("check", self.config).stderr)


class Warnings(Config):
    BUSY = [
        ({"restart": {"backoff_base": "0s"}}, "restart.backoff_base"),
        ({"restart": {"backoff_base": "1ms", "on": "failure"}}, "restart.backoff_base"),
        ({"restart": {"backoff_base": "20ms", "backoff_max": "50ms"}}, "restart.backoff_max"),
        ({"restart": {"backoff_max": "99ms"}}, "restart.backoff_max"),
        ({"restart": {"backoff_base": "10s", "reset_window": "10s", "max_restarts": 3}}, "restart.reset_window"),
        ({"restart": {"backoff_base": "99ms", "reset_window": "50ms"}}, "restart.reset_window"),
        ({"restart": {"backoff_base": "20ms", "reset_window": "60ms"}}, "restart.reset_window"),
        ({"restart": {"backoff_base": "50ms", "reset_window": "300ms", "max_restarts": 5}}, "restart.reset_window"),
        ({"restart": {"backoff_base": "50ms", "reset_window": "50ms", "max_restarts": 1}}, "restart.reset_window"),
        ({"health": {"interval": "99ms"}}, "health.interval"),
    ]
    CALM = [
        {"restart": {"backoff_base": "1h"}},  # longer than the default window; nobody waits for a count
        {"restart": {"backoff_base": "100ms", "reset_window": "50ms"}},
        {"restart": {"backoff_base": "0s", "on": "never"}},
        {"restart": {"backoff_base": "0s", "max_restarts": 3}},
        {"restart": {"backoff_base": "0s", "max_restarts": -1}},
        {"restart": {"backoff_base": "10ms", "backoff_max": "0s", "reset_window": "0s"}},
        {"restart": {"backoff_max": "100ms"}},
        {"restart": {"backoff_base": "50ms", "reset_window": "300ms", "max_restarts": 3}},  # 50, 100, 200
        {"restart": {"backoff_base": "50ms", "reset_window": "300ms", "backoff_max": "299ms", "max_restarts": 9}},
        {"restart": {"backoff_base": "50ms", "reset_window": "300ms", "max_restarts": 5, "jitter": 0.7}},
        {"health": {"interval": "100ms"}},
        {"health": {"interval": "0s"}},
    ]

    def test_what_has_no_pause_is_a_warning(self):
        for more, key in self.BUSY:
            with self.subTest(more):
                self.child(**more)
                result = outboard("check", self.config)
                self.expect(result, OK, f"{self.config}: fine, 1 child\n")
                self.assertRegex(result.stderr, rf"^{self.config}:1:\d+: warning: children\.x\.{key}: [^\n]+\n$")

    def test_what_has_one_is_not(self):
        for more in self.CALM:
            with self.subTest(more):
                self.child(**more)
                self.expect(outboard("check", "--strict", self.config), OK, f"{self.config}: fine, 1 child\n", "")

    def test_strict_makes_warnings_faults(self):
        self.child(health={"interval": "1ms"})
        lenient = outboard("check", self.config)
        self.expect(lenient, OK)
        self.expect(outboard("check", "--strict", self.config), USAGE, "", lenient.stderr.replace("warning: ", ""))
        faults = json.loads(outboard("check", "--strict", "--json", self.config).stdout)
        self.assertEqual([fault["key"] for fault in faults], ["children.x.health.interval"])
        self.expect(outboard("check", "--json", self.config), OK, "[]\n", "")

    def test_one_warning_for_a_child_without_encryption(self):
        tcp = {"command": [ACTOR], "listen": "tcp://127.0.0.1:7001", "connect": "tcp://127.0.0.1:7002",
               "auth": ["token"], "allow_plaintext": True}
        self.write({"a": tcp, "b": {**tcp, "listen": "chaos+tcp://127.0.0.1:7003", "connect": "tcp://127.0.0.1:7004"}})
        lines = outboard("check", self.config).stderr.splitlines()
        self.assertEqual([line.split(": ")[1:3] for line in lines],
                         [["warning", "children.a.allow_plaintext"], ["warning", "children.b.allow_plaintext"]])


if __name__ == "__main__":
    unittest.main(verbosity=2)
