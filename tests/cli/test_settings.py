# SPDX-License-Identifier: MIT
"""Settings of plugins in the config of outboard run, and for outboard plugin check."""
import json
import os
import signal
import subprocess
import unittest

from command import BUILD, OK, OUTBOARD, REMOTE, USAGE, Case, actor, outboard

PLUGINS = [f"{BUILD}/plugins", f"{BUILD}/test-plugins"]
PHRASE = {"use": "phrase", "settings": {"phrase": "sesame"}}

# What the config of the child says, and the key and the reason of its fault.
WRONG = [
    ({"auth": [{"use": "phrase"}]}, "", "auth phrase: settings: phrase: required"),
    ({"auth": {"use": "phrase", "settings": {"phrase": 7}}}, "", "auth phrase: settings: phrase: required"),
    ({"auth": [{"use": "phrase", "settings": []}]}, ".auth.0.settings", "must be an object"),
    ({"auth": [{"use": "phrase", "child_settings": "other"}]}, ".auth.0.child_settings", 'an object, or "same"'),
    ({"auth": [{"settings": {}}]}, ".auth.0.use", "is required"),
    ({"auth": [{"use": "Phrase"}]}, ".auth.0.use", "must be the name of a plugin"),
    ({"auth": [{**PHRASE, "more": 1}]}, ".auth.0.more", "is not a known key"),
    ({"auth": [PHRASE, {"use": "token", "settings": {}}]}, "", "auth token takes no settings"),
    ({"codec": {"use": "json", "settings": {"a": 1}}}, "", "codec json takes no settings"),
    ({"transport": {"use": "unix", "settings": {}}}, "", "transport unix takes no settings"),
]


class Settings(Case):
    def test_both_ends_get_theirs(self):
        for child_settings in ("same", {"phrase": "sesame"}):
            self.write({"a": actor(auth=["peercred", {**PHRASE, "child_settings": child_settings}],
                                   codec={"use": "json"})}, plugin_path=PLUGINS)
            self.expect(outboard("check", self.config), OK)
            run = self.run_it()
            os.kill(run.event("a", "ready")["pid"], signal.SIGKILL)
            run.event("a", "exited")
            run.event("a", "ready")
            with open(f"{self.root}/a/outboard.json") as file:
                config = json.load(file)
            self.assertEqual(config["settings"], {"auth": {"phrase": {"phrase": "sesame"}}})
            self.assertEqual(config["auth"], "peercred,phrase")
            self.expect(outboard("call", "--config", self.config, "a", "outboard.ping"), OK, "true\n")
            settings = f"{self.dir}/settings.json"
            with open(settings, "w") as file:
                json.dump(config["settings"], file)
            path = ":".join(PLUGINS)
            self.expect(outboard("call", "--plugin-path", path, "--settings", settings, f"{self.root}/a", "outboard.ping"),
                        OK, "true\n")
            result = outboard("call", "--plugin-path", path, f"{self.root}/a", "outboard.ping")
            self.expect(result, USAGE, "")
            self.assertIn("auth phrase: settings: phrase: required", result.stderr)
            self.assertEqual(run.end(), OK)

    def test_the_child_gets_none_of_the_parents(self):
        self.write({"a": actor(auth=["peercred", PHRASE], restart={"on": "never"})}, plugin_path=PLUGINS)
        run = self.run_it()
        self.assertIn("exited with status", run.event("a", "failed")["cause"])
        self.assertEqual(run.end(), OK)

    def test_changed_settings_make_a_child_stale(self):
        auth = ["peercred", {**PHRASE, "child_settings": "same"}]
        self.write({"a": actor(auth=auth)}, plugin_path=PLUGINS)
        run = self.run_it()
        pid = run.event("a", "ready")["pid"]
        watched = self.watch(pid)
        self.assertEqual(run.end(signal.SIGUSR1), OK)
        auth[1]["settings"] = {"phrase": "sesame", "diary": "/dev/null"}
        self.write({"a": actor(auth=auth)}, plugin_path=PLUGINS)
        run = self.run_it()
        self.assertEqual(run.event("a", "adopted")["pid"], pid)
        self.assertTrue(self.status()["a"]["stale"])
        self.assertEqual(run.end(), OK)
        watched.wait()

    def test_faults(self):
        for child, key, reason in WRONG:
            with self.subTest(json.dumps(child)):
                self.write({"x": actor(**child)}, plugin_path=PLUGINS)
                result = outboard("check", "--json", self.config)
                self.expect(result, USAGE, None, "")
                fault = json.loads(result.stdout)[0]
                self.assertIn(f"children.x{key}", fault["key"])
                self.assertIn(reason, fault["reason"])


class PluginCheck(Case):
    def check(self, *args, plugin="phrase"):
        return outboard("plugin", "check", *args, f"{BUILD}/test-plugins/{plugin}.so")

    def settings(self, **more):
        path = f"{self.dir}/settings.json"
        with open(path, "w") as file:
            json.dump(more, file)
        return "--settings", path

    def test_a_plugin_that_needs_settings_says_so(self):
        result = self.check()
        self.expect(result, USAGE, None, "outboard: plugin check: a plugin that requires settings was not tried\n")
        self.assertIn("accepts its settings: phrase: required; give it some with --settings", result.stdout)

    def test_each_end_gets_its_settings(self):
        for more in ({}, {"child_settings": {"phrase": "x"}}):
            result = self.check("--only", "leaks nothing", *self.settings(settings={"phrase": "x"}, **more))
            self.expect(result, OK, f"{BUILD}/test-plugins/phrase.so: 1 held, 0 broken, 0 skipped\n")
        agree = "accepts a peer with the same secret and prologue"
        for phrase, status in (("x", OK), ("y", REMOTE)):
            result = self.check("--only", agree, *self.settings(settings={"phrase": "x"},
                                                                child_settings={"phrase": phrase}))
            self.expect(result, status)

    def test_wrong_settings_are_a_broken_promise(self):
        result = self.check(*self.settings(settings={}))
        self.expect(result, REMOTE)
        self.assertIn("BROKEN   accepts its settings: phrase: required\n", result.stdout)
        result = self.check("--settings", f"{self.dir}/none.json")
        self.expect(result, REMOTE)
        self.assertIn("No such file", result.stdout)

    def test_a_mechanism_that_waits_is_waited_for(self):
        agree = "--only", "accepts a peer with the same secret and prologue"
        for by in ("deadline", "descriptor"):
            self.expect(self.check(*agree, *self.settings(settings={"ms": 5, "by": by}), plugin="patient"), OK)
        for by, why in (("nothing", "names nothing"), ("words", "writes a message and waits")):
            result = self.check(*agree, *self.settings(settings={"ms": 5, "by": by}), plugin="patient")
            self.expect(result, REMOTE)
            self.assertIn(why, result.stdout)

    def test_a_mechanism_that_sleeps_is_told(self):
        result = self.check("--only", "accepts a peer with the same secret and prologue",
                            *self.settings(settings={"ms": 40, "by": "sleep"}), plugin="patient")
        self.expect(result, REMOTE)
        self.assertRegex(result.stdout, r"step slept for \d+ ms: return OB_AUTH_WAIT")

    def test_what_shows_a_password_may_do_so_behind_a_seal(self):
        """The plugin has it twice, with OB_AUTH_NEEDS_SEAL and without."""
        rows = json.loads(self.check("--json", plugin="password").stdout)
        lifted = "refuses another prologue", "refuses the messages of an earlier exchange"
        broken = [(row["name"], row["promise"]) for row in rows if row["verdict"] == "broken"]
        self.assertEqual(broken, [("password-bare", promise) for promise in lifted])
        reasons = {row["promise"]: row["reason"] for row in rows
                   if (row["name"], row["verdict"]) == ("password", "skipped")}
        for promise in lifted:
            self.assertIn("behind a seal only", reasons[promise])

    def test_a_plugin_with_a_sanitizer_says_what_to_do(self):
        plugin = f"{self.dir}/strict.so"
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
        made = subprocess.run(["cc", "-std=c11", "-shared", "-fPIC", "-fsanitize=address", f"-I{source}/include",
                               f"{source}/tests/plugins/password.c", "-o", plugin], capture_output=True, text=True)
        library = subprocess.run(["cc", "-print-file-name=libasan.so"], capture_output=True, text=True).stdout.strip()
        if made.returncode != 0 or not os.path.isabs(library):
            self.skipTest("the compiler makes no shared objects with AddressSanitizer")
        with open(OUTBOARD, "rb") as file:
            if b"__asan_init" in file.read():
                self.skipTest("the command is built with AddressSanitizer itself")
        os.chmod(plugin, 0o755)
        result = outboard("plugin", "check", plugin)
        self.expect(result, REMOTE, None, "")
        self.assertIn(f"plugin strict ({plugin}): it was built with AddressSanitizer: run the command with "
                      "LD_PRELOAD=$(gcc -print-file-name=libasan.so), or build outboard with it", result.stdout)
        only = "--only", "accepts a peer with the same secret and prologue"
        result = outboard("plugin", "check", *only, plugin, env={**os.environ, "LD_PRELOAD": library,
                                                                 "ASAN_OPTIONS": "detect_leaks=0"})
        self.expect(result, OK)
        self.assertIn("2 held, 0 broken", result.stdout)

    def test_an_unknown_promise_is_an_error(self):
        self.expect(self.check("--only", "makes coffee"), USAGE, None, "outboard: plugin check: nothing was tried\n")

    def test_a_limit_that_nothing_can_keep_is_an_error(self):
        result = self.check("--timeout", "0s")
        self.expect(result, USAGE, "")
        self.assertIn("--timeout: it must be longer than 0", result.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
