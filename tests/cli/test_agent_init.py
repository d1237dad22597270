# SPDX-License-Identifier: MIT
"""outboard agent --init: the first process of a PID namespace, as it would be of a guest or a container."""
import json
import os
import signal
import subprocess
import time
import unittest
import urllib.parse

from command import OK, OUTBOARD, PATIENCE, UNREACHABLE, USAGE, Case, Watched, outboard

HOST, TOKEN = "0f" * 16, "2d" * 32


def namespace_of(pid):
    try:
        return os.stat(f"/proc/{pid}/ns/pid").st_ino
    except OSError:
        return None  # it is gone


def why_not():
    """Why there can be no such process here; None: it can."""
    if os.geteuid() != 0:
        return "needs root"
    try:
        probe = subprocess.run(["unshare", "--pid", "--mount", "--mount-proc", "--fork", "true"], capture_output=True, text=True)
    except FileNotFoundError:
        return "there is no unshare(1)"
    return probe.stderr.strip() or None


WHY_NOT = why_not()


class Served(Case):
    def setUp(self):
        super().setUp()
        self.far = os.path.join(self.dir, "far")
        self.address = f"unix://{urllib.parse.quote(self.dir)}/agent.sock"
        self.token = os.path.join(self.dir, "token")
        with open(os.open(self.token, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
            file.write(TOKEN + "\n")
        self.auth = "--auth=token", f"--token-file={self.token}"
        self.process = None
        self.asked = "--address", self.address, *self.auth

    def tearDown(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process is not None:
            self.process.stdout.close()
        super().tearDown()

    def begin(self, *args, before=(), **more):
        self.process = subprocess.Popen(
            [*before, OUTBOARD, "agent", *args, "--listen", self.address, "--root", self.far, *self.auth, "--allow", "/bin/*",
             "--allow", "/usr/bin/*"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, **more)
        self.await_listening()

    def await_listening(self):
        self.assertIn(b"the agent listens", self.process.stdout.readline())

    def answer(self, method, **params):
        result = outboard("call", *self.asked, f"outboard-agent.{method}", json.dumps(params))
        self.assertEqual(result.returncode, OK, result.stderr)
        return json.loads(result.stdout)

    def start(self, script, number=0):
        """Start a shell; returns what names it. pid is its number where the agent is."""
        child = {"host": HOST, "name": "web", "instance": f"{number:032x}"}
        self.answer("hello", host=HOST, label="test")
        self.answer("prepare", **child, options={"argv": ["/bin/sh", "-c", script], "cwd": self.dir}, config={})
        return child, self.answer("spawn", **child)["pid"]

    def await_end(self):
        """The exit of the child."""
        run, seen = None, 0
        while True:
            answer = self.answer("changes", host=HOST, run=run or "0" * 32, seen=seen, wait_ms=30000, max=64)
            run, seen = answer["run"], answer["next"]
            for facts in answer["children"]:
                if facts["state"] == "ended":
                    return facts["exit"]


class EndChildren(Served):
    def test_children_end_with_the_agent(self):
        """One that has ended by itself before, and one that ends by SIGTERM."""
        self.begin("--end-children")
        _, pid = self.start("trap 'echo told >told; exit 0' TERM; echo >up; while :; do sleep 1000 & wait; done")
        watched = self.watch(pid)
        self.until(lambda: os.path.exists(f"{self.dir}/up"))
        self.process.terminate()
        self.assertEqual(self.process.wait(PATIENCE), 0)
        watched.wait()
        self.assertTrue(os.path.exists(f"{self.dir}/told"))

    def until(self, holds):
        deadline = time.monotonic() + PATIENCE
        while not holds():
            self.assertLess(time.monotonic(), deadline)
            outboard("agent", "ping", self.address, *self.auth)

    def test_a_shutdown_ends_them_too(self):
        """The agent is a child, whose parent stops it by a call."""
        self.write({"agent": {"command": [OUTBOARD, "agent", "--root", self.far, "--allow", "/usr/bin/*", "--allow", "/bin/*",
                                          "--end-children"], "stop": {"rpc": "1m"}}})
        run = self.run_it()
        run.event("agent", "ready")
        self.asked = "--config", self.config, "agent"
        watched = self.watch(self.start("exec sleep 1000")[1])
        self.expect(outboard("stop", "--config", self.config, "agent"), OK)
        watched.wait()
        self.assertEqual(run.end(), OK)

    def test_only_the_first_process(self):
        result = outboard("agent", "--init", "--listen", self.address, "--root", self.far, *self.auth)
        self.assertEqual(result.returncode, USAGE)
        self.assertIn("--init: is for the first process of a machine or a container; this is process", result.stderr)


@unittest.skipIf(WHY_NOT, WHY_NOT)
class Init(Served):
    def setUp(self):
        super().setUp()
        self.first = None

    def tearDown(self):
        """The kernel ends a namespace with its first process."""
        if self.first is not None:
            for pid in self.inside():
                self.kill_quietly(pid)
            self.first.close()
        super().tearDown()

    def living_children(self):
        """The pids in their states are those of another namespace: here they are other processes."""
        return []

    @staticmethod
    def kill_quietly(pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def begin_init(self, script='exec "$0" "$@"', **more):
        """The shell runs in the namespaces before."""
        self.begin("--init", before=["unshare", "--pid", "--mount", "--mount-proc", "--fork", "--kill-child", "/bin/sh", "-c",
                                     script], **more)
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as children:
            self.first = Watched(int(children.read().split()[0]))
        self.namespace = namespace_of(self.first.pid)

    def inside(self):
        """number here -> number there, of all processes of the namespace. A zombie has none."""
        found = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            if namespace_of(pid) == self.namespace:
                found[int(pid)] = self.number_there(pid)
        return found

    @staticmethod
    def number_there(pid):
        return int(Init.field(pid, "NSpid").split()[-1])

    @staticmethod
    def field(pid, name):
        """Of /proc/PID/status."""
        with open(f"/proc/{pid}/status") as status:
            return next(line.split(":", 1)[1].strip() for line in status if line.startswith(name + ":"))

    def here(self, number):
        return next(pid for pid, there in self.inside().items() if there == number)

    def agent(self):
        """The child of the first process that listens."""
        with open(f"/proc/{self.first.pid}/task/{self.first.pid}/children") as children:
            for pid in children.read().split():
                with open(f"/proc/{pid}/cmdline", "rb") as line:
                    if b"--end-children" in line.read().split(b"\0"):
                        return int(pid)
        raise AssertionError("there is no agent")

    def states(self):
        """The states of all that the first process has as children, the dead ones, too."""
        with open(f"/proc/{self.first.pid}/task/{self.first.pid}/children") as children:
            return [self.field(pid, "State")[0] for pid in children.read().split()]

    def end(self):
        os.kill(self.first.pid, signal.SIGTERM)
        self.first.wait()
        self.assertEqual(self.process.wait(PATIENCE), 0)
        self.assertEqual(self.inside(), {})

    def test_orphans_are_reaped_and_exits_are_kept(self):
        """Children with a status of their own, each of which leaves ten orphans that end."""
        self.begin_init()
        for number in range(1, 8):
            child, _ = self.start(f"for i in 1 2 3 4 5 6 7 8 9 10; do (setsid sh -c 'exit 3' &); done; exit {number}", number)
            how = self.await_end()
            self.assertEqual((how["kind"], how["value"]), (1, number))
            self.answer("ack_exit", **child)
        deadline = time.monotonic() + PATIENCE
        while self.states() != ["S"]:
            self.assertLess(time.monotonic(), deadline, self.states())
            outboard("agent", "ping", self.address, *self.auth)
        self.end()

    def test_the_first_process_is_the_parent_of_orphans(self):
        self.begin_init()
        self.start("mkfifo up; (setsid sleep 1000 & echo $! >left); echo >up; exec sleep 1000")
        while not os.path.exists(f"{self.dir}/up"):
            outboard("agent", "ping", self.address, *self.auth)
        with open(f"{self.dir}/up") as up:
            up.read()
        with open(f"{self.dir}/left") as left:
            pid = self.here(int(left.read()))
        self.assertEqual(int(self.field(pid, "PPid")), self.first.pid)
        orphan = Watched(pid)
        os.kill(pid, signal.SIGKILL)
        orphan.wait()
        orphan.close()
        deadline = time.monotonic() + PATIENCE
        while os.path.exists(f"/proc/{pid}"):
            self.assertLess(time.monotonic(), deadline, "it is not reaped")
            outboard("agent", "ping", self.address, *self.auth)
        self.end()

    def test_an_agent_that_is_killed_is_started_again(self):
        """It finds the child, whose exit is not its to see."""
        self.begin_init()
        _, number = self.start("exec sleep 1000")
        child, agent = self.here(number), self.agent()
        for _ in range(2):
            os.kill(agent, signal.SIGKILL)
            self.await_listening()
            listed = outboard("agent", "list", "--json", self.address, *self.auth)
            self.assertEqual([(c["state"], c["pid"]) for c in json.loads(listed.stdout)], [("running", number)])
            agent = self.agent()
        os.kill(child, signal.SIGKILL)
        how = self.await_end()
        self.assertIn((how["kind"], how["value"]), [(0, 0), (2, signal.SIGKILL)], "newer kernels tell everybody")
        self.end()

    def test_an_agent_that_gives_up_ends_all(self):
        """Its status is that of the first process. What is left elsewhere is killed."""
        self.begin_init()
        self.start("exec sleep 1000")
        os.kill(self.agent(), signal.SIGTERM)
        self.first.wait()
        self.assertEqual(self.process.wait(PATIENCE), 0)
        self.assertEqual(self.inside(), {})

    def test_sigterm_ends_also_what_nobody_knows(self):
        self.begin_init('setsid sh -c "trap \'\' TERM; sleep 1000; sleep 1000" & exec "$0" "$@"')
        self.start("trap '' HUP; sleep 1000; exit 1")
        self.end()

    def test_an_agent_that_hangs_does_not_keep_it(self):
        self.begin_init()
        self.start("exec sleep 1000")
        os.kill(self.agent(), signal.SIGSTOP)
        os.kill(self.first.pid, signal.SIGTERM)
        self.first.wait()
        self.assertEqual(self.process.wait(PATIENCE), UNREACHABLE)
        self.assertEqual(self.inside(), {})

    def test_what_it_cannot_serve_is_its_status(self):
        result = subprocess.run(["unshare", "--pid", "--mount", "--mount-proc", "--fork", OUTBOARD, "agent", "--init", "--listen",
                                 "unix:///no/where", "--root", self.far, *self.auth], capture_output=True, text=True,
                                timeout=PATIENCE)
        self.assertEqual(result.returncode, UNREACHABLE, result.stderr)

    def test_what_it_runs_in(self):
        """PATH, umask and directory are the same wherever it was started."""
        env = {name: value for name, value in os.environ.items() if name != "PATH"}
        self.begin_init('unset PATH; umask 077; cd /usr; exec "$0" "$@"', env={**env, "PATH": os.environ["PATH"]})
        agent = self.agent()
        self.assertEqual(os.readlink(f"/proc/{agent}/cwd"), "/")
        self.assertEqual(self.field(agent, "Umask"), "0022")
        with open(f"/proc/{agent}/environ", "rb") as environ:
            self.assertIn(b"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", environ.read().split(b"\0"))
        self.end()

    def test_what_is_missing_is_mounted(self):
        """On an empty root: /proc of its own, /sys, /dev and more. What was mounted stays, of whichever file system."""
        self.begin_init("""
            set -e
            n=$OB_TEST_ROOT
            mount -t tmpfs root "$n"
            cd "$n"
            for d in usr bin lib lib64 etc "$OB_TEST_BUILD" "$OB_TEST_DIR"; do
                [ -e "/$d" ] || continue
                mkdir -p "$n/$d"; mount --rbind "/$d" "$n/$d"
            done
            mkdir -p run tmp bound
            mount --bind bound run
            exec chroot "$n" "$0" "$@" """, env={**os.environ, "OB_TEST_ROOT": self.make("new"), "OB_TEST_DIR": self.dir})
        with open(f"/proc/{self.first.pid}/mountinfo") as mounts:
            lines = [line.split() for line in mounts]
        root, inside = os.path.join(self.dir, "new"), f"/proc/{self.first.pid}/root"
        kinds = {line[4].removeprefix(root): line[line.index("-") + 1] for line in lines}
        for path, kind in {"/proc": "proc", "/sys": "sysfs", "/dev": "devtmpfs", "/dev/pts": "devpts", "/dev/shm": "tmpfs",
                           "/run": "tmpfs"}.items():
            self.assertEqual(kinds.get(path), kind, path)
        self.assertEqual([line[4].removeprefix(root) for line in lines].count("/run"), 1)
        self.assertTrue(os.path.samefile(os.path.join(inside, "run"), os.path.join(inside, "bound")))
        with open(os.path.join(inside, "proc/1/cmdline"), "rb") as line:
            self.assertIn(b"--init", line.read().split(b"\0"))
        self.end()

    def make(self, name):
        path = os.path.join(self.dir, name)
        os.mkdir(path)
        return path

    def test_a_proc_of_others_is_not_covered(self):
        """The mounts are its own here, which it cannot know."""
        result = subprocess.run(["unshare", "--pid", "--mount", "--fork", OUTBOARD, "agent", "--init", "--listen", self.address,
                                 "--root", self.far, *self.auth], capture_output=True, text=True, timeout=PATIENCE)
        self.assertNotEqual(result.returncode, OK)
        self.assertIn("what is mounted at /proc is not of this PID namespace", result.stderr)


if __name__ == "__main__":
    unittest.main()
