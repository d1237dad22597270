# SPDX-License-Identifier: MIT
"""run_as: the command runs as the supervisor's user, and the child inside as another one."""
import json
import os
import signal
import stat
import unittest

from command import OK, UNREACHABLE, USAGE
from sandboxed import INSIDE, Sandboxed, runc_works, works, write_bundle

UID, GID = 1234, 1235
AS = {"uid": UID, "gid": GID}

# A child whose process starts another one, in a session of its own and without the child's environment, which keeps
# descriptor 3 and says who it is.
RUNNER = """
import os, signal, subprocess, sys
code = "import os, signal; print('kept by', os.getpid(), flush=True); signal.pause()"
subprocess.Popen([sys.executable, "-S", "-c", code], env={}, start_new_session=True, pass_fds=[3])
signal.pause()
"""


def change_to(user):
    """A command that becomes this user, and then the command behind it."""
    return ["setpriv", "--reuid", str(user["uid"]), "--regid", str(user["gid"]), "--clear-groups"]


def owner_of(path):
    st = os.lstat(path)
    return st.st_uid, st.st_gid


@unittest.skipUnless(os.geteuid() == 0, "only root can have a child of another user")
@unittest.skipUnless(works("setpriv", "--version"), "setpriv is not installed")
class RunAs(Sandboxed):
    def changed(self, **more):
        return {"command": [*change_to(AS), self.child], "run_as": AS, "stop": {"timeout": "5s"}, **more}

    def call(self, *args, uid=None):
        done = self.outboard("call", f"{self.root}/a", *args, uid=uid)
        self.assertEqual((done.returncode, done.stderr), (OK, ""))
        return json.loads(done.stdout)

    def test_what_is_the_childs_belongs_to_the_child(self):
        self.write({"a": self.changed()})
        run = self.run_it()
        run.event("a", "ready")
        for name in ("", "outboard.json", "stdout.fifo", "stderr.fifo", "rpc.sock"):
            self.assertEqual(owner_of(f"{self.root}/a/{name}"), (UID, GID), name)
        self.assertEqual(stat.S_IMODE(os.stat(f"{self.root}/a").st_mode), 0o700)
        self.assertEqual(stat.S_IMODE(os.stat(self.root).st_mode), 0o711)
        for name in ("", "state.json", "outboard.lock", "start"):
            self.assertEqual(owner_of(f"{self.root}/.state/a/{name}"), (0, 0), name)
        self.assertEqual(run.end(), OK)
        self.assertEqual(os.listdir(f"{self.root}/a"), [])

    def test_root_and_the_childs_own_user_reach_it(self):
        self.write({"a": self.changed(auth="peercred")})
        run = self.run_it()
        run.event("a", "ready")
        for uid in (None, UID):
            self.call("kv.set", json.dumps(["colour", "red"]), uid=uid)
            self.assertEqual(self.call("kv.get", '["colour"]', uid=uid), "red")
        other = self.outboard("call", f"{self.root}/a", "kv.get", '["colour"]', uid=1)
        self.assertEqual(other.returncode, UNREACHABLE, other.stderr)
        self.assertEqual(run.end(), OK)

    def test_another_supervisor_takes_it_over(self):
        self.write({"a": self.changed()})
        run = self.run_it()
        pid = run.event("a", "ready")["pid"]
        watched = self.watch(pid)
        self.assertEqual(run.end(signal.SIGUSR1), OK)
        # Whom the config names by now does not matter to the child that lives.
        other = {"uid": UID + 2, "gid": GID}
        self.write({"a": self.changed(run_as=other, command=change_to(other) + [self.child])})
        run = self.run_it()
        self.assertEqual(run.event("a", "adopted")["pid"], pid)
        self.assertTrue(self.status()["a"]["stale"])
        self.assertTrue(self.call("outboard-control.health")["healthy"])
        self.assertEqual(owner_of(f"{self.root}/a"), (UID, GID))
        self.expect(self.outboard("restart", "--config", self.config, "a"), OK)
        watched.wait()
        self.assertEqual(owner_of(f"{self.root}/a"), (UID + 2, GID))
        self.assertTrue(self.call("outboard-control.health")["healthy"])
        self.assertEqual(run.end(), OK)

    def test_a_new_user_gets_the_directory(self):
        self.write({"a": self.changed()})
        run = self.run_it()
        run.event("a", "ready")
        self.assertEqual(run.end(), OK)
        self.write({"a": {"command": [self.child]}})
        run = self.run_it()
        run.event("a", "ready")
        self.assertEqual(owner_of(f"{self.root}/a"), (0, 0))
        self.assertEqual(run.end(), OK)

    def test_what_is_left_of_it_is_known_by_its_user(self):
        self.write({"a": {"command": [*change_to(AS), "/usr/bin/python3", "-S", "-c", RUNNER], "run_as": AS,
                          "ready": {"mode": "none"}, "restart": {"on": "never"}}})
        run = self.run_it()
        pid = run.event("a", "ready")["pid"]
        kept = self.watch(int(run.record(lambda r: r["msg"].startswith("kept by"))["msg"].split()[2]))
        self.assertEqual(run.end(signal.SIGUSR1), OK)
        # For this supervisor they are no descendants.
        run = self.run_it()
        run.event("a", "adopted")
        os.kill(pid, signal.SIGKILL)
        self.assertIn(f"(pid {kept.pid})", run.event("a", "lingering")["cause"])
        kept.wait()
        run.event("a", "failed")
        self.assertEqual(run.end(), OK)

    def test_a_child_that_was_removed_from_the_config_is_ended(self):
        self.write({"a": self.changed(), "b": {"command": [self.child]}})
        run = self.run_it()
        pid = run.events(a="ready", b="ready")["a"]["pid"]
        watched = self.watch(pid)
        self.assertEqual(run.end(signal.SIGUSR1), OK)
        self.write({"b": {"command": [self.child]}})
        run = self.run_it()
        watched.wait()
        run.event("b", "adopted")
        self.assertEqual(run.end(), OK)
        self.assertFalse(os.path.exists(f"{self.root}/a/rpc.sock"))

    def test_a_command_that_stays_root_cannot_be_believed(self):
        self.write({"a": {"command": [self.child], "run_as": AS, "restart": {"on": "never"}}})
        run = self.run_it()
        self.assertIn(f"belongs to user {UID}", run.record(lambda r: "belongs to user" in r["msg"])["msg"])
        run.event("a", "failed")
        self.assertEqual(run.end(), OK)

    def test_what_cannot_be_is_refused(self):
        for more, reason in (({"user": "daemon"}, "excludes user and group"), ({"group": "daemon"}, "excludes user"),
                             ({"run_as": {"uid": 65534, "gid": GID}}, "which peercred refuses")):
            self.write({"a": {**self.changed(), **more}})
            done = self.outboard("check", self.config)
            self.assertEqual(done.returncode, USAGE)
            self.assertIn(f"{self.place_of('run_as')}: children.a.run_as: ", done.stderr)
            self.assertIn(reason, done.stderr)
        self.write({"a": self.changed(run_as={"uid": 65534, "gid": 65534}, auth="token")})
        self.assertEqual(self.outboard("check", self.config).returncode, OK)


@unittest.skipUnless(os.geteuid() == 0, "only root can act as another user")
class RunAsOfAnOrdinaryUser(Sandboxed):
    uid = 1

    def test_only_its_own_user_can_be(self):
        for uid, gid, reason in ((0, 1, "only root"), (2, 1, "only root"), (1, 2, "none of the supervisor's groups")):
            self.write({"a": {"command": [self.child], "run_as": {"uid": uid, "gid": gid}}})
            for command in ("check", "run"):
                done = self.outboard(command, self.config)
                self.assertEqual(done.returncode, USAGE, done.stderr)
                self.assertIn("children.a.run_as", done.stderr)
                self.assertIn(reason, done.stderr)
        self.write({"a": {"command": [self.child], "run_as": {"uid": 1, "gid": 1}}})
        run = self.run_it()
        run.event("a", "ready")
        self.assertEqual(run.end(), OK)


@unittest.skipUnless(runc_works(), "runc is not installed, or makes no containers here")
class Contained(Sandboxed):
    def contained(self, run_as, **more):
        """A child in a container of runc, and its config."""
        self.name = os.path.basename(self.dir)
        data = f"{self.root}/a"
        bundle = f"{self.dir}/bundle"
        env = [f"OUTBOARD_CONFIG={data}/outboard.json", "OUTBOARD_LOCK_FD=3", f"OUTBOARD_PLUGIN_PATH={INSIDE}",
               f"LD_LIBRARY_PATH={INSIDE}"]
        write_bundle(bundle, [f"{INSIDE}/kv-child"], [(self.bin, INSIDE, "ro"), (data, data, "rw")], env=env, **more)
        child = {"command": ["runc", "run", "--preserve-fds", "1", "--bundle", bundle, self.name],
                 "stop": {"cleanup": ["runc", "delete", "--force", self.name]}, "restart": {"backoff_base": "10ms"}}
        return {**child, "run_as": {"uid": run_as, "gid": run_as}} if run_as is not None else child

    def live(self):
        """Start, call, adopt, lose the runner, restart, stop."""
        run = self.run_it()
        pid = run.event("a", "ready")["pid"]
        row = self.status()["a"]
        self.assertEqual((row["pid"], row["inner_pid"]), (pid, 1))
        self.assertEqual(run.end(signal.SIGUSR1), OK)
        run = self.run_it()
        run.event("a", "adopted")
        os.kill(pid, signal.SIGKILL)
        run.event("a", "exited")
        again = run.event("a", "ready")["pid"]
        done = self.outboard("call", f"{self.root}/a", "kv.set", '["colour", "red"]')
        self.assertEqual((done.returncode, done.stderr), (OK, ""))
        watched = self.watch(again)
        self.assertEqual(run.end(), OK)
        watched.wait()
        self.assertFalse(works("runc", "state", self.name))

    def test_as_a_user_of_the_image(self):
        self.write({"a": self.contained(UID, uid=UID, gid=UID)})
        self.expect(self.outboard("check", "--strict", self.config), OK)
        self.live()

    @unittest.skipUnless(runc_works(outside=100000), "runc makes no user namespaces here")
    def test_as_root_of_a_user_namespace(self):
        self.write({"a": {**self.contained(100000, outside=100000), "auth": "token", "plugin_trust": "unmapped"}})
        self.expect(self.outboard("check", "--strict", self.config), OK)
        self.live()

    def test_check_reads_the_bundle(self):
        child = self.contained(None, uid=UID, gid=GID, outside=100000)
        self.write({"a": child})
        done = self.outboard("check", self.config)
        self.assertEqual(done.returncode, OK, done.stderr)
        self.assertIn("children.a.auth: peercred cannot work", done.stderr)
        self.assertIn(f'children.a.run_as: {self.dir}/bundle/config.json runs the child as user {100000 + UID}', done.stderr)
        self.assertIn(f'set run_as to {{"uid": {100000 + UID}, "gid": {100000 + GID}}}', done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
