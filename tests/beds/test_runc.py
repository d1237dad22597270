# SPDX-License-Identifier: MIT
"""A child in a container of runc."""
import json
import os
import signal
import subprocess

import bed


class Runc(bed.Life):
    recipe, child, tools = "runc", "contained", ("runc", "jq")
    burst = 200  # runc copies the output, through a pipe of 64 KiB

    def prepare(self):
        self.names = {"/usr/local/share/example": f"{self.dir}/share", "example-": f"{self.tag}-"}

    def containers(self):
        listed = subprocess.run(["runc", "list", "--format", "json"], capture_output=True, text=True, check=True).stdout
        return [c["id"] for c in json.loads(listed) or [] if self.tag in c["id"]]

    def leftovers(self):
        return set(self.containers())

    def sweep(self):
        for name in self.containers():
            subprocess.run(["runc", "delete", "--force", name], check=False)


class AnotherUser(Runc):
    """Inside it is neither root nor anybody else of this machine, and can do nothing that needs root."""

    recipe = "runc-user"

    def is_confined(self):
        super().is_confined()
        with open(f"/proc/{self.inner()}/status", encoding="utf-8") as file:
            status = dict(line.split(":\t", 1) for line in file)
        self.assertEqual(status["Uid"].split(), ["51234"] * 4)
        self.assertEqual(int(status["CapEff"], 16) | int(status["CapPrm"], 16), 0)


class Exec(Runc):
    """A second child in the same container."""

    recipe, child = "runc-exec", "second"

    def setUp(self):
        super().setUp()
        self.mounted = ["contained", "second"]

    def works(self):
        """As pid 1 the first child ends by a signal only if it has a handler."""
        super().works()
        done = self.outboard("call", os.path.join(self.root, "contained"), "act.bye")
        self.assertEqual(done.returncode, bed.OK, done.stderr)

    def is_gone(self):
        """Its container lives on, until the supervisor ends."""
        self.assertEqual(os.listdir(self.data_path()), [])

    def test_ends_with_its_container(self):
        """SIGKILL to the process of the first child, which is pid 1: both are restarted, the second after the first."""
        run, _ = self.supervise()
        before = bed.Watched(self.inner())
        os.kill(bed.inner_process(os.path.join(self.root, "contained", "outboard.json")), signal.SIGKILL)
        run.event("contained", "ready")
        self.up(run)
        before.wait()
        before.close()
        self.works()
        self.end(run)


if __name__ == "__main__":
    bed.main()
