# SPDX-License-Identifier: MIT
"""outboard plugin check and inspect: on the shipped plugins, and on plugins that harm their process."""
import glob
import json
import os
import shutil
import signal
import subprocess
import time
import unittest

from command import BUILD, OK, OUTBOARD, REMOTE, USAGE, Case, Lines, outboard

PLUGINS = f"{BUILD}/plugins"
MADE = f"{BUILD}/test-plugins"
DEADLY = f"{MADE}/deadly.so"

# A sanitizer that reports a signal in its own way would hide it from us.
HARMLESS = {key: os.environ.get(key, "") + ":handle_segv=0:handle_abort=0"
            for key in ("ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS")}

LOADED = "is loaded by the dynamic linker"
LISTED = "lists its plugins"

# Where, and the kind of plugin and the first promise that must be broken by it; None: any that is not of loading.
PLACES = [
    ("constructor", "", LOADED),
    ("entry", "", LISTED),
    ("destructor", "", "lets the process exit"),
    ("scan", "codec", None),
    ("decode", "codec", None),
    ("encode", "codec", None),
    ("listen", "transport", None),
    ("dial", "transport", None),
    ("listener_close", "transport", None),
]
# A crash is tried everywhere, the other ways at these: each takes its time, and three hangs before a plugin is given up.
EVERY_WAY = "constructor", "entry", "destructor", "scan"
PATIENCE = "3s"
WAYS = {
    "crash": "it crashed: SIGSEGV (Segmentation fault)",
    "abort": "it crashed: SIGABRT (Aborted)",
    "exit": "it exited the process with status 0",
    "kill": "it crashed: SIGKILL (Killed)",
    "hang": "it hung: no result for",
}


def check(*args, **env):
    return outboard("plugin", "check", *args, env={**os.environ, **HARMLESS, **env})


def findings(*args, **env):
    result = check("--json", *args, **env)
    return result, json.loads(result.stdout)


class Check(Case):
    def test_every_shipped_plugin_passes(self):
        for path in sorted(glob.glob(f"{PLUGINS}/*.so")):
            with self.subTest(os.path.basename(path)):
                result = check("--timeout", "120s", path)
                tried = "give it some with --settings" not in result.stdout
                self.expect(result, OK if tried else USAGE, None, "" if tried else
                            "outboard: plugin check: a plugin that requires settings was not tried\n")
                self.assertRegex(result.stdout.splitlines()[-1], r"^%s: \d+ held, 0 broken, \d+ skipped$" % path)
                self.assertNotIn("BROKEN", result.stdout)

    def test_several_files_and_kept_promises(self):
        result, rows = findings("unix", f"{PLUGINS}/msgpack.so")
        self.expect(result, OK, None, "")
        self.assertEqual(list(rows[0]), ["file", "kind", "name", "address", "promise", "verdict", "reason"])
        self.assertEqual({row["file"] for row in rows}, {"unix", f"{PLUGINS}/msgpack.so"})
        held = {row["promise"] for row in rows if row["verdict"] == "held"}
        self.assertLessEqual({LOADED, LISTED, "survives a thousand connections", "preserves values"}, held)
        text = check("--verbose", "unix", TMPDIR=self.dir)
        self.assertRegex(text.stdout, r"(?m)^unix \(transport\) at unix:///.*/s$")
        self.assertRegex(text.stdout, r"(?m)^  held     survives a thousand connections$")
        self.assertEqual(os.listdir(self.dir), [])

    def test_a_path_is_relative_to_the_working_directory(self):
        shutil.copy(f"{PLUGINS}/unix.so", self.dir)
        os.chmod(f"{self.dir}/unix.so", 0o755)
        result = outboard("plugin", "check", "./unix.so", cwd=self.dir)
        self.expect(result, OK, None, "")
        os.chmod(f"{self.dir}/unix.so", 0o775)
        result = outboard("plugin", "check", "./unix.so", cwd=self.dir)
        self.expect(result, REMOTE, None, "")
        self.assertIn("is writable by group or others", result.stdout)

    def test_addresses_of_a_transport(self):
        result = check(f"{PLUGINS}/tcp.so", "--listen", "tcp://127.0.0.1:0", "--listen", "tcp://localhost:0", "--verbose")
        self.expect(result, OK, None, "")
        self.assertIn("tcp (transport) at tcp://127.0.0.1:0\n", result.stdout)
        self.assertIn("tcp (transport) at tcp://localhost:0\n", result.stdout)
        result = check(f"{MADE}/old_transport.so")
        self.expect(result, OK, None, "")
        self.assertIn("skipped  connects: no address to listen at; give one with --listen old://...", result.stdout)

    def test_misuse(self):
        for args in [], ["--listen", "nowhere", "unix"], ["--dial", "unix:///x", "unix"], ["--listen", "unix"]:
            self.assertEqual(check(*args).returncode, USAGE)
        by_hand = outboard("plugin", "check-worker", "check", "1", DEADLY, "0", "/tmp")
        self.assertEqual(by_hand.returncode, USAGE)

    def test_fault_68_a_refused_file_is_reported(self):
        for name, reason in (("no_symbol", "it does not export outboard_plugin_v1"), ("null_list", "returned NULL"),
                             ("empty_list", "an empty list"), ("short_table", "no room for encode"),
                             ("missing_member", "lacks destroy"), ("wrong_kind", "its kind 9"),
                             ("duplicate_name", "is already registered"), ("unresolved", "undefined symbol")):
            result, rows = findings(f"{MADE}/{name}.so")
            self.expect(result, REMOTE, None, "")
            self.assertEqual([row["verdict"] for row in rows][-1], "broken")
            self.assertIn(reason, rows[-1]["reason"])
        result, rows = findings("/nonexistent/x.so")
        self.assertEqual((result.returncode, len(rows)), (REMOTE, 1))
        self.assertIn("no such file", rows[0]["reason"])

    def test_fault_69_killing_the_process_is_a_broken_promise(self):
        for place, kind, promise in PLACES:
            for way, reason in WAYS.items():
                if (place, way) == ("destructor", "exit") or (way != "crash" and place not in EVERY_WAY):
                    continue  # an exit within an exit is none
                with self.subTest(f"{place}:{way}"):
                    timeout = PATIENCE if way == "hang" else "60s"
                    result, rows = findings("--timeout", timeout, DEADLY, OB_TEST_DEADLY=f"{place}:{way}")
                    self.assertEqual(result.returncode, REMOTE, result.stderr)
                    found = [row for row in rows if row["reason"].startswith(reason)]
                    self.assertNotEqual(found, [], f"nothing {reason}")
                    self.assertEqual(found[0]["kind"], kind)
                    self.assertEqual(found[0]["name"], "deadly" if kind else "")
                    self.assertEqual(found[0]["verdict"], "broken")
                    self.assertEqual(found[0]["promise"], promise or found[0]["promise"])
                    if promise is None:
                        self.assertNotIn(found[0]["promise"], (LOADED, LISTED))

    def test_fault_69_other_promises_are_still_tried(self):
        _, spared = findings(DEADLY)
        _, rows = findings(DEADLY, OB_TEST_DEADLY="decode:crash")
        self.assertEqual([row["promise"] for row in rows], [row["promise"] for row in spared])
        self.assertEqual([row["verdict"] for row in rows if row["kind"] == "transport"],
                         [row["verdict"] for row in spared if row["kind"] == "transport"])

    def test_fault_69_a_plugin_that_hangs_too_often_is_abandoned(self):
        _, rows = findings("--timeout", PATIENCE, DEADLY, OB_TEST_DEADLY="encode:hang")
        self.assertEqual(sum(row["reason"].startswith("it hung") for row in rows), 3)
        self.assertEqual((rows[-1]["promise"], rows[-1]["verdict"]), ("all other promises", "skipped"))

    def test_fault_69_a_plugin_that_floods_the_results_is_stopped(self):
        for place in "constructor", "scan":
            _, rows = findings(DEADLY, OB_TEST_DEADLY=f"{place}:flood")
            found = [row for row in rows if row["reason"].startswith("it flooded the pipe")]
            self.assertNotEqual(found, [])
            self.assertEqual({row["verdict"] for row in found}, {"broken"})

    def test_an_interrupted_check_leaves_no_files(self):
        env = {**os.environ, "OB_TEST_DEADLY": "scan:hang", "TMPDIR": self.dir}
        process = subprocess.Popen([OUTBOARD, "plugin", "check", "--verbose", DEADLY], stdout=subprocess.PIPE, env=env)
        lines = Lines(process.stdout.fileno())
        while "has complete descriptors" not in (lines.next(time.monotonic() + 60) or "has complete descriptors"):
            pass
        self.assertNotEqual(os.listdir(self.dir), [])
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(60), -signal.SIGINT)
        process.stdout.close()
        self.assertEqual(os.listdir(self.dir), [])

    def test_fault_69_side_effects_of_loading_are_found(self):
        for way, reason in (("thread", "a thread"), ("signal", "a signal"), ("open", "a descriptor")):
            for place in "constructor", "entry":
                _, rows = findings(DEADLY, OB_TEST_DEADLY=f"{place}:{way}")
                row, = [row for row in rows if row["promise"] == "has no side effect when it is loaded"]
                self.assertEqual(row["verdict"], "broken")
                self.assertIn(reason, row["reason"])

    def test_output_of_a_plugin_goes_to_stderr(self):
        result, _ = findings(DEADLY, OB_TEST_DEADLY="constructor:print")
        self.assertIn("I print what I like", result.stderr)


class Inspect(Case):
    def inspect(self, *args, **env):
        return outboard("plugin", "inspect", *args, env={**os.environ, **HARMLESS, **env})

    def test_content_of_a_plugin_file(self):
        result = self.inspect("--json", "unix")
        self.expect(result, OK, None, "")
        plugin, = json.loads(result.stdout)
        self.assertEqual((plugin["name"], plugin["kind"], plugin["schemes"]), ("unix", "transport", ["unix"]))
        self.assertEqual(plugin["flags"], ["local"])
        self.assertEqual(plugin["lacks"], ["handshake", "want", "pending", "binding"])
        self.assertEqual(plugin["table_size"], plugin["table_size_here"])
        text = self.inspect(f"{PLUGINS}/peercred.so")
        self.expect(text, OK, None, "")
        self.assertRegex(text.stdout, r"^peercred \(authenticator\), version 1\n")
        self.assertRegex(text.stdout, r"(?m)^  has +flags admit identity$")
        self.assertEqual(len(json.loads(self.inspect("--json", "vsock").stdout)), 2)
        keys, = json.loads(self.inspect("--json", "keys").stdout)
        self.assertEqual(keys["flags"], ["needs-seal"])
        visitor, = json.loads(self.inspect("--json", f"{MADE}/visitor.so").stdout)
        self.assertEqual(visitor["flags"], ["clients-only"])
        self.assertIn("claims", json.loads(self.inspect("--json", f"{MADE}/tagger.so").stdout)[0]["has"])

    def test_older_and_newer_plugins(self):
        old, = json.loads(self.inspect("--json", f"{MADE}/old_transport.so").stdout)
        self.assertLess(old["table_size"], old["table_size_here"])
        self.assertEqual(old["lacks"],
                         ["flags", "peer", "handshake", "want", "pending", "binding"])
        new, = json.loads(self.inspect("--json", f"{MADE}/new_auth.so").stdout)
        self.assertGreater(new["table_size"], new["table_size_here"])
        self.assertGreater(new["descriptor_size"], new["descriptor_size_here"])

    def test_refused_files(self):
        self.expect(self.inspect("/nonexistent/x.so"), USAGE, "",
                    "outboard: plugin x (/nonexistent/x.so): no such file\n")
        result = self.inspect(f"{MADE}/null_list.so")
        self.expect(result, USAGE, "")
        self.assertIn("outboard_plugin_v1() returned NULL", result.stderr)

    def test_fault_69_a_crash_during_inspection_is_reported(self):
        result = self.inspect(DEADLY, OB_TEST_DEADLY="constructor:crash")
        self.expect(result, USAGE, "", f'outboard: {DEADLY}: "{LOADED}": {WAYS["crash"]}\n')


if __name__ == "__main__":
    unittest.main(verbosity=2)
