# SPDX-License-Identifier: MIT
"""A child in a container of runc."""
import json
import os
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

    def up(self, run):
        """It may have been tried before the container was there."""
        ends = ("ready", "adopted", "failed")
        event = run.record(lambda r: r.get("outboard") == self.child and r.get("event") in ends)
        return event["event"]

    def is_gone(self):
        """Its container lives on, until the supervisor ends."""
        self.assertEqual(os.listdir(self.data_path()), [])


if __name__ == "__main__":
    bed.main()
