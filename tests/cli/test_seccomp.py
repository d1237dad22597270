# SPDX-License-Identifier: MIT
"""Under a filter that denies a needed system call, as in containers, the command says so at once."""
import ctypes
import errno
import json
import os
import signal
import struct
import subprocess
import sys
import unittest

from command import OK, OUTBOARD, PATIENCE, UNREACHABLE, USAGE, Case, actor, is_alive, outboard

PIDFD_SEND_SIGNAL, PIDFD_OPEN, CLOSE_RANGE = 424, 434, 436  # on every architecture but alpha
WHAT_TO_DO = "(seccomp?); Linux 5.9 or later is required, and a filter must allow the call"
NO_PROC = "/proc is not mounted; mount it: mount -t proc proc /proc"
NO_NEW_PRIVS, SECCOMP, FILTER = 38, 22, 2


class Program(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def deny(number, code, second=None):
    """A function for a process that is about to execute the command. second: only with this second argument."""
    libc = ctypes.CDLL(None)
    low = 24 if sys.byteorder == "little" else 28
    argument = [] if second is None else [(0x20, 0, 0, low), (0x15, 0, 1, second)]
    code = [(0x20, 0, 0, 0), (0x15, 0, 1 + len(argument), number), *argument,
            (6, 0, 0, 0x00050000 | code), (6, 0, 0, 0x7FFF0000)]
    text = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
    program = Program(len(code), ctypes.cast(text, ctypes.c_void_p))

    def enter():
        if libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(SECCOMP, FILTER, ctypes.byref(program), 0, 0):
            os._exit(77)
    return enter


class Seccomp(Case):
    def command(self, *args, enter):
        result = outboard(*args, preexec_fn=enter)
        if result.returncode == 77:
            self.skipTest("this kernel takes no seccomp filter")
        return result

    def test_fault_92_check_and_run_name_the_call(self):
        self.write({"one": actor(), "two": actor()})
        for name, number in (("pidfd_send_signal", PIDFD_SEND_SIGNAL), ("pidfd_open", PIDFD_OPEN), ("close_range", CLOSE_RANGE)):
            for code in (errno.EPERM, errno.ENOSYS):
                want = f"children: {name}: {os.strerror(code)} {WHAT_TO_DO}\n"
                for command in "check", "run":
                    self.expect(self.command(command, self.config, enter=deny(number, code)), USAGE, "",
                                f"{self.place_of('children')}: {want}")
        self.assertFalse(os.path.exists(self.root))

    def left_alone(self):
        """A child that a supervisor has detached; returns its pid."""
        self.write({"one": actor()})
        run = self.run_it()
        pid = run.event("one", "ready")["pid"]
        self.watch(pid)
        self.assertEqual(run.end(signal.SIGUSR1), OK)
        return pid

    def end_it(self, pid):
        run = self.run_it()
        self.assertEqual(run.event("one", "adopted")["pid"], pid)
        self.assertEqual(run.end(), OK)

    def test_fault_92_status_names_the_call_and_shows_no_state(self):
        pid = self.left_alone()
        for name, number in (("pidfd_send_signal", PIDFD_SEND_SIGNAL), ("pidfd_open", PIDFD_OPEN)):
            for code in (errno.EPERM, errno.ENOSYS):
                self.expect(self.command("status", self.config, enter=deny(number, code)), UNREACHABLE, "",
                            f"outboard: {self.root}/one: {name}: {os.strerror(code)} {WHAT_TO_DO}\n")
        self.expect(self.command("status", self.config, enter=deny(CLOSE_RANGE, errno.EPERM)), OK)
        self.end_it(pid)

    def without_proc(self, *args):
        """The command in a mount namespace of its own, where something empty lies over /proc."""
        if os.geteuid() != 0:
            self.skipTest("in the user namespace that it takes, root's plugins belong to nobody")
        if "ASAN_OPTIONS" in os.environ:
            self.skipTest("without /proc the sanitizer neither finds its options nor looks for leaks")
        hide = 'mount -t tmpfs none /proc || exit 77; exec "$0" "$@"'
        try:
            result = subprocess.run(["unshare", "-m", "sh", "-c", hide, OUTBOARD, *args], stdin=subprocess.DEVNULL,
                                    capture_output=True, text=True, timeout=PATIENCE)
        except FileNotFoundError:
            self.skipTest("there is no unshare(1)")
        if result.returncode == 77 or result.stderr.startswith("unshare: "):
            self.skipTest("this user cannot make a mount namespace: " + result.stderr)
        return result

    def test_fault_92_a_missing_proc_is_named(self):
        self.write({"one": actor(), "two": actor()})
        for command in "check", "run":
            self.expect(self.without_proc(command, self.config), USAGE, "",
                        f"{self.place_of('children')}: children: {NO_PROC}\n")
        self.assertFalse(os.path.exists(self.root))
        pid = self.left_alone()
        for target in self.config, self.root:
            result = self.without_proc("status", target)
            self.expect(result, USAGE, "")
            self.assertIn(NO_PROC, result.stderr)
        result = self.without_proc("stop", "--config", self.config)
        self.expect(result, USAGE, "")
        self.assertIn(NO_PROC, result.stderr)
        self.end_it(pid)

    def test_fault_92_check_names_the_call_in_json(self):
        self.write({"one": actor(), "two": actor()})
        result = self.command("check", "--json", self.config, enter=deny(PIDFD_SEND_SIGNAL, errno.EPERM))
        self.assertEqual([fault["key"] for fault in json.loads(result.stdout)], ["children"])

    def test_fault_92_a_removed_child_that_cannot_be_killed_is_told_and_kept_in_the_record(self):
        deaf = {"stop": {"signal": "SIGWINCH", "timeout": "100ms"}}
        self.write({"deaf": actor(**deaf)})
        run = self.run_it()
        pid = run.event("deaf", "ready")["pid"]
        self.watch(pid)
        self.expect(self.command("status", self.config, enter=deny(CLOSE_RANGE, errno.EPERM)), OK)
        self.assertEqual(run.end(signal.SIGUSR1), OK)
        self.write({"other": actor()})
        run = self.run_it(preexec_fn=deny(PIDFD_SEND_SIGNAL, errno.EPERM, signal.SIGKILL))
        failed = run.record(lambda r: r["msg"] == "removed from the config, but cannot be stopped")
        self.assertEqual(failed["outboard"], "deaf")
        self.assertIn("Operation not permitted", failed["cause"])
        self.assertEqual(run.end(signal.SIGTERM), OK)
        self.assertTrue(is_alive(pid))
        run = self.run_it()
        run.record(lambda r: r.get("outboard") == "deaf" and r["msg"] == "ended")
        self.assertEqual(run.end(), OK)


if __name__ == "__main__":
    unittest.main()
