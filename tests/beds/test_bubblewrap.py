# SPDX-License-Identifier: MIT
"""A child in bubblewrap."""
import bed


class AsRoot(bed.Life):
    recipe, child, tools = "bubblewrap", "boxed", ("bwrap",)
    probe = ("bwrap", "--unshare-all", "--ro-bind", "/", "/", "true")


class Unprivileged(AsRoot):
    user, root_only = "daemon", False


if __name__ == "__main__":
    bed.main()
