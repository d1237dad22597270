#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""soak.py --build DIR [--seconds N] [--kills N] [--children N] [--seed N]

A supervisor with children, of which every second one has a runner between itself and the
supervisor. At random, from a seed that is printed, this kills children, runners and the supervisor
with SIGKILL, stops and continues children, calls them, lets them log, and has the supervisor let go
of children and adopt them. Every now and then it waits until all is well again and looks: no second
living copy of a child ever (see child.c), every child lives and answers, none was replaced without
cause; descriptors, threads, zombies and memory of the supervisor. At the end nothing may be left.

It goes on until both --seconds are over and --kills are done, but at most three times --seconds.
Exit status: 0, all was well; 1, something was wrong (all of it is printed)."""
import argparse
import ctypes
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ANSWER_S = 60  # for an answer of the supervisor, and for a death
SETTLE_S = 90  # until all children are well after the last kill
FAULTS = 20  # then it ends early
MEMORY_KIB = 64 * 1024  # by which a supervisor may grow while it lives
PR_SET_CHILD_SUBREAPER = 36


def stat_fields(pid):
    """State, parent and process group of a process; None: there is none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None


def is_alive(pid):
    fields = stat_fields(pid)
    return fields is not None and fields[0] not in "ZX"


def processes():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def command_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().decode(errors="replace").split("\0")
    except OSError:
        return []


def kib_of(pid, name):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name + ":"))


class Ended(Exception):
    """The supervisor ended, or said nothing for too long, or there is too much that is wrong."""


class Supervisor:
    def __init__(self, soak):
        self.soak = soak
        programs = os.path.join(soak.args.build, "soak", "soak-")
        command = [programs + "supervisor", soak.root, str(soak.args.children),
                   programs + "child", programs + "runner"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        bufsize=0)
        self.pid = self.process.pid
        self.buffer = b""
        self.read_answer()

    def read_line(self):
        while b"\n" not in self.buffer:
            ready = select.select([self.process.stdout], [], [], ANSWER_S)[0]
            more = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not more:
                raise Ended("it is silent" if not ready else "it closed its output")
            self.buffer += more
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.decode(errors="replace")

    def read_answer(self):
        lines = []
        while not lines or not lines[-1].startswith("ok"):
            line = self.read_line()
            if line.startswith("wrong"):
                self.soak.wrong(line)
            else:
                lines.append(line)
        return lines

    def ask(self, command):
        self.process.stdin.write(command.encode() + b"\n")
        return self.read_answer()

    def end(self, command):
        """Have it stop or leave; its exit status says whether it left something."""
        self.ask(command)
        if self.process.wait(timeout=ANSWER_S) != 0:
            self.soak.wrong(f"supervisor: exit status {self.process.returncode} of {command}")
        self.close()

    def kill(self):
        self.process.kill()
        self.process.wait(timeout=ANSWER_S)
        self.close()

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()

    def resources(self):
        """What must be the same whenever all is well."""
        children = [pid for pid in processes() if (stat_fields(pid) or "  ")[1] == str(self.pid)]
        return {"descriptors": len(os.listdir(f"/proc/{self.pid}/fd")),
                "threads": len(os.listdir(f"/proc/{self.pid}/task")),
                "zombies": sum((stat_fields(pid) or "X")[0] == "Z" for pid in children)}


class Soak:
    def __init__(self, args):
        self.args = args
        self.dice = random.Random(args.seed)
        self.root = tempfile.mkdtemp(prefix="outboard-soak-")
        self.faults = []
        self.counts = {}
        self.kills = 0
        self.killed = set()
        self.known = {}  # child -> pid, of those that nothing was done to since all was well
        self.usual = None  # resources of a supervisor when all is well
        self.memory = None  # of this supervisor, when all was well for the first time
        self.grown = 0
        for name in ("data", "witness"):
            os.mkdir(os.path.join(self.root, name))
        self.supervisor = None

    def wrong(self, what):
        text = f"after {self.kills} kills: {what}"
        self.faults.append(text)
        print(text, flush=True)
        if len(self.faults) == FAULTS:
            raise Ended("too many faults")

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    # ---- Processes ----

    def witness(self, child):
        return os.path.join(self.root, "witness", f"c{child}")

    def pid_of(self, child):
        """The process that served last as this child; 0: none lives."""
        try:
            with open(self.witness(child), encoding="utf-8") as file:
                pid = int(file.read() or 0)
        except (OSError, ValueError):
            return 0
        return pid if pid and is_alive(pid) and self.witness(child) in command_of(pid) else 0

    def runner_of(self, child):
        pid = self.pid_of(child)
        parent = int((stat_fields(pid) or [0, 0])[1]) if pid else 0
        program = command_of(parent)[:1] if parent else []
        return parent if program and program[0].endswith("soak-runner") else 0

    def ours(self):
        """All living processes of this run but the supervisor: PID -> command."""
        found = {}
        for pid in processes():
            command = command_of(pid)
            if any(word.startswith(self.root + "/witness/") for word in command) and is_alive(pid):
                found[pid] = command
        return found

    def reap(self):
        """Processes whose parent was killed have become ours."""
        for pid in processes():
            fields = stat_fields(pid)
            if fields and fields[0] == "Z" and fields[1] == str(os.getpid()):
                if not self.supervisor or pid != self.supervisor.pid:
                    os.waitpid(pid, os.WNOHANG)

    # ---- What is done ----

    def signal(self, pid, number):
        try:
            os.kill(pid, number)
            return True
        except ProcessLookupError:
            return False

    def kill(self, what, pid):
        if pid and self.signal(pid, signal.SIGKILL):
            self.killed.add(pid)
            self.kills += 1
            self.count(what)

    def kill_child(self, child):
        self.known.pop(child, None)
        self.kill("child killed", self.pid_of(child))

    def kill_runner(self, child):
        child |= 1  # every second one has a runner
        self.known.pop(child, None)
        self.kill("runner killed", self.runner_of(child))

    def kill_both(self, child):
        child |= 1
        self.known.pop(child, None)
        runner = self.runner_of(child)
        self.kill("child killed", self.pid_of(child))
        self.kill("runner killed", runner)

    def pause(self, child):
        pid = self.pid_of(child)
        if pid and self.signal(pid, signal.SIGSTOP):
            self.count("child stopped and continued")
            time.sleep(self.dice.uniform(0, 0.05))  # of the load: so long it is stopped
            self.signal(pid, signal.SIGCONT)

    def call(self, child):
        calls = self.dice.randint(1, 20)
        answered = int(self.supervisor.ask(f"call {child} {calls}")[-1].split()[1])
        self.counts["calls answered"] = self.counts.get("calls answered", 0) + answered

    def log(self, child):
        self.supervisor.ask(f"log {child} {self.dice.randint(1, 200)}")
        self.count("asked to log")

    def adopt(self, child):
        self.supervisor.ask(f"adopt {child}")
        self.count("child detached and adopted")

    def replace_supervisor(self):
        """The supervisor is killed; what it supervised is killed or not before the next one comes."""
        self.supervisor.kill()
        self.kills += 1
        self.count("supervisor killed")
        for _ in range(self.dice.randint(0, 4)):
            self.dice.choice((self.kill_child, self.kill_runner))(self.any_child())
        self.supervisor = Supervisor(self)
        self.memory = None

    def relieve_supervisor(self):
        self.supervisor.end("leave")
        self.count("supervisor relieved")
        self.supervisor = Supervisor(self)
        self.memory = None

    def any_child(self):
        return self.dice.randrange(self.args.children)

    def act(self, quiet):
        """quiet: the supervisor stays, so that it can be seen to grow."""
        on_child = ((self.kill_child, 35), (self.kill_runner, 15), (self.kill_both, 10),
                    (self.pause, 5), (self.adopt, 15), (self.call, 15), (self.log, 10))
        if not quiet and self.dice.random() < 0.06:
            self.dice.choice((self.replace_supervisor, self.replace_supervisor,
                              self.relieve_supervisor))()
            return
        actions, weights = zip(*on_child)
        self.dice.choices(actions, weights)[0](self.any_child())

    # ---- What is looked at ----

    def is_well(self, line):
        """Whether this line of the status is of a child that is ready and lives as the supervisor
        believes. A death is seen a moment later than it happens."""
        child, state, link, pid = line.split()[1:5]
        leader = self.runner_of(int(child)) if int(child) % 2 else self.pid_of(int(child))
        # A process that was killed may still be seen for a moment, and so may its state.
        gone = {int(pid), self.pid_of(int(child))} & self.killed
        return (state, link) == ("ready", "up") and int(pid) == leader != 0 and not gone

    def settle(self):
        deadline = time.monotonic() + SETTLE_S
        ill = ["-"]
        while ill and time.monotonic() < deadline:
            self.reap()
            ill = [line for line in self.supervisor.ask("status")[:-1] if not self.is_well(line)]
            if ill:
                self.supervisor.ask("wait")
        for line in ill:
            self.wrong(f"not well after {SETTLE_S} s: {line}")
        self.look_at_children()
        self.look_at_supervisor()
        self.look_at_doubles()

    def look_at_children(self):
        for child in range(self.args.children):
            pid = self.pid_of(child)
            if self.known.get(child, pid) != pid:
                self.wrong(f"child {child}: process {self.known[child]} was replaced by {pid}"
                           " without cause")
            self.known[child] = pid
            if self.supervisor.ask(f"call {child} 1")[-1] != "ok 1":
                self.wrong(f"child {child} (pid {pid}) does not answer")
        runners = self.args.children // 2
        ours = self.ours()
        if len(ours) != self.args.children + runners:
            self.wrong(f"{len(ours)} processes, not {self.args.children} children and {runners}"
                       f" runners: {ours}")

    def look_at_supervisor(self):
        now = self.supervisor.resources()
        if self.usual is None:
            self.usual = now
        deadline = time.monotonic() + 10
        while now != self.usual and time.monotonic() < deadline:
            time.sleep(0.05)  # a connection may still be ending, of which no event tells
            now = self.supervisor.resources()
        if now != self.usual:
            self.wrong(f"supervisor: {now}, and at first {self.usual}")
        kib = kib_of(self.supervisor.pid, "VmRSS")
        self.memory = self.memory or kib
        self.grown = max(self.grown, kib - self.memory)
        if kib - self.memory > MEMORY_KIB:
            self.wrong(f"supervisor: grew from {self.memory} to {kib} KiB")

    def look_at_doubles(self):
        for name in sorted(os.listdir(os.path.join(self.root, "witness"))):
            if name.endswith(".doubles"):
                path = os.path.join(self.root, "witness", name)
                with open(path, encoding="utf-8") as file:
                    self.wrong(f"{name}: {file.read().strip()}")
                os.unlink(path)

    def files(self):
        return sorted(os.path.relpath(os.path.join(place, name), self.root)
                      for place, _, names in os.walk(os.path.join(self.root, "data"))
                      for name in names)

    # ---- From the beginning to the end ----

    def stop(self):
        """Stop all children. Nothing may live, and the files are those of stopped children."""
        self.supervisor.end("stop")
        self.known.clear()
        self.reap()
        self.look_at_doubles()
        if self.ours():
            self.wrong(f"processes live after a stop: {self.ours()}")
        return self.files()

    def run(self):
        self.supervisor = Supervisor(self)
        self.settle()
        files = self.stop()
        self.supervisor = Supervisor(self)
        self.settle()
        begin = time.monotonic()
        spent, seconds = 0, self.args.seconds
        while (spent < seconds or self.kills < self.args.kills) and spent < 3 * seconds:
            for _ in range(self.dice.randint(1, 30)):
                self.act(quiet=spent > 0.6 * seconds)
                time.sleep(self.dice.choice((0, 0, 0, 0.01, 0.1)))  # of the load: how dense it is
            self.settle()
            self.count("looked")
            spent = time.monotonic() - begin
        if self.kills < self.args.kills:
            self.wrong(f"only {self.kills} of {self.args.kills} kills")
        after = self.stop()
        if after != files:
            self.wrong(f"files left: {sorted(set(after) - set(files))},"
                       f" missing: {sorted(set(files) - set(after))}")

    def clean_up(self):
        if self.supervisor and self.supervisor.process.poll() is None:
            self.supervisor.kill()
        for pid in self.ours():
            try:
                end = os.pidfd_open(pid)
            except ProcessLookupError:
                continue
            self.signal(pid, signal.SIGKILL)
            select.select([end], [], [], 10)
            os.close(end)
        self.reap()
        if self.faults:
            print(f"the files are kept in {self.root}")
        else:
            shutil.rmtree(self.root, ignore_errors=True)

    def report(self):
        print(f"{self.kills} kills; " + ", ".join(f"{n} times {what}" for what, n in
                                                  sorted(self.counts.items())))
        print(f"supervisor: {self.usual}, grew by at most {self.grown} KiB")
        print(f"{len(self.faults)} faults")
        return 1 if self.faults else 0


def main():
    os.umask(0o077)  # a supervisor refuses directories that others can write to
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--children", type=int, default=20, help="an odd number is rounded up")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    args = parser.parse_args()
    args.children += args.children % 2
    args.build = os.path.abspath(args.build)
    print(f"seed {args.seed}", flush=True)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    os.environ.setdefault("OUTBOARD_PLUGIN_PATH", os.path.join(args.build, "plugins"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and clean up first
    soak = Soak(args)
    try:
        soak.run()
    except (Ended, OSError, subprocess.TimeoutExpired) as ended:
        soak.faults.append(str(ended))
        print(f"ended early: {ended}")
    finally:
        soak.clean_up()
    return soak.report()


if __name__ == "__main__":
    sys.exit(main())
