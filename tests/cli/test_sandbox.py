# SPDX-License-Identifier: MIT
"""Children in user namespaces, by bubblewrap and unshare: where root, or the parent, has no number."""
import json
import os
import signal
import unittest

from command import OK
from sandboxed import INSIDE, Sandboxed, as_user, works

ROOT = os.geteuid() == 0
USER = 1 if ROOT else None  # an ordinary user
BWRAP = works("bwrap", "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "true", **as_user(USER))
UNSHARE = works("unshare", "--user", "true", **as_user(USER))
ONCE = {"max_restarts": -1}


class Inside(Sandboxed):
    def call(self, name):
        done = self.outboard("call", f"{self.root}/{name}", "kv.set", '["colour", "red"]')
        self.assertEqual((done.returncode, done.stderr), (OK, ""))

    def live(self, name):
        """Check, start, call, adopt, stop."""
        self.expect(self.outboard("check", "--strict", self.config), OK)
        run = self.run_it()
        pid = run.event(name, "ready")["pid"]
        self.call(name)
        self.assertEqual(run.end(signal.SIGUSR1), OK)
        run = self.run_it()
        self.assertEqual(run.event(name, "adopted")["pid"], pid)
        self.call(name)
        watched = self.watch(pid)
        self.assertEqual(run.end(), OK)
        watched.wait()

    def expect_refusals(self, name):
        """Check, and both ends, say what is wrong and what to use."""
        checked = self.outboard("check", self.config)
        self.assertEqual(checked.returncode, OK, checked.stderr)
        self.assertIn(f"warning: children.{name}.auth: peercred cannot work", checked.stderr)
        run = self.run_it()
        parent = ""
        while "peercred" not in parent:
            reason = run.record(lambda r: r["msg"] == "a connection was refused")["reason"]
            parent = self.status()[name]["last_error"] or ""
        self.assertIn("is the overflow uid", reason)
        self.assertIn("use token or noise instead", reason)
        self.assertIn("has no number in the peer's user namespace: use token or noise instead", parent)
        self.assertEqual(run.end(), OK)

    def give_up(self, name):
        """The records until it is given up."""
        run = self.run_it()
        run.event(name, "failed")
        self.assertEqual(run.end(), OK)
        return "\n".join(json.dumps(record) for record in run.records)


@unittest.skipUnless(BWRAP, "bubblewrap is not installed, or may not make user namespaces")
class Bubblewrap(Inside):
    uid = USER

    @unittest.skipIf(ROOT, "the plugins belong to root, not to the user: see the next test")
    def test_a_child_of_an_ordinary_user_with_plugins_of_his_own(self):
        self.write({"boxed": {"command": self.bwrap("boxed")}})
        self.live("boxed")

    @unittest.skipUnless(ROOT, "needs plugins of root, and a user who is not root")
    def test_plugins_of_root_are_loaded_where_the_config_says_so(self):
        self.write({"boxed": {"command": self.bwrap("boxed"), "restart": ONCE}})
        log = self.give_up("boxed")
        self.assertIn("its directory belongs to a user without a number in this user namespace", log)
        self.assertIn("set plugin_trust to", log)
        self.write({"boxed": {"command": self.bwrap("boxed"), "plugin_trust": "unmapped"}})
        self.live("boxed")

    @unittest.skipUnless(ROOT, "needs plugins of root, and a user who is not root")
    def test_a_path_that_others_can_change_is_not_trusted(self):
        os.mkdir(f"{self.dir}/open")
        os.rename(self.bin, f"{self.dir}/open/plugins")
        os.symlink(f"{self.dir}/open/plugins", self.bin)
        for mode in (0o775, 0o1777):
            os.chmod(f"{self.dir}/open", mode)
            inside = ["--ro-bind", f"{self.dir}/open", "/opt/open", "--setenv", "OUTBOARD_PLUGIN_PATH", "/opt/open/plugins"]
            self.write({"boxed": {"command": self.bwrap("boxed", *inside), "plugin_trust": "unmapped", "restart": ONCE}})
            self.assertIn("the directory /opt/open above it is writable by group or others", self.give_up("boxed"))

    @unittest.skipUnless(ROOT, "needs a user who is not root")
    def test_the_child_itself_can_call(self):
        """With the config of the child, which says whose plugins are trusted."""
        command = self.bwrap("boxed")
        call = f"{INSIDE}/outboard call {self.root}/boxed"
        command[-1:] = ["sh", "-c", f"{INSIDE}/kv-child & read x </tmp/go; {call} kv.set '[\"colour\", \"blue\"]'; "
                        f"{call} kv.get '[\"colour\"]'; wait"]
        go = f"{self.home}/go"
        os.mkfifo(go)
        os.chown(go, self.uid, self.uid)
        at = command.index("--setenv")
        command[at:at] = ["--bind", go, "/tmp/go"]
        self.write({"boxed": {"command": command, "plugin_trust": "unmapped"}})
        run = self.run_it()
        run.event("boxed", "ready")
        with open(go, "w", encoding="ascii") as file:
            file.write("go\n")
        run.record(lambda r: r["msg"] == '"blue"')
        self.assertEqual(run.end(), OK)


@unittest.skipUnless(BWRAP and ROOT, "needs bubblewrap, root, and user namespaces for others")
class BubblewrapOfAnotherUser(Inside):
    """The supervisor is root, who has no number in a namespace of the child's user."""
    uid = None

    def boxed(self, **more):
        return {"boxed": {"command": self.bwrap("boxed"), "user": "daemon", "group": "daemon", "plugin_trust": "unmapped",
                          **more}}

    def test_peercred_says_why_it_cannot_work(self):
        self.write(self.boxed())
        self.expect_refusals("boxed")

    def test_token_and_noise_work(self):
        for auth in ("token", "noise"):
            self.write(self.boxed(auth=auth))
            self.live("boxed")


@unittest.skipUnless(UNSHARE, "unshare is not installed, or may not make user namespaces")
class Unmapped(Inside):
    """A namespace without any user."""
    uid = None

    def inside(self, **more):
        return {"inside": {"command": ["unshare", "--user", self.child], **more}}

    def test_both_ends_say_what_to_use(self):
        self.write(self.inside())
        self.expect_refusals("inside")

    def test_token_works(self):
        self.write(self.inside(auth="token"))
        self.live("inside")

    @unittest.skipUnless(ROOT, "needs plugins of another user")
    def test_our_own_number_proves_nothing_there(self):
        self.uid = USER
        os.chown(self.home, USER, USER)
        self.write(self.inside(auth="token", restart=ONCE))
        self.assertIn("belongs to a user without a number in this user namespace", self.give_up("inside"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
