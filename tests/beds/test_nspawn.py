# SPDX-License-Identifier: MIT
"""A child in a container of systemd-nspawn, on a machine that need not run systemd."""
import bed


class Nspawn(bed.Life):
    recipe, child, tools = "nspawn", "spawned", ("systemd-nspawn",)

    def prepare(self):
        self.names = {"/usr/local/share/example": f"{self.dir}/share", "example-": f"{self.tag}-"}


if __name__ == "__main__":
    bed.main()
