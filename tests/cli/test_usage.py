# SPDX-License-Identifier: MIT
"""The command line: help of each command, errors of usage, and the list of plugins."""
import json
import os
import shutil
import subprocess
import unittest

from command import BUILD, OK, OUTBOARD, UNPRINTED, USAGE, Case, outboard

COMMANDS = "run", "status", "start", "stop", "restart", "call", "check", "plugin"


class Usage(unittest.TestCase):
    def test_help_everywhere(self):
        whole = outboard("--help")
        self.assertEqual((whole.returncode, whole.stderr), (OK, ""))
        for command in COMMANDS:
            self.assertRegex(whole.stdout, rf"(?m)^  {command} ")
            for flag in "--help", "-h":
                result = outboard(command, flag)
                self.assertEqual((result.returncode, result.stderr), (OK, ""))
                self.assertTrue(result.stdout.startswith(f"Usage: outboard {command} "))
                self.assertLessEqual(max(map(len, result.stdout.splitlines())), 100)

    def test_version(self):
        self.assertRegex(outboard("--version").stdout, r"^outboard \d+\.\d+\.\d+\n$")

    def test_closed_standard_descriptors_are_dev_null(self):
        for closed in "<&-", ">&-", "2>&-", "<&- >&- 2>&-":
            result = subprocess.run(["sh", "-c", f'exec "$0" --version {closed}', OUTBOARD], capture_output=True)
            self.assertEqual(result.returncode, OK, closed)

    def test_misuse_is_2(self):
        for args in ([], ["nonsense"], ["--nonsense"], ["run"], ["run", "a", "b"], ["run", "--log-format", "xml", "x"],
                     ["run", "--log-format"], ["check"], ["plugin"], ["plugin", "nonsense"], ["stop"], ["start", "x"],
                     ["restart", "--config", "x", "--data-root", "y"], ["status", "--json=yes", "x"],
                     ["stop", "--data-root", "/x", "--timeout", "soon"]):
            result = outboard(*args)
            self.assertEqual((result.returncode, result.stdout), (USAGE, ""), args)
            self.assertNotEqual(result.stderr, "")

    def test_words_after_two_dashes_are_no_options(self):
        result = outboard("check", "--", "--help")
        self.assertEqual(result.returncode, USAGE)
        self.assertTrue(result.stderr.startswith("--help: "))

    def test_a_full_disk_is_an_error(self):
        with open("/dev/full", "w") as full:
            result = subprocess.run([OUTBOARD, "--version"], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(result.returncode, UNPRINTED)
        self.assertIn("No space left", result.stderr)


class Plugins(Case):
    def list(self, path, *args):
        return outboard("plugin", "list", *args, env={**os.environ, "OUTBOARD_PLUGIN_PATH": path})

    def test_list(self):
        result = self.list(f"{BUILD}/plugins")
        self.expect(result, OK, None, "")
        for name, kind in ("unix", "transport"), ("msgpack", "codec"), ("token", "authenticator"), ("peercred", ""):
            self.assertRegex(result.stdout, rf"(?m)^{name} +{kind}")
        plugins = {p["name"]: p for p in json.loads(self.list(f"{BUILD}/plugins", "--json").stdout)}
        self.assertEqual(plugins["unix"]["schemes"], ["unix"])
        self.assertEqual(plugins["unix"]["file"], f"{BUILD}/plugins/unix.so")
        self.assertEqual(list(plugins["unix"]), ["name", "kind", "version", "schemes", "file"])

    def test_fault_68_a_bad_file_is_reported_and_others_are_listed(self):
        shutil.copy(f"{BUILD}/plugins/unix.so", self.dir)
        os.chmod(f"{self.dir}/unix.so", 0o755)
        with open(f"{self.dir}/broken.so", "w") as file:
            file.write("not an ELF file")
        shutil.copy(f"{BUILD}/plugins/token.so", self.dir)
        os.chmod(f"{self.dir}/token.so", 0o777)
        result = self.list(self.dir)
        self.assertEqual(result.returncode, USAGE)
        self.assertRegex(result.stdout, r"(?m)^unix +transport")
        self.assertNotIn("token", result.stdout)
        self.assertEqual(len(result.stderr.splitlines()), 2)
        self.assertIn(f"{self.dir}/broken.so", result.stderr)
        self.assertIn(f"{self.dir}/token.so", result.stderr)

    def test_an_empty_path_is_no_error(self):
        result = self.list(f"{self.dir}/nothing")
        self.expect(result, OK, None, "")


if __name__ == "__main__":
    unittest.main(verbosity=2)
