# SPDX-License-Identifier: MIT
"""A child in a container of runc."""
import json
import subprocess

from bed import Life, main


class Runc(Life):
    recipe, child, tools = "runc", "contained", ("runc", "jq")
    burst = 200  # runc copies the output, through a pipe of 64 KiB

    def prepare(self):
        self.container = f"contained-{self.tag}"
        self.names = {"/usr/local/share/example": f"{self.dir}/share", "example-contained": self.container}

    def containers(self):
        listed = subprocess.run(["runc", "list", "--format", "json"], capture_output=True, text=True, check=True).stdout
        return [c["id"] for c in json.loads(listed) or [] if self.tag in c["id"]]

    def leftovers(self):
        return set(self.containers())

    def sweep(self):
        for name in self.containers():
            subprocess.run(["runc", "delete", "--force", name], check=False)


if __name__ == "__main__":
    main()
