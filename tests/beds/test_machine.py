# SPDX-License-Identifier: MIT
"""A child in a virtual machine that QEMU emulates, over a forwarded port."""
import os
import shlex
import signal
import time

import bed

KERNEL = os.environ.get("OB_TEST_KERNEL", "")
BEAT = 10  # seconds
PAUSE = 10


class Machine(bed.Life):
    page, recipe, child = "VMS.md", "qemu-tcp", "guest"
    tools = ("qemu-system-x86_64", "cpio")
    root_only = False
    more = {"ready": {"timeout": "10m"}, "health": {"interval": f"{BEAT}s"}}

    def prepare(self):
        if not os.path.exists(os.path.join(KERNEL, "vmlinuz")):
            self.skipTest("no kernel for a guest")
        self.names = {"/usr/local/share/example": f"{self.dir}/share",
                      "scripts/make-guest": shlex.join([f"{bed.SOURCE}/scripts/make-guest", "--kernel", KERNEL])}
        self.inside = True

    def inner(self):
        """The machine: what is in it, the host does not see."""
        return self.status()["pid"]

    def is_confined(self):
        """It sees a machine of its own."""
        self.assertIn("OUTBOARD_EXIT=0xf4", self.call("act.file", "/proc/cmdline"))

    def dies(self, run, pid):
        """First the child dies in the machine, then the machine itself."""
        before = self.inner()
        if self.inside:
            self.send("act.signal", int(signal.SIGKILL))
            self.assertEqual(self.event(run, "exited")["status"], 3)
        else:
            os.kill(pid, signal.SIGKILL)
            self.assertEqual(self.event(run, "exited")["signal"], int(signal.SIGKILL))
        self.inside = False
        self.up(run)
        self.assertNotEqual(self.inner(), before)
        self.works()

    def end(self, run):
        """Records came whole from the first on, without a warning. Machines powered off by themselves; now and then an emulated
        one stands still instead, and gets the signal."""
        super().end(run)
        records = [r for r in run.records if r.get("stream") == "stdout"]
        self.assertEqual([r for r in records if r["level"] != "INFO" or r["msg"].startswith("{")], [])
        causes = [r["cause"] for r in run.records if r.get("event") == "stopping"]
        calls = causes.count("called outboard-control.shutdown")
        self.assertTrue(calls < 2 or causes.count("sent SIGTERM") < calls, causes)

    def send(self, method, *params):
        """A call whose answer may never come."""
        self.outboard("call", "--timeout", "2s", self.target(), method, str(list(params)).replace("'", '"'))

    def trigger(self, letter):
        """What the kernel of the guest is to do: c, panic; b, boot."""
        self.send("act.file", "/proc/sysrq-trigger", letter)

    def test_panics(self):
        """A guest that panics ends its machine, before heartbeats are missed, and is started again."""
        run, _ = self.supervise()
        self.trigger("c")
        self.assertEqual(run.record(lambda r: r.get("event") in ("exited", "unresponsive"))["event"], "exited")
        self.assertEqual(self.up(run), "ready")
        self.assertEqual(self.status()["restarts"], 1)
        self.works()
        self.end(run)

    def test_pauses_and_boots(self):
        """A pause is no end. A guest that boots again is another child, in the same machine."""
        self.text["children"][self.child]["command"].remove("-no-reboot")
        self.write(health={"interval": "2s"})
        run, _ = self.supervise()
        pid = self.inner()
        with self.part("pause"):
            os.kill(pid, signal.SIGSTOP)
            end = time.monotonic() + PAUSE
            self.event(run, "unresponsive")
            time.sleep(max(0, end - time.monotonic()))  # the pause itself is what is tested, and not waited for
            os.kill(pid, signal.SIGCONT)
            self.event(run, "link_up")
            self.assertEqual((self.inner(), self.status()["restarts"]), (pid, 0))
        with self.part("boot"):
            self.trigger("b")
            run.record(lambda r: r.get("event") in ("link_down", "unresponsive"))
            self.event(run, "replaced")
            self.assertEqual((self.inner(), self.status()["restarts"]), (pid, 1))
            self.works()
        self.end(run)


if __name__ == "__main__":
    bed.main()
