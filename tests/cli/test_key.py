# SPDX-License-Identifier: MIT
"""outboard key: secret keys, their public lines, and lists of those who are let in."""
import os
import stat
import subprocess
import threading
import unittest

from command import ACTOR, OK, OUTBOARD, PATIENCE, USAGE, Case, outboard, outboard_as

LINE = "ed25519 iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w="
OTHER = "ed25519 gTl3Dqh9F19Wo1Rmw0x+zMuNipG07jeiXfYPW4/Js5Q="


def write(path, text):
    """A file that others may read and not write, whatever the umask is."""
    with open(path, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o644)
        file.write(text)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class Keys(Case):
    def path(self, name):
        return os.path.join(self.dir, name)

    def refused(self, result, reason):
        self.expect(result, USAGE, "")
        self.assertIn(reason, result.stderr)

    def new(self, name, *args):
        result = outboard("key", "new", self.path(name), *args)
        self.expect(result, OK, None, "")
        return result.stdout

    def authorize(self, line, *args, **more):
        return outboard("key", "authorize", self.path("list"), line, *args, **more)


class Secret(Keys):
    def test_new_key_is_private_and_shown_again(self):
        old = os.umask(0)
        try:
            line = self.new("a", "--comment", "host a")
        finally:
            os.umask(old)
        self.assertRegex(line, r"\Aed25519 [A-Za-z0-9+/]{43}= host a\n\Z")
        self.assertEqual(stat.S_IMODE(os.stat(self.path("a")).st_mode), 0o600)
        self.assertRegex(read(self.path("a")), r"\Aoutboard-ed25519-secret [A-Za-z0-9+/]{43}= host a\n\Z")
        self.expect(outboard("key", "show", self.path("a")), OK, line, "")
        self.assertNotEqual(self.new("b", "--comment", "host a"), line)
        self.assertTrue(self.new("c").rstrip("\n").endswith("= " + os.uname().nodename))

    def test_nothing_is_overwritten(self):
        self.new("a")
        before = read(self.path("a"))
        self.refused(outboard("key", "new", self.path("a")), "File exists")
        os.symlink("elsewhere", self.path("link"))
        self.refused(outboard("key", "new", self.path("link")), "File exists")
        self.assertEqual(read(self.path("a")), before)
        self.assertFalse(os.path.exists(self.path("elsewhere")))

    def test_faults(self):
        self.refused(outboard("key", "new", self.path("no/a")), "No such file or directory")
        self.refused(outboard("key", "new", self.path("a"), "--comment", "a\tb"), "control character")
        self.refused(outboard("key", "new", self.path("a"), "--comment", "x" * 256), "longer than 255 bytes")
        self.assertFalse(os.path.exists(self.path("a")))
        self.refused(outboard("key", "show", self.path("a")), "No such file or directory")
        self.new("a")
        os.chmod(self.path("a"), 0o640)
        self.refused(outboard("key", "show", self.path("a")), "its mode is 0640")
        self.refused(outboard("key", "what"), 'unknown command "what"')

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_key_of_another_user(self):
        self.new("a")
        os.chmod(self.dir, 0o755)
        os.chmod(self.path("a"), 0o600)
        os.chown(self.path("a"), 12345, 12345)
        self.refused(outboard("key", "show", self.path("a")), "belongs neither to root nor to this user")
        self.refused(outboard_as(12346, "key", "show", self.path("a")), "Permission denied")


class Usage(Keys):
    def test_help(self):
        for args in (), ("--help",), ("-h",):
            result = outboard("key", *args)
            text, other = (result.stdout, result.stderr) if args else (result.stderr, result.stdout)
            self.assertEqual((result.returncode, other), (OK if args else USAGE, ""))
            self.assertTrue(all(f"\n  {name} " in text for name in ("new", "show", "authorize")), text)
        for name in "new", "show", "authorize":
            self.expect(outboard("key", name, "--help"), OK, None, "")
            self.assertEqual(outboard("key", name).returncode, USAGE)


class Lists(Keys):
    def test_lines_are_added(self):
        self.expect(self.authorize(f"{LINE} a"), OK, "", "")
        self.assertEqual(stat.S_IMODE(os.stat(self.path("list")).st_mode), 0o644)
        os.chmod(self.path("list"), 0o600)
        self.expect(self.authorize(f"  {OTHER} b b ", "--from", "192.0.2.0/24,::1", "--expires", "2027-01-31T00:00:00Z"),
                    OK, "", "")
        self.assertEqual(read(self.path("list")), f'{LINE} a\nfrom="192.0.2.0/24,::1",expires="2027-01-31T00:00:00Z" {OTHER} b b\n')
        self.assertEqual(stat.S_IMODE(os.stat(self.path("list")).st_mode), 0o600)
        self.assertEqual(os.listdir(self.dir), ["list"])

    def test_line_from_standard_input(self):
        line = self.new("a", "--comment", "host a")
        result = subprocess.run([OUTBOARD, "key", "authorize", self.path("list"), "-"], input=line, capture_output=True,
                                text=True, timeout=PATIENCE)
        self.expect(result, OK, "", "")
        self.assertEqual(read(self.path("list")), line)

    def test_what_is_in_the_file_stays(self):
        write(self.path("list"), f"# mine\n\n{LINE} a")
        self.expect(self.authorize(f'expires="2027-01-31T00:00:00Z" {OTHER} b', "--from", "::1"), OK, "", "")
        self.assertEqual(read(self.path("list")),
                         f'# mine\n\n{LINE} a\nfrom="::1",expires="2027-01-31T00:00:00Z" {OTHER} b\n')

    def test_refused_lines_change_nothing(self):
        self.expect(self.authorize(f"{LINE} a"), OK, "", "")
        for line, args, reason in (
                (f"{LINE} b", (), "2: the same key as in line 1"),
                (f"{OTHER} a", (), "2: the same subject as in line 1"),
                (OTHER, (), "it has no comment"),
                ("", (), "begins neither"),
                (f"{OTHER} b\n{OTHER} c", (), "control character"),
                (f"ed25519 AQ{'A' * 41}= b", (), "not a public key of Ed25519"),
                (f"{OTHER} b", ("--from", "localhost"), "from: not a list"),
                (f"{OTHER} b", ("--from", ""), "from: an address is missing"),
                (f"{OTHER} b", ("--from", f'::1" {LINE} c "'), "quotation mark"),
                (f"{OTHER} b", ("--expires", "tomorrow"), "expires: not a time"),
                (f'from="::1" {OTHER} b', ("--from", "::1"), "from: given twice"),
                (f"{OTHER} {'b' * 5000}", (), "too long"),
                (f"{OTHER} b", ("--from", "::1," * 1200 + "::1"), "too long")):
            with self.subTest(line=line, args=args):
                self.refused(self.authorize(line, *args), reason)
                self.assertEqual(read(self.path("list")), f"{LINE} a\n")

    def test_refused_files(self):
        write(self.path("list"), "x\n")
        self.refused(self.authorize(f"{LINE} a"), "list: 1: it begins neither")
        os.chmod(self.path("list"), 0o666)
        self.refused(self.authorize(f"{LINE} a"), "its mode is 0666")
        os.unlink(self.path("list"))
        os.symlink("elsewhere", self.path("list"))
        self.refused(self.authorize(f"{LINE} a"), "a symbolic link")
        self.refused(outboard("key", "authorize", self.path("no/list"), f"{LINE} a"), "No such file or directory")

    def test_list_that_is_full(self):
        full = "# " + "x" * 4000 + "\n"
        write(self.path("list"), full * (262144 // len(full)) + "#" * (262144 % len(full)))
        before = read(self.path("list"))
        self.refused(self.authorize(f"{LINE} a"), "it would be larger than 262144 bytes")
        self.assertEqual(read(self.path("list")), before)

    def test_line_from_standard_input_ends_once(self):
        for text in "", "\0", "x" * 5000, f"{LINE} a\n{OTHER} b\n", LINE:
            result = subprocess.run([OUTBOARD, "key", "authorize", self.path("list"), "-"], input=text, capture_output=True,
                                    text=True, timeout=PATIENCE)
            self.expect(result, USAGE, "")
            self.assertTrue(result.stderr)
            self.assertFalse(os.path.exists(self.path("list")))

    def test_many_at_once(self):
        """Each waits for the others: no line is lost."""
        lines = [self.new(f"k{i}", "--comment", f"k{i}") for i in range(12)]
        threads = [threading.Thread(target=self.authorize, args=(line,)) for line in lines]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(read(self.path("list")).splitlines(True)), sorted(lines))


class Config(Keys):
    def test_keys_that_were_made_work(self):
        """A child in the config, with keys and lists of this command: the parent's side is checked."""
        self.expect(self.authorize(self.new("child", "--comment", "child")), OK, "", "")
        self.new("parent", "--comment", "parent")
        config = {"use": "keys", "settings": {"key": self.path("parent"), "authorized": self.path("list")}}
        self.write({"a": {"command": [ACTOR], "listen": "tcp://127.0.0.1:0", "auth": ["noise", config]}})
        self.expect(outboard("check", self.config), OK, None, "")
        os.chmod(self.path("parent"), 0o644)
        result = outboard("check", self.config)
        self.assertEqual(result.returncode, USAGE)
        self.assertIn("its mode is 0644", result.stdout + result.stderr)


if __name__ == "__main__":
    unittest.main()
