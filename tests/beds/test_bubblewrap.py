# SPDX-License-Identifier: MIT
"""A child in bubblewrap."""
from bed import Life, main


class AsRoot(Life):
    recipe, child, tools = "bubblewrap", "boxed", ("bwrap",)
    probe = ("bwrap", "--unshare-all", "--ro-bind", "/", "/", "true")


class Unprivileged(AsRoot):
    user, root_only = "daemon", False


if __name__ == "__main__":
    main()
