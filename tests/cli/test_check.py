# SPDX-License-Identifier: MIT
"""outboard check: every fault at once, each with file, key and reason. Nothing is made."""
import json
import os
import unittest

from command import ACTOR, OK, USAGE, Case, outboard

# A child, and the key and a part of the reason of each of its faults, in order.
CHILDREN = [
    ({"command": "x"}, [("command", "must be")]),
    ({"command": []}, [("command", "")]),
    ({}, [("command", "is required")]),
    ({"command": [ACTOR], "comand": []}, [("comand", "")]),
    ({"command": [ACTOR], "env": {"A=": "1"}}, [("env", "")]),
    ({"command": [ACTOR], "env_clear": "yes"}, [("env_clear", "")]),
    ({"command": [ACTOR], "data_path": "relative"}, [("data_path", "absolute")]),
    ({"command": [ACTOR], "ready": {"mode": "soon", "timeout": "5"}}, [("ready.mode", ""), ("ready.timeout", "")]),
    ({"command": [ACTOR], "restart": {"max_restarts": -5, "backoff_base": 2, "jitter": 2}},
     [("restart.max_restarts", ""), ("restart.backoff_base", ""), ("restart.jitter", "")]),
    ({"command": [ACTOR], "stop": {"signal": "SIGNOPE", "timeout": "-1s"}}, [("stop.signal", ""), ("stop.timeout", "")]),
    ({"command": [ACTOR], "health": {"interval": "x", "misses": 0, "on_fail": "panic"}},
     [("health.interval", ""), ("health.misses", ""), ("health.on_fail", "")]),
    ({"command": [ACTOR], "version": -1}, [("version", "")]),
    ({"command": [ACTOR], "umask": "999"}, [("umask", "")]),
    ({"command": [ACTOR], "limits": {"nofiles": 3}}, [("limits.nofiles", "")]),
    ({"command": [ACTOR], "log_pipe": 1}, [("log_pipe", "")]),
    ({"command": [ACTOR], "message_max": 4095}, [("message_max", "from 4096 to 1073741824")]),
    ({"command": [ACTOR], "message_max": 1073741825}, [("message_max", "from 4096 to 1073741824")]),
    ({"command": [ACTOR], "lock_wait": 5}, [("lock_wait", "must be a duration")]),
    ({"command": [ACTOR], "listen": "no uri"}, [("listen", "")]),
    # What only the system and the plugins know.
    ({"command": [ACTOR], "user": "no-such-user-here"}, [("user", "no-such-user-here")]),
    ({"command": [ACTOR], "group": "no-such-group-here"}, [("group", "no-such-group-here")]),
    ({"command": [ACTOR], "codec": "nonsense", "auth": ["token", "nonsense"]},
     [("codec", "no nonsense.so"), ("auth", "no nonsense.so")]),
    ({"command": [ACTOR], "transport": "nonsense"}, [("transport", "no nonsense.so")]),
    ({"command": [ACTOR], "transport": "tcp"}, [("transport", "does not support unix")]),
    # What others can reach and is not encrypted, at either end.
    ({"command": [ACTOR], "listen": "tcp://127.0.0.1:0", "auth": "token"}, [("auth", "without encryption is refused")]),
    ({"command": [ACTOR], "listen": "tcp://127.0.0.1:0", "auth": "bearer", "allow_plaintext": True},
     [("auth", "bearer is refused on transport tcp")]),
    ({"command": [ACTOR], "listen": "tcp://127.0.0.1:0", "connect": "unix:///run/tunnel", "auth": "token"},
     [("auth", "listen: transport tcp without encryption")]),
    ({"command": [ACTOR], "listen": "gopher://x:1"}, [("listen", "gopher")]),
    ({"command": [ACTOR], "user": "65534", "group": "65534"}, [("user", "which peercred refuses")]),
    ({"command": [ACTOR], "auth": "none"}, [("auth", "none")]),
    ({"command": [ACTOR], "auth": ["token", "noise"]}, [("auth", "noise seals, so it must come before token")]),
    ({"command": [ACTOR], "parent_address": "example.org"}, [("parent_address", "neither an IPv4")]),
    ({"command": [ACTOR], "rules": ["allow nothing"]}, [("rules", "")]),
    ({"command": [ACTOR], "peer_users": ["no-such-user-here", "root", "nor-this-one"]},
     [("peer_users", "no-such-user-here"), ("peer_users", "nor-this-one")]),
    ({"command": ["/no/such/program"]}, [("command", "/no/such/program")]),
    ({"command": ["no-such-program-here"]}, [("command", "no-such-program-here")]),
    ({"command": ["relative/program"]}, [("command", "absolute path")]),
    ({"command": [ACTOR], "cwd": "/no/such/place", "stdin": "/no/such/file"},
     [("cwd", "/no/such/place: No such file"), ("stdin", "/no/such/file: No such file")]),
]

# A whole text, and the key and a part of the reason of its faults.
TEXTS = [
    ("", [("", "")]),
    ("{", [("", "")]),
    ("[]", [("", "")]),
    ('{"children": {}, "children": {}}', [("", "")]),
    ('{"data_root": "/x"}', [("children", "is required")]),
    ('{"data_root": "x", "children": {}}', [("data_root", "absolute")]),
    ('{"children": {}}', [("data_root", "is required")]),
    ('{"data_root": "/x", "children": {}, "plugin_paths": []}', [("plugin_paths", "")]),
    ('{"data_root": "/x", "children": {"a b": {"command": ["/bin/true"]}}}', [("children.a b", "not a valid name")]),
    ('{"data_root": "/x", "children": {"run.sock": {"command": ["/bin/true"]}}}',
     [("children.run.sock.data_path", "is reserved for the files of outboard run")]),
    *[(json.dumps({"data_root": root, "children": {"a": {"command": ["/bin/true"], "data_path": path}}}),
       [("children.a.data_path", "is reserved for the files of outboard run")])
      for root, path in (("/x", "/x"), ("/x", "/x/.state"), ("/x", "/x/.state/a"), ("/x/", "/x//.state/./b/"),
                         ("/x", "/x/run.sock/"), ("/x", "/x/run.lock/a"), ("/", "/run.sock"), ("/", "/.state/a"))],
    ('{"data_root": "/x", "children": {"a": {"command": ["/bin/true"], "data_path": "/x/b"},'
     '"b": {"command": ["/bin/true"]}}}', [("children.", 'is already used by')]),
]


class Check(Case):
    def setUp(self):
        super().setUp()
        os.chmod(self.dir, 0o755)  # children of other users must get to their directories

    def check(self, want):
        """Text and JSON report exactly these faults."""
        result = outboard("check", self.config)
        self.expect(result, USAGE, "")
        lines = result.stderr.splitlines()
        self.assertEqual(len(lines), len(want), result.stderr)
        machine = outboard("check", self.config, "--json")
        self.expect(machine, USAGE, None, "")
        faults = json.loads(machine.stdout)
        for line, fault, (key, reason) in zip(lines, faults, want):
            self.assertEqual(fault["file"], self.config)
            self.assertTrue(fault["key"].startswith(key), (fault, key))
            self.assertIn(reason, fault["reason"])
            self.assertNotEqual(fault["reason"], "")
            place = f"{self.config}:{fault['line']}:{fault['column']}"
            self.assertEqual(line, ": ".join(filter(None, (place, fault["key"], fault["reason"]))))
        self.assertFalse(os.path.exists(self.root))

    def test_faults_of_a_child(self):
        for child, want in CHILDREN:
            with self.subTest(json.dumps(child)):
                self.write({"x": child})
                self.check([(f"children.x.{key}", reason) for key, reason in want])

    def test_a_program_for_cleanup_that_is_missing(self):
        """It is searched as the command is."""
        for cleanup, reason in (["/no/such/program"], "/no/such/program: No such file"), (["sh"], "in PATH of its env"):
            self.write({"x": {"command": [ACTOR], "env": {"PATH": "/nonexistent"}, "stop": {"cleanup": cleanup}}})
            self.check([("children.x.stop.cleanup", reason)])
        self.write({"x": {"command": [ACTOR], "stop": {"cleanup": ["sh"]}}})
        self.expect(outboard("check", self.config), OK)

    def test_faults_of_the_whole_file(self):
        for text, want in TEXTS:
            with self.subTest(text):
                with open(self.config, "w") as file:
                    file.write(text)
                self.check(want)

    def test_run_refuses_what_check_refuses(self):
        """Except for files that may appear later: a child whose command is missing follows its restart policy."""
        for child, want in CHILDREN:
            if want[0][0] in ("command", "cwd") and child.get("command") not in ("x", [], None):
                continue
            with self.subTest(json.dumps(child)):
                self.write({"x": child})
                result = outboard("run", self.config)
                self.expect(result, USAGE, "")
                self.assertEqual(result.stderr, outboard("check", self.config).stderr)
                self.assertFalse(os.path.exists(self.root))

    def test_fault_95_children_that_cannot_work_together_are_refused(self):
        """tests/unit/cli/test_shared.c has all the ways to write one path and one port."""
        a = {"command": [ACTOR]}
        for b, (key, reason) in (
                ({"data_path": f"{self.root}/./a/"}, ("data_path", 'already used by "a"')),
                ({"data_path": f"{self.root}/a/b"}, ("data_path", 'inside the data_path of "a"')),
                ({"listen": f"unix://{self.root}//a/rpc.sock"}, ("listen", 'used by "a": rpc.sock in its data_path')),
                ({"listen": f"unix://{self.root}/run.sock"}, ("listen", "reserved")),
                ({"listen": f"unix://{self.root}/.state/a/s"}, ("listen", "reserved"))):
            with self.subTest(json.dumps(b)):
                self.write({"a": a, "b": {**a, **b}})
                self.check([(f"children.b.{key}", reason)])
                ran = outboard("run", self.config)
                self.expect(ran, USAGE, "")
                self.assertEqual(ran.stderr, outboard("check", self.config).stderr)
                self.assertFalse(os.path.exists(self.root))

    def test_a_port_can_be_used_once(self):
        tcp = {"command": [ACTOR], "listen": "tcp://127.0.0.1:7000"}
        self.write({"a": tcp, "b": {**tcp, "listen": "tcp://0.0.0.0:7000"}})
        self.check([("children.a.listen", 'the port is already used by "b"')])

    def test_fault_95_a_directory_that_is_not_ours_to_give(self):
        """A directory may be put right later: check says so, run does not refuse it."""
        def told(child):
            self.write({"a": {"command": [ACTOR], **child}})
            result = outboard("check", self.config)
            return result.returncode, result.stderr

        path = f"{self.dir}/given"
        os.mkdir(path)
        self.assertEqual(told({"data_path": path})[0], OK)
        os.mkdir(f"{self.dir}/open")
        os.chmod(f"{self.dir}/open", 0o777)
        status, text = told({"data_path": f"{self.dir}/open/a"})
        self.assertEqual(status, USAGE)
        self.assertIn("children.a.data_path: ", text)
        self.assertIn("/open: writable by others (mode 0777)", text)
        os.symlink("given", f"{self.dir}/link")
        self.assertIn("is a symbolic link", told({"data_path": f"{self.dir}/link"})[1])
        self.assertIn('".." is not allowed', told({"data_path": f"{self.dir}/x/../y"})[1])
        if os.geteuid() != 0:
            self.skipTest("the rest needs root, to have directories and children of other users")
        os.chown(path, 1, 1)
        self.assertIn("exists and belongs to user 1, not to the child's user 0", told({"data_path": path})[1])
        self.assertEqual(told({"data_path": path, "user": "1", "group": "1"})[0], OK)
        os.mkdir(f"{self.dir}/closed")
        os.chmod(f"{self.dir}/closed", 0o700)
        self.assertIn("/closed: the child's user 1 may not enter it (mode 0700)",
                      told({"data_path": f"{self.dir}/closed/a", "user": "1", "group": "1"})[1])

    def test_all_faults_are_reported_at_once(self):
        self.write({"a": {"command": 1}, "b": {"command": [ACTOR], "user": 2, "stop": {"signal": 3, "x": 4}}})
        self.check([("children.a.command", ""), ("children.b.user", ""), ("children.b.stop.signal", ""),
                    ("children.b.stop.x", "")])

    def test_a_good_config(self):
        self.write({"a": [], "b": {"command": ["sh"], "auth": ["token", "peercred"], "stop": {"signal": "SIGTERM"}}})
        self.expect(outboard("check", self.config), OK, f"{self.config}: fine, 2 children\n", "")
        self.expect(outboard("check", "--json", self.config), OK, "[]\n", "")
        self.assertFalse(os.path.exists(self.root))

    def test_an_unsafe_choice_is_a_warning(self):
        self.write({"a": {"command": [ACTOR], "listen": "tcp://127.0.0.1:0", "auth": "token", "allow_plaintext": True},
                    "b": {"command": [ACTOR], "listen": "tcp://127.0.0.1:0", "allow_plaintext": True},
                    "c": {"command": [ACTOR], "user": "65534", "group": "65534", "auth": "token"}})
        self.expect(outboard("check", self.config), OK, f"{self.config}: fine, 3 children\n",
                    f"{self.place_of('allow_plaintext')}: warning: children.a.allow_plaintext: the connection is not "
                    "encrypted: anyone on the network path can read and change the data\n")
        self.expect(outboard("check", "--json", self.config), OK, "[]\n", "")

    def test_files_that_cannot_be_read(self):
        for path, reason in ((f"{self.dir}/missing", "cannot be read: No such file"),
                             (self.dir, "cannot be read: Is a directory"),
                             ("/dev/null", "the text is empty"), ("/dev/zero", "is larger than 16 MiB")):
            result = outboard("check", path)
            self.expect(result, USAGE, "")
            self.assertTrue(result.stderr.startswith(f"{path}:"), result.stderr)
            self.assertIn(f": {reason}", result.stderr)

    def test_a_fault_cannot_move_the_cursor(self):
        with open(self.config, "w") as file:
            json.dump({"data_root": "/x", "children": {}, "\x1b[2J": 1}, file)
        result = outboard("check", self.config)
        self.expect(result, USAGE, "")
        self.assertNotIn("\x1b", result.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
