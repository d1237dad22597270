# SPDX-License-Identifier: MIT
"""Crash replay: what a power loss at any point can leave of the files, and a start from each of these states.

A life of `outboard run` and its children is recorded: every file that is made, written, synced, renamed and removed. A
state is what a disk may hold after the first N of these changes: data that was not synced is there, in half, or not at
all; of the names in a directory that was not synced the changes are there, all lost, or one of them is lost. The boot
is another one then, and an innocent process has the pid, the start time and the number of the child.
"""
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import unittest

from command import BUILD, OK, Case, Watched, actor, is_alive, outboard, with_shim

OTHER_BOOT = b"00000000-0000-4000-8000-000000000000"
FULL, HALF, NONE = 2, 1, 0
AT_ONCE = 100  # children of one run


# ---- The record ----


class Op:
    def __init__(self, line):
        self.kind, *self.words = line.split()
        self.index = -1

    def names(self):
        return self.kind in ("mkdir", "mkfifo", "socket", "create", "rename", "unlink")

    def directory(self):
        return os.path.dirname(self.words[-1] if self.kind == "rename" else self.words[0])


class File:
    """A regular file: the changes of its content, by their places in the record."""

    def __init__(self, mode):
        self.kind, self.mode, self.changes, self.syncs = "create", mode, [], []

    def content(self, count, keep):
        """After the first `count` operations."""
        synced = max((s for s in self.syncs if s < count), default=-1)
        safe, whole = b"", b""
        for index, change in self.changes:
            if index < count:
                whole = change(whole)
            if index < synced:
                safe = change(safe)
        if keep == FULL:
            return whole
        return safe + whole[len(safe):len(safe) + (len(whole) - len(safe)) // 2] if keep == HALF else safe


class Special:
    def __init__(self, kind, mode):
        self.kind, self.mode = kind, mode


def write(offset, data):
    return lambda text: text[:offset].ljust(offset, b"\0") + data + text[offset + len(data):]


class Record:
    """The operations, the files that they made, and what became of each name."""

    def __init__(self, lines, signature):
        self.ops, self.nodes, self.contents = [], {}, {}
        inodes, there = {}, {}
        for line in lines:
            op = Op(line)
            self.add(op, inodes, there)
            if op.kind == "write" and inodes[op.words[0]].path.endswith("/start"):
                # The new process signs it by plain system calls.
                at = int(op.words[1]) + len(op.words[2]) // 2
                self.add(Op(f"write {op.words[0]} {at} {signature.hex()}"), inodes, there)

    def add(self, op, inodes, there):
        op.index = len(self.ops)
        self.ops.append(op)
        if op.kind == "create":
            inodes[op.words[1]] = there[op.words[0]] = File(int(op.words[2], 8))
            there[op.words[0]].path = op.words[0]
        elif op.kind in ("mkdir", "mkfifo", "socket"):
            there[op.words[0]] = Special(op.kind, int(op.words[1], 8))
        elif op.kind == "rename":
            there[op.words[1]] = there.pop(op.words[0])
        elif op.kind == "unlink":
            there.pop(op.words[0], None)
        elif op.kind == "sync":
            inodes[op.words[0]].syncs.append(op.index)
        elif op.kind == "write":
            inodes[op.words[0]].changes.append((op.index, write(int(op.words[1]), bytes.fromhex(op.words[2]))))
        elif op.kind == "truncate":
            inodes[op.words[0]].changes.append((op.index, lambda text, to=int(op.words[1]): text[:to]))
        if op.names() and op.kind != "unlink":
            self.nodes[op.index] = there[op.words[-1] if op.kind == "rename" else op.words[0]]

    def unsynced(self, count):
        """The changes of names that a power loss after `count` operations may undo."""
        synced = {op.words[0]: op.index for op in self.ops[:count] if op.kind == "sync-dir"}
        return [op.index for op in self.ops[:count] if op.names() and synced.get(op.directory(), -1) < op.index]

    def state(self, count, keep, lost):
        """{path: (kind, mode, content)}"""
        names = {}
        for op in self.ops[:count]:
            if not op.names() or op.index in lost:
                continue
            if op.kind in ("rename", "unlink"):
                names.pop(op.words[0], None)
            if op.kind != "unlink":
                names[op.words[-1] if op.kind == "rename" else op.words[0]] = self.nodes[op.index]
        return {path: (node.kind, node.mode, node.content(count, keep) if node.kind == "create" else None)
                for path, node in names.items()}

    def states(self):
        """All of them; many are alike."""
        for count in range(len(self.ops) + 1):
            unsynced = self.unsynced(count)
            for keep in FULL, HALF, NONE:
                yield self.state(count, keep, ())
                yield self.state(count, keep, set(unsynced))
            for index in unsynced[-6:]:
                yield self.state(count, FULL, {index})
                yield self.state(count, NONE, {index})


def make(state):
    for path in sorted(state):
        kind, mode, content = state[path]
        if not os.path.isdir(os.path.dirname(path)):
            continue  # its directory is lost
        if kind == "mkdir":
            os.mkdir(path)
        elif kind == "mkfifo":
            os.mkfifo(path)
        elif kind == "socket":
            with socket.socket(socket.AF_UNIX) as sock:
                sock.bind(path)
        else:
            with open(path, "wb") as file:
                file.write(content)
        os.chmod(path, mode)


# ---- The test ----


class Bystander:
    """A process that would die of a signal, or be taken for the child."""

    def __init__(self):
        self.process = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        watched = Watched(self.process.pid)
        inode = os.fstat(watched.fd).st_ino
        watched.close()
        with open(f"/proc/{self.process.pid}/stat") as stat:
            start = stat.read().rsplit(")", 1)[1].split()[19]
        self.identity = f"{self.process.pid}:{start}:{inode}".encode()
        self.signature = f"{self.process.pid} {1 << 62}\n".encode()

    def end(self):
        """Its exit status: 0 unless somebody harmed it."""
        self.process.stdin.close()
        return self.process.wait()


@with_shim
class PowerLoss(Case):
    def setUp(self):
        super().setUp()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.bystander = Bystander()
        self.addCleanup(lambda: self.assertEqual(self.bystander.end(), 0))
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            self.boot = file.read().strip()

    def recorded(self):
        """A life with all that is written in one: starts, a restart, a stop, an adoption, a child that is removed."""
        log = os.path.join(self.dir, "log")
        env = {**os.environ, "LD_PRELOAD": "shim-record.so", "LD_LIBRARY_PATH": os.path.join(BUILD, "shim"),
               "OB_RECORD_TO": log, "OB_RECORD_ROOT": self.root}
        quick = {"restart": {"backoff_base": "1ms"}}
        self.write({"x": actor(**quick), "y": actor(**quick)})
        run = self.run_it(env=env)
        ready = run.events(x="ready", y="ready")
        os.kill(ready["x"]["pid"], signal.SIGKILL)
        run.event("x", "ready")
        self.expect(outboard("stop", "--config", self.config, "x"), OK)
        self.expect(outboard("start", "--config", self.config, "x"), OK)
        run.process.kill()
        run.wait()
        self.write({"x": actor(**quick)})
        run = self.run_it(env=env)
        missing = {("x", "adopted"), ("y", "ended")}
        run.record(lambda r: missing.discard((r.get("outboard"), r["msg"])) or not missing)
        self.assertEqual(run.end(), OK)
        with open(log, encoding="ascii") as file:
            return Record(file, self.bystander.signature)

    def elsewhere(self, content, to):
        """The content, as if it had been written in another boot for this directory."""
        identity = OTHER_BOOT + b":" + self.bystander.identity
        content = re.sub(re.escape(self.boot) + rb":\d+:\d+:\d+", identity, content)
        content = content.replace(self.boot, OTHER_BOOT)
        return content.replace(f"{self.root}/x/".encode(), f"{to}/".encode())

    def must_start(self, names):
        """Not even status takes the innocent process for a child; every child starts, and nothing is left behind."""
        rows = self.status()
        self.assertEqual({row["pid"] for row in rows.values()}, {None})
        run = self.run_it()
        ready = run.events(**{name: "ready" for name in names})
        self.assertEqual(len({r["pid"] for r in ready.values()}), len(names))
        self.assertEqual(run.end(), OK)
        self.assertEqual([r for r in run.records if r.get("event") in ("adopted", "failed", "restarting")], [])
        for name in names:
            self.assertEqual(os.listdir(f"{self.root}/{name}"), [])
            self.assertEqual(sorted(os.listdir(f"{self.root}/.state/{name}")),
                             ["outboard.lock", "parent.lock", "start", "state.json"])
        self.assertEqual([f for f in os.listdir(self.root) if f.endswith((".tmp", ".sock"))], [])
        self.assertTrue(is_alive(self.bystander.process.pid))
        shutil.rmtree(self.root)

    def test_fault_53_every_state_of_a_child_is_started_from(self):
        data, state_dir = f"{self.root}/x", f"{self.root}/.state/x"
        unlike = set()
        for state in self.recorded().states():
            unlike.add(frozenset((path, *what) for path, what in state.items()
                                 if path.startswith((data + "/", state_dir + "/")) or path in (data, state_dir)))
        unlike = sorted(unlike, key=lambda s: sorted(map(repr, s)))
        print(f"{len(unlike)} states of the directories of a child")
        self.assertGreater(len(unlike), 100)
        for first in range(0, len(unlike), AT_ONCE):
            some = unlike[first:first + AT_ONCE]
            self.root = os.path.join(self.dir, f"root{first}")
            os.mkdir(self.root, 0o700)
            os.mkdir(f"{self.root}/.state", 0o700)
            for number, state in enumerate(some):
                to = {data: f"{self.root}/s{number}", state_dir: f"{self.root}/.state/s{number}"}
                moved = {}
                for path, kind, mode, content in state:
                    base = data if path.startswith(data) else state_dir
                    content = self.elsewhere(content, to[data]) if kind == "create" else None
                    moved[to[base] + path[len(base):]] = (kind, mode, content)
                make(moved)
            self.write({f"s{number}": [] for number in range(len(some))})
            self.must_start([f"s{number}" for number in range(len(some))])

    def test_fault_53_every_state_of_the_root_is_started_from(self):
        record = self.recorded()
        was = self.root
        written = {None} | {node.content(len(record.ops), FULL) for index, node in record.nodes.items()
                            if record.ops[index].words[-1] == f"{was}/run.json"}
        unlike = {}
        for state in record.states():
            # The directories of children are there or not; what is in them is the matter of the other test.
            tops = {path: what for path, what in state.items()
                    if os.path.dirname(path) in (was, os.path.dirname(was), f"{was}/.state")}
            unlike.setdefault(frozenset((path, *what) for path, what in tops.items()), state)
        print(f"{len(unlike)} states of the root")
        self.assertGreater(len(unlike), 15)
        for number, state in enumerate(unlike.values()):
            self.assertIn(state.get(f"{was}/run.json", (0, 0, None))[2], written)  # old or new
            self.root = os.path.join(self.dir, f"root{number}")
            make({self.root + path[len(was):]: (kind, mode, content and self.elsewhere(content, f"{self.root}/x"))
                  for path, (kind, mode, content) in state.items()})
            self.write({"x": actor()})
            self.must_start(["x"])


if __name__ == "__main__":
    unittest.main()
