# SPDX-License-Identifier: MIT
"""Shared by the tests of the command: run it, wait for its output, and ask the kernel about processes.

Nothing here sleeps: every wait is for something to become readable (a line, the end of a process), with a deadline.
"""
import contextlib
import glob
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

BUILD = os.environ["OB_TEST_BUILD"]
OUTBOARD = os.path.join(BUILD, "bin", "outboard")
ACTOR = os.path.join(BUILD, "children", "child-actor")
PATIENCE = 60.0 * float(os.environ.get("OB_TEST_PATIENCE", "1"))

# For the cases that put a library of tests/shim before the command.
with_shim = unittest.skipIf("ASAN_OPTIONS" in os.environ or "TSAN_OPTIONS" in os.environ,
                            "a sanitizer and the shim cannot both stand before the C library")

OK, REMOTE, USAGE, UNREACHABLE, UNKNOWN, UNPRINTED = range(6)


def outboard(*args, program=OUTBOARD, timeout=PATIENCE, **more):
    """Run the command to its end; the result has .returncode, .stdout and .stderr."""
    return subprocess.run([program, *map(str, args)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=timeout, **more)


def outboard_as(user, *args):
    """The same as another user, who may not be able to enter the directory of the build: copies are used."""
    with tempfile.TemporaryDirectory() as scratch:
        os.chmod(scratch, 0o755)
        for file in [OUTBOARD, *glob.glob(os.path.join(BUILD, "liboutboard.so.*")),
                     *glob.glob(os.path.join(BUILD, "plugins", "*.so"))]:
            os.chmod(shutil.copy(file, scratch), 0o755)
        return subprocess.run([os.path.join(scratch, "outboard"), *map(str, args)], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=PATIENCE, user=user, group=user, extra_groups=[],
                              env={**os.environ, "LD_LIBRARY_PATH": scratch, "OUTBOARD_PLUGIN_PATH": scratch})


def is_alive(pid):
    """A zombie is dead."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def parent_of(pid):
    with open(f"/proc/{pid}/stat") as stat:
        return int(stat.read().rsplit(")", 1)[1].split()[1])


def zombies_of(pid):
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if fields[0] == "Z" and int(fields[1]) == pid:
            found.append(int(entry))
    return found


def free_port(count=1):
    """The first of so many neighbouring ports, at most two, that nobody uses: above those that the kernel gives away, and where
    no other process looks first."""
    for port in range(63000 + 2 * (os.getpid() % 1000), 65534, 2):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for each in range(port, port + count):
                stack.enter_context(socket.create_server(("", each)))
            return port
    raise AssertionError("no free port")


class Watched:
    """A process whose end can be waited for, a child or not."""

    def __init__(self, pid):
        self.pid = pid
        self.fd = os.pidfd_open(pid)

    def wait(self, patience=PATIENCE):
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        if not poll.poll(patience * 1000):
            raise AssertionError(f"process {self.pid} still lives")

    def close(self):
        os.close(self.fd)


class Lines:
    """Lines of a pipe, each waited for with a deadline."""

    def __init__(self, fd):
        self.fd = fd
        self.buffer = b""
        self.seen = []

    def next(self, deadline):
        """None at the end of the stream."""
        while b"\n" not in self.buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                raise AssertionError("nothing more came; so far:\n" + "\n".join(self.seen))
            more = os.read(self.fd, 65536)
            if not more:
                return None
            self.buffer += more
        line, self.buffer = self.buffer.split(b"\n", 1)
        self.seen.append(line.decode())
        return self.seen[-1]


class Run:
    """`outboard run`, with the records that it prints."""

    def __init__(self, config, *args, program=OUTBOARD, **more):
        self.process = subprocess.Popen([program, "run", config, *(args or ("--log-format", "json"))],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, **more)
        self.pid = self.process.pid
        self.lines = Lines(self.process.stdout.fileno())
        self.records = []

    def record(self, matches, patience=PATIENCE):
        """The next record that matches."""
        deadline = time.monotonic() + patience
        while True:
            line = self.lines.next(deadline)
            if line is None:
                raise AssertionError("it ended; its records:\n" + "\n".join(self.lines.seen))
            self.records.append(json.loads(line))
            if matches(self.records[-1]):
                return self.records[-1]

    def event(self, name, event):
        """The next event of this type of the child. Earlier ones of other types are skipped."""
        return self.record(lambda r: r.get("outboard") == name and r.get("event") == event)

    def events(self, **wanted):
        """One event of each child, in any order; returns the records by name."""
        found = {}

        def take(record):
            name = record.get("outboard")
            if name in wanted and name not in found and record.get("event") == wanted[name]:
                found[name] = record
            return len(found) == len(wanted)
        self.record(take)
        return found

    def all_of(self, *wanted):
        """Wait for records that match, one for each, in any order."""
        left = list(wanted)

        def take(record):
            for matches in left:
                if matches(record):
                    left.remove(matches)
                    break
            return not left
        self.record(take)

    def await_stubborn(self, *names):
        """Wait until these children ignore signals."""
        self.all_of(*[lambda r, name=name: r.get("outboard") == name and r["msg"] == "up" for name in names])

    def end(self, number=signal.SIGTERM):
        """Send the signal, read to the end, and return the exit status."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self):
        deadline = time.monotonic() + PATIENCE
        while (line := self.lines.next(deadline)) is not None:
            if line.startswith("{"):
                self.records.append(json.loads(line))
        status = self.process.wait(PATIENCE)
        self.process.stdout.close()
        return status


class Case(unittest.TestCase):
    """A test with its own data_root. It fails if a process still lives at its end, which is then killed."""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="ob-cli-")
        self.root = os.path.join(self.dir, "root")
        self.config = os.path.join(self.dir, "config.json")
        self.runs = []
        self.watched = []

    def tearDown(self):
        for run in self.runs:
            if run.process.poll() is None:
                run.process.kill()
                run.process.wait()
            run.process.stdout.close()
        left = [w.pid for w in self.watched if is_alive(w.pid)]
        left += self.living_children()
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        for watched in self.watched:
            watched.close()
        shutil.rmtree(self.dir)
        self.assertEqual(left, [], "processes were left running")

    def living_children(self):
        """The processes whose data directories are in this data_root."""
        found = []
        for base, _, files in os.walk(self.dir):
            if "state.json" in files:
                with open(os.path.join(base, "state.json")) as file:
                    procid = json.load(file).get("record") or ""
                pid = int(procid.split(":")[1]) if ":" in procid else 0
                if pid > 0 and is_alive(pid):
                    found.append(pid)
        return found

    def write(self, children, **top):
        """Write the config; a list of arguments stands for an actor with these."""
        children = {name: {"command": [ACTOR, *child]} if isinstance(child, list) else child
                    for name, child in children.items()}
        with open(self.config, "w") as file:
            json.dump({"data_root": self.root, "children": children, **top}, file)

    def place_of(self, key):
        """FILE:LINE:COLUMN of the only such key of the config, which is one line."""
        with open(self.config) as file:
            return f"{self.config}:1:{file.read().index(json.dumps(key)) + 1}"

    def run_it(self, *args, **more):
        run = Run(self.config, *args, **more)
        self.runs.append(run)
        return run

    def watch(self, pid):
        watched = Watched(pid)
        self.watched.append(watched)
        return watched

    def status(self, *targets):
        """name -> object, from `status --json`."""
        result = outboard("status", "--json", *(targets or (self.config,)))
        self.assertEqual((result.returncode, result.stderr), (OK, ""))
        return {row["name"]: row for row in json.loads(result.stdout)}

    def expect(self, result, status, stdout=None, stderr=None):
        self.assertEqual(result.returncode, status, result.stderr + result.stdout)
        if stdout is not None:
            self.assertEqual(result.stdout, stdout)
        if stderr is not None:
            self.assertEqual(result.stderr, stderr)


def actor(*args, **more):
    """A child of the config: an actor with these arguments."""
    return {"command": [ACTOR, *args], **more}


# A restart policy under which nothing is tried again while a test runs.
ONCE = {"restart": {"backoff_base": "1h", "backoff_max": "1h"}}

# A child that never ends by itself, nor by SIGINT or SIGTERM once it has said so: Run.await_stubborn().
STUBBORN = {"command": ["/bin/sh", "-c", "trap '' INT TERM; echo up; while :; do sleep 1000; done"],
            "ready": {"mode": "none"}, "stop": {"timeout": "1h"}}
