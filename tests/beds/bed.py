# SPDX-License-Identifier: MIT
"""The life of a child in a bed: a process on the host, a container, a virtual machine.

A bed is a recipe of the docs, run as it is written there, but for directories and names. Each test of a bed derives from
Life, says what its recipe is and how to look into the bed, and inherits the tests. The child is child-actor.

Nothing here sleeps: every wait is for an event or for output, with a deadline.
"""
import contextlib
import glob
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from command import BUILD, OK, OUTBOARD, PATIENCE, Run, Watched, is_alive  # noqa: E402

SOURCE = os.environ["OB_TEST_SOURCE"]
STATIC_CHILD = os.path.join(BUILD, "children", "child-actor-static")
# What a restart policy and a heartbeat need to be seen in a test.
BRISK = {"restart": {"backoff_base": "100ms"}, "health": {"interval": "500ms"}}
RECORDS = 1200


class Recipe:
    """The blocks of a page behind <!-- recipe: NAME... -->: the config (json) and the commands to run before it (sh)."""

    def __init__(self, page, name):
        with open(os.path.join(SOURCE, "docs", page), encoding="utf-8") as file:
            text = file.read()
        blocks = re.findall(r"^<!-- recipe: ([^\n]*) -->\n```(\w+)\n(.*?)^```$", text, re.M | re.S)
        blocks = [(kind, block) for names, kind, block in blocks if name in names.split()]
        self.config = "".join(block for kind, block in blocks if kind == "json")
        self.script = "".join(block for kind, block in blocks if kind == "sh")
        if self.config == "":
            raise AssertionError(f"{page} has no recipe {name}")

    def replaced(self, names):
        """The same with other directories and names: {text of the page: text}. Each must be on the page."""
        for old, new in names.items():
            if old not in self.config + self.script:
                raise AssertionError(f"the recipe does not mention {old}")
            self.config = self.config.replace(old, new)
            self.script = self.script.replace(old, new)
        return self


def merged(config, more):
    """The config with more in it; objects are merged, all else is replaced."""
    for key, value in more.items():
        config[key] = merged(config.get(key, {}), value) if isinstance(value, dict) else value
    return config


def processes_with(text):
    """The pids of processes that have this text in their environment or in their arguments."""
    found = set()
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            for name in ("environ", "cmdline"):
                with open(f"/proc/{entry}/{name}", "rb") as file:
                    if text.encode() in file.read() and is_alive(int(entry)):
                        found.add(int(entry))
    return found - {os.getpid()}


def inner_process(config_path, program="kv-child"):
    """The process of the child itself: it has this OUTBOARD_CONFIG, and its program is the child's."""
    for pid in processes_with(f"OUTBOARD_CONFIG={config_path}"):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if os.path.basename(file.read().split(b"\0")[0]).decode() == program:
                    return pid
    raise AssertionError(f"no process of {program} with {config_path}")


def lines_with(path, *texts):
    with contextlib.suppress(OSError):
        with open(path, encoding="utf-8", errors="replace") as file:
            return {f"{path}: {line.strip()}" for line in file if any(text in line for text in texts)}
    return set()


def cgroups_with(*texts):
    return {base for base, dirs, _ in os.walk("/sys/fs/cgroup") if any(t in os.path.basename(base) for t in texts)}


def traces(*texts):
    """What the kernel shows of a bed whose directories and names have these texts in them."""
    found = {f"process {pid}" for text in texts for pid in processes_with(text)}
    found |= lines_with("/proc/self/mounts", *texts) | lines_with("/proc/net/unix", *texts)
    return found | cgroups_with(*texts)


class Life(unittest.TestCase):
    """What each bed must do. A class that derives from it sets `recipe` and `child`, and what else differs."""

    page = "CONTAINERS.md"
    recipe = None  # the name on the page
    child = None  # the name of the child in the config
    user = None  # run the supervisor as this user
    places = {"/var/lib/example": "data", "/usr/local/bin": "bin"}  # of the page, and what they are in the test's directory
    names = {}  # further texts of the page to replace
    more = {}  # further keys of the child in the config
    tools = ()  # commands that must be there
    probe = ()  # a command that must succeed
    root_only = True
    burst = RECORDS  # so many records at once do not overflow a pipe between child and supervisor

    # ---- For a bed to say otherwise ----

    def prepare(self):
        """Before the recipe's commands."""

    def environment(self):
        """For the supervisor and the recipe's commands."""
        return {}

    def inner(self):
        """The process of the child, as the host sees it."""
        return inner_process(self.data_path("outboard.json"))

    def leftovers(self):
        """What is left of the bed itself, such as a container: a set of texts."""
        return set()

    def tidy(self):
        """End what the tool keeps for its next container."""

    def sweep(self):
        """After a failure, end what is left."""

    # ---- Set up ----

    def setUp(self):
        if self.root_only and os.geteuid() != 0:
            self.skipTest("root is required")
        if self.user is not None and os.geteuid() != 0:
            self.user = None  # we are an ordinary user ourselves
        for tool in self.tools:
            if shutil.which(tool) is None:
                self.skipTest(f"{tool} is not installed")
        if self.probe:
            done = subprocess.run(self.probe, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=PATIENCE, check=False, **self.as_user())
            if done.returncode != 0:
                self.skipTest(f"{self.probe[0]} does not work here: {done.stderr.strip()[-200:]}")
        self.runs, self.numbers = [], []
        self.mounted = [self.child]  # in data_root, as the child sees it
        self.dir = tempfile.mkdtemp(prefix="ob-bed-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        os.chmod(self.dir, 0o755)
        self.tag = os.path.basename(self.dir).replace("_", "x").lower()
        self.root = os.path.join(self.dir, "data")
        os.mkdir(self.root)
        os.chmod(self.root, 0o755)
        self.install()
        self.own(self.root)
        self.prepare()
        self.write_recipe()

    def install(self):
        """The child as the recipe has it, and what an ordinary user needs to run the command."""
        for name in ("bin", "share"):
            os.mkdir(os.path.join(self.dir, name))
            os.chmod(os.path.join(self.dir, name), 0o755)
        self.own(os.path.join(self.dir, "share"))
        shutil.copy(STATIC_CHILD, os.path.join(self.dir, "bin", "kv-child"))
        os.chmod(os.path.join(self.dir, "bin", "kv-child"), 0o755)
        self.command = OUTBOARD
        self.env = {**os.environ, "OUTBOARD_PLUGIN_PATH": os.environ["OUTBOARD_PLUGIN_PATH"]}
        if self.user is not None:
            self.install_for_others()
        self.env.update(self.environment())

    def install_for_others(self):
        """Another user may not be able to enter the directory of the build."""
        for file in [*glob.glob(os.path.join(BUILD, "liboutboard.so.*")), *glob.glob(os.path.join(BUILD, "plugins", "*.so"))]:
            self.lend(file)
        self.command = self.lend(OUTBOARD)
        self.env.update(LD_LIBRARY_PATH=f"{self.dir}/bin", OUTBOARD_PLUGIN_PATH=f"{self.dir}/bin")

    def lend(self, file):
        """A copy that everybody can run."""
        copy = shutil.copy(file, os.path.join(self.dir, "bin"))
        os.chmod(copy, 0o755)
        return copy

    def own(self, path):
        if self.user is not None:
            shutil.chown(path, self.user, self.user)

    def as_user(self):
        return {} if self.user is None else {"user": self.user, "group": self.user, "extra_groups": []}

    def write_recipe(self):
        """The recipe, with the directories of this test; its commands are run."""
        places = {place: os.path.join(self.dir, name) for place, name in self.places.items()}
        recipe = Recipe(self.page, self.recipe).replaced({**places, **self.names})
        self.text = merged(json.loads(recipe.config), {"children": {self.child: merged(dict(BRISK), self.more)}})
        self.config = os.path.join(self.dir, "config.json")
        self.write()
        if recipe.script:
            done = subprocess.run(["sh", "-e", "-c", "umask 022\n" + recipe.script], cwd=self.dir, env=self.env, capture_output=True,
                                  text=True, timeout=PATIENCE, **self.as_user())
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def write(self, **more):
        merged(self.text, {"children": {self.child: more}})
        with open(self.config, "w", encoding="utf-8") as file:
            json.dump(self.text, file)
        os.chmod(self.config, 0o644)

    def tearDown(self):
        for run in self.runs:
            if run.process.poll() is None:
                run.process.kill()
                run.process.wait()
            run.process.stdout.close()
        left = processes_with(self.dir)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.sweep()
        self.assertEqual(left, set(), "processes were left running")

    # ---- What a user does ----

    def outboard(self, *args):
        return subprocess.run([self.command, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=PATIENCE, env=self.env, **self.as_user())

    def data_path(self, *names):
        return os.path.join(self.root, self.child, *names)

    def target(self):
        return self.data_path()

    def call(self, method, *params):
        done = self.outboard("call", self.target(), method, json.dumps(params))
        self.assertEqual((done.returncode, done.stderr), (OK, ""), method)
        return json.loads(done.stdout)

    def ask(self, what):
        """start, stop, restart."""
        done = self.outboard(what, "--config", self.config, self.child)
        self.assertEqual(done.returncode, OK, done.stdout + done.stderr)

    def status(self):
        done = self.outboard("status", "--json", self.config)
        self.assertEqual(done.returncode, OK, done.stderr)
        return {row["name"]: row for row in json.loads(done.stdout)}[self.child]

    def supervise(self):
        """A supervisor, and its event for the child: ready or adopted."""
        run = Run(self.config, program=self.command, env=self.env, cwd="/", **self.as_user())
        self.runs.append(run)
        return run, self.up(run)

    def up(self, run):
        ends = ("ready", "adopted", "exited", "failed")
        event = run.record(lambda r: r.get("outboard") == self.child and r.get("event") in ends)
        self.assertIn(event["event"], ("ready", "adopted"), "\n".join(run.lines.seen[-20:]))
        return event["event"]

    def event(self, run, name):
        return run.event(self.child, name)

    # ---- What must be so ----

    def works(self):
        """Calls cross, and the child calls its parent. From now on it ends as a good child does."""
        self.call("act.bye")
        self.assertEqual(self.call("act.echo", "hello"), "hello")
        self.assertIs(self.call("act.ask", "outboard.ping"), True)

    def is_confined(self):
        """Its root is read-only, and what the supervisor believes is not there."""
        pid = self.inner()
        with open(f"/proc/{pid}/mounts", encoding="utf-8") as file:
            roots = [line.split()[3].split(",") for line in file if line.split()[1] == "/"]
        self.assertIn("ro", roots[-1])
        self.assertEqual(sorted(os.listdir(f"/proc/{pid}/root{self.root}")), self.mounted)

    def logs(self, run):
        """Every record arrives once, in order."""
        start = len(self.numbers)
        for first in range(start, start + RECORDS, self.burst):
            self.call("act.log", self.burst, first)
            self.numbers += [self.logged(run)["n"] for _ in range(self.burst)]
        self.assertEqual(self.numbers[start:], list(range(start, start + RECORDS)))

    def logged(self, run):
        """The next numbered record; there must be none of records that were dropped."""
        record = run.record(lambda r: r.get("msg") in ("numbered", "log records were dropped"))
        self.assertNotIn("dropped", record)
        return record

    def dies(self, run, pid):
        """SIGKILL to this process: the child is restarted, and there is one of it."""
        before = self.inner()
        watched = Watched(before)
        os.kill(pid, signal.SIGKILL)
        self.event(run, "exited")
        self.up(run)
        watched.wait()
        watched.close()
        self.assertNotEqual(self.inner(), before)
        self.works()

    def is_gone(self):
        """After a stop."""
        self.assertEqual(os.listdir(self.data_path()), [])
        self.assertEqual(self.leftovers(), set())

    def end(self, run):
        """The supervisor ends, and nothing is left."""
        self.assertEqual(run.end(), OK)
        self.is_gone()
        self.tidy()
        self.assertEqual(traces(self.dir, self.tag), set())

    @contextlib.contextmanager
    def part(self, name):
        start = time.monotonic()
        try:
            yield
        except BaseException:
            print(f"failed: {name}", file=sys.stderr)
            raise
        print(f"{self.recipe}: {name}, {time.monotonic() - start:.2f} s", file=sys.stderr)

    # ---- The tests ----

    def test_lives(self):
        """Start, call, callback, logs, health, two kills, restart, stop with the last words."""
        with self.part("start, call, callback"):
            run, how = self.supervise()
            self.assertEqual(how, "ready")
            self.works()
            self.is_confined()
        with self.part("logs"):
            self.logs(run)
        with self.part("health"):
            self.call("act.health", 0)
            self.event(run, "unhealthy")
            self.call("act.health", 1)
        with self.part("kill -9 of the child"):
            self.dies(run, self.inner())
        with self.part("kill -9 of the runner"):
            self.dies(run, self.status()["pid"])
        with self.part("restart"):
            before = self.inner()
            self.ask("restart")
            self.assertNotEqual(self.inner(), before)
            self.works()
        with self.part("stop with bye"):
            self.ask("stop")
            run.record(lambda r: r.get("msg") == "bye")
            self.event(run, "stopped")
            self.is_gone()
            self.end(run)

    def test_is_handed_over(self):
        """Detach, adopt, adopt after SIGKILL of the supervisor; not a record is lost. Then it hangs, and is stopped."""
        run, how = self.supervise()
        self.assertEqual(how, "ready")
        pid = self.inner()
        with self.part("detach"):
            self.logs(run)
            self.assertEqual(run.end(signal.SIGUSR1), OK)
            self.assertEqual(self.call("act.echo", 1), 1)
        with self.part("adopt"):
            self.call("act.log", 10, len(self.numbers))
            self.adopted(pid, 10)
        with self.part("adopt after kill -9"):
            self.runs[-1].process.kill()
            self.runs[-1].process.wait()
            self.call("act.log", 10, len(self.numbers))
            self.write(stop={"timeout": "500ms", "rpc": "500ms"} if self.stops_by_rpc() else
                       {"timeout": "500ms"})
            self.adopted(pid, 10)
        with self.part("stop of one that hangs"):
            self.hang(self.runs[-1])
            self.end(self.runs[-1])

    def stops_by_rpc(self):
        return "rpc" in self.text["children"][self.child].get("stop", {})

    def adopted(self, pid, count):
        """The next supervisor takes it over, and reads what was logged meanwhile."""
        run = Run(self.config, program=self.command, env=self.env, cwd="/", **self.as_user())
        self.runs.append(run)
        first, got = len(self.numbers), []
        seen = set()

        def take(record):
            if record.get("outboard") == self.child:
                seen.add(record.get("event"))
                if record.get("msg") == "numbered":
                    got.append(record["n"])
            return "adopted" in seen and len(got) == count
        run.record(take)
        self.assertEqual(got, list(range(first, first + count)))
        self.numbers += got
        self.assertEqual(self.inner(), pid)
        self.works()

    def hang(self, run):
        """It neither answers nor ends by a signal."""
        caller = subprocess.Popen([self.command, "call", self.target(), "act.hang", "--timeout", "1h"], env=self.env,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                  **self.as_user())
        watched = Watched(self.inner())
        self.event(run, "unresponsive")
        self.ask("stop")
        watched.wait()
        watched.close()
        caller.wait(PATIENCE)
        self.is_gone()


def main():
    unittest.main(module="__main__", verbosity=2)
