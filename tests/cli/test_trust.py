# SPDX-License-Identifier: MIT
"""What outboard run believes of a child of another user, which controls its data directory."""
import json
import os
import signal
import stat
import subprocess
import unittest

from command import OK, Case, outboard

PYTHON = "/usr/bin/python3"
# A child that prints `done` when it has done its part, and lives on.
PRELUDE = """
import fcntl, json, os, signal, struct, sys
config = os.environ["OUTBOARD_CONFIG"]
here = os.path.dirname(config)
def lock(name):
    fd = os.open(os.path.join(here, name), os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.fcntl(fd, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))  # F_OFD_SETLK
"""
ENDING = """
print("done", flush=True)
signal.pause()
"""

# A service of root, and a child's code that gives it the descriptor of the lock.
SERVICE = """
import os, signal, socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o777)
server.listen()
print("listening", flush=True)
while True:
    peer, _ = server.accept()
    kept = socket.recv_fds(peer, 1, 1)[1]
    print("holding", flush=True)
    peer.close()
    while kept:
        signal.pause()
"""
GIVE = """
import socket
peer = socket.socket(socket.AF_UNIX)
peer.connect(sys.argv[1])
socket.send_fds(peer, [b"x"], [3])
"""


def child(code, *arguments, **more):
    return {"command": [PYTHON, "-S", "-c", PRELUDE + code + ENDING, *map(str, arguments)],
            "user": "daemon", "ready": {"mode": "none"}, "stop": {"timeout": "1s"}, **more}


def procid_of(pid):
    with open("/proc/sys/kernel/random/boot_id") as file:
        boot = file.read().strip()
    with open(f"/proc/{pid}/stat") as file:
        start = file.read().rsplit(")", 1)[1].split()[19]
    return f"{boot}:{pid}:{start}:0"


def owner_of(pid):
    return os.stat(f"/proc/{pid}").st_uid


@unittest.skipUnless(os.geteuid() == 0, "only root can start children of another user")
class Trust(Case):
    def setUp(self):
        super().setUp()
        os.chmod(self.dir, 0o755)

    def begin(self, event="ready"):
        """Run until the child is there and has done its part."""
        run = self.run_it()
        pid = run.event("a", event)["pid"]
        if event == "ready":
            run.record(lambda r: r["msg"] == "done")
        return run, pid

    def adopt(self, run, pid):
        """Another run takes the same child over and can stop it."""
        watched = self.watch(pid)
        self.assertEqual(run.end(signal.SIGUSR1), OK)
        again, adopted = self.begin("adopted")
        self.assertEqual(adopted, pid)
        self.expect(outboard("stop", "--config", self.config, "a"), OK)
        watched.wait()
        self.assertEqual(again.end(), OK)

    def test_fault_79_a_forged_state_is_not_believed(self):
        victim = subprocess.Popen(["/bin/sleep", "1000"], start_new_session=True)
        try:
            self.write({"a": child("""
try:
    os.write(3, b"1 1")
    print("descriptor 3 can be written")
except OSError:
    pass
state = {"state": "ready", "desired": "running", "record": sys.argv[1], "was_ready": True}
for name in ("state.json", "start"):
    with open(os.open(os.path.join(here, name), os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
        json.dump(state, file)
lock("outboard.lock")
""", procid_of(victim.pid))})
            run, pid = self.begin()
            self.assertNotIn("descriptor 3 can be written", [r["msg"] for r in run.records])
            self.adopt(run, pid)
            self.assertIsNone(victim.poll())
        finally:
            victim.kill()
            victim.wait()

    def test_fault_80_the_supervisor_does_not_dial_itself(self):
        own = f"unix://{self.root}/run.sock"
        self.write({"a": child("""
c = json.load(open(config))
c.update(rpc_addr=sys.argv[1], ready=True, pid=os.getpid())
temp = os.path.join(here, "outboard-config-x.tmp")
with open(os.open(temp, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
    json.dump(c, file)
os.rename(temp, config)
""", own, ready={"mode": "config"}, version=2, auth="peercred", restart={"max_restarts": -1})})
        run = self.run_it()
        run.event("a", "exited")
        self.assertEqual(self.status()["a"]["pid"], None)
        self.assertEqual(run.end(), OK)

    def test_fault_80_a_call_of_the_child_reaches_no_one_else(self):
        self.write({"a": child("""
c = json.load(open(config))
c.update(rpc_addr=sys.argv[1], ready=True, auth="peercred", pid=os.getpid())
with open(config, "w") as file:
    json.dump(c, file)
""", f"unix://{self.root}/run.sock")})
        run, pid = self.begin()
        result = outboard("call", f"{self.root}/a", "outboard-control.shutdown")
        self.assertNotEqual(result.returncode, OK)
        self.assertEqual(self.status()["a"]["pid"], pid)
        self.assertEqual(run.end(), OK)

    def test_fault_81_a_child_that_changes_its_directory_is_supervised(self):
        for code in ("os.chmod(here, 0o777)", "os.chmod(here, 0)", 'lock("parent.lock")'):
            self.write({"a": child(code)})
            run, pid = self.begin()
            self.adopt(run, pid)

    def test_fault_93_a_service_that_was_given_the_lock_lives(self):
        address = f"{self.dir}/service"
        service = subprocess.Popen([PYTHON, "-S", "-c", SERVICE, address], stdout=subprocess.PIPE,
                                   start_new_session=True)
        self.addCleanup(service.stdout.close)
        self.addCleanup(service.wait)
        self.addCleanup(service.kill)
        self.assertEqual(service.stdout.readline(), b"listening\n")
        self.write({"a": child(GIVE, address, restart={"backoff_base": "10ms"})})
        run, pid = self.begin()
        self.assertEqual(service.stdout.readline(), b"holding\n")
        os.kill(pid, signal.SIGKILL)
        self.assertIn(f"(pid {service.pid})", run.event("a", "lingering")["cause"])
        self.assertNotEqual(run.event("a", "ready")["pid"], pid)
        self.assertIsNone(service.poll())
        self.assertEqual(run.end(), OK)
        self.assertIsNone(service.poll())

    def test_fault_94_a_child_that_closed_descriptor_3_is_not_doubled(self):
        self.write({"a": child("os.close(3)")})
        run, pid = self.begin()
        watched = self.watch(pid)
        self.assertEqual(run.end(signal.SIGUSR1), OK)
        again = self.run_it()
        adopted = again.event("a", "adopted")
        self.assertEqual(adopted["pid"], pid)
        self.assertIn("descriptor 3", adopted["cause"])
        self.assertEqual(again.end(), OK)
        watched.wait()

    def test_fault_95_a_child_whose_user_changed_is_not_stranded(self):
        self.write({"a": child("")})
        run, pid = self.begin()
        for user in ("bin", None):
            watched = self.watch(pid)
            self.assertEqual(run.end(signal.SIGUSR1), OK)
            changed = child("")
            del changed["user"]
            self.write({"a": {**changed, **({"user": user} if user else {})}})
            run, adopted = self.begin("adopted")
            self.assertEqual(adopted, pid)
            self.assertTrue(self.status()["a"]["stale"])
            self.expect(outboard("restart", "--config", self.config, "a"), OK)
            watched.wait()
            pid = self.status()["a"]["pid"]
            self.assertEqual(owner_of(pid), os.stat(f"{self.root}/a").st_uid)
        self.assertEqual(owner_of(pid), 0)
        self.assertEqual(run.end(), OK)

    def test_fault_95_a_removed_directory_is_made_again(self):
        self.write({"a": child("", restart={"backoff_base": "100ms"})})
        run, pid = self.begin()
        subprocess.run(["rm", "-rf", f"{self.root}/a"], check=True)
        os.kill(pid, signal.SIGKILL)
        run.event("a", "exited")
        run.event("a", "ready")
        self.assertTrue(stat.S_ISDIR(os.stat(f"{self.root}/a").st_mode))
        self.assertEqual(run.end(), OK)

    def test_a_data_root_can_be_entered_by_children_of_other_users(self):
        self.write({"a": child("open(config).read()")})
        was = os.umask(0o077)
        try:
            run, _ = self.begin()
        finally:
            os.umask(was)
        self.assertEqual(stat.S_IMODE(os.stat(self.root).st_mode), 0o711)
        self.assertEqual(stat.S_IMODE(os.stat(f"{self.root}/.state/a").st_mode), 0o700)
        self.assertEqual(run.end(), OK)


if __name__ == "__main__":
    unittest.main(verbosity=2)
