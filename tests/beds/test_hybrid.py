# SPDX-License-Identifier: MIT
"""The recipes for Firecracker and Cloud Hypervisor, up to the protocol of their vsock: vmm_double.py takes the place of the VMM."""
import os
import shutil
import signal

import bed


class Firecracker(bed.Life):
    page, recipe, child, vmm = "VMS.md", "firecracker", "microvm", "firecracker"
    places = {"/var/lib/example": "data"}  # the child is in the guest's image
    root_only = False

    def prepare(self):
        self.names = {"/usr/local/share/example": f"{self.dir}/share"} if self.recipe == "firecracker" else {}

    def environment(self):
        """The VMM is found in the PATH."""
        os.mkdir(os.path.join(self.dir, "vmm"))
        double = os.path.join(self.dir, "vmm", self.vmm)
        shutil.copy(os.path.join(os.path.dirname(os.path.abspath(__file__)), "vmm_double.py"), double)
        os.chmod(double, 0o755)
        return {"PATH": f"{self.dir}/vmm:{os.environ['PATH']}", "BED_GUEST": f"{self.dir}/inside",
                "BED_CHILD": f"{self.dir}/bin/kv-child"}

    def inner(self):
        return bed.inner_process(f"{self.dir}/inside/outboard.json")

    def is_confined(self):
        """The guest is a process of ours."""

    def test_is_restored(self):
        """A snapshot is restored: the connections are reset, and the listener is there. Nothing is restarted."""
        run, _ = self.supervise()
        before = self.inner()
        for _ in range(3):
            os.kill(self.status()["pid"], signal.SIGUSR1)
            self.event(run, "link_down")
            self.event(run, "link_up")
            self.works()
        self.assertEqual((self.inner(), self.status()["restarts"]), (before, 0))
        self.end(run)


class CloudHypervisor(Firecracker):
    recipe, child, vmm = "cloud-hypervisor", "machine", "cloud-hypervisor"


if __name__ == "__main__":
    bed.main()
