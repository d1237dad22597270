# SPDX-License-Identifier: MIT
"""A child in bubblewrap that uses the shared library and the plugin files of /usr/local, where README.md installs them.

The installation is mounted on /usr/local in a mount namespace of the test's own.
"""
import os
import subprocess
import sys
import tempfile

import bed


def command(*words):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=bed.PATIENCE, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{words[0]}: {done.stdout}{done.stderr}")


def install(stage):
    """Install the library, and link the child with it; then nothing of the build is used."""
    command("env", f"DESTDIR={stage}", "cmake", "--install", bed.BUILD, "--prefix", "/usr/local")
    command("mount", "--bind", f"{stage}/usr/local", "/usr/local")
    command(os.environ["CC"], "-std=c11", "-D_GNU_SOURCE", f"-I{bed.SOURCE}/tests", "-I/usr/local/include", "-L/usr/local/lib",
            f"{bed.SOURCE}/tests/children/actor.c", "-o", "/usr/local/bin/kv-child", "-loutboard", "-pthread")
    command("ldconfig", "-C", f"{stage}/cache")
    command("mount", "--bind", f"{stage}/cache", "/etc/ld.so.cache")


class Library(bed.Life):
    recipe, child, tools = "bubblewrap-library", "boxed", ("bwrap",)
    probe = ("bwrap", "--unshare-all", "--ro-bind", "/", "/", "true")
    places = {"/var/lib/example": "data"}

    def environment(self):
        """Without OUTBOARD_PLUGIN_PATH the installed plugins are used, in the box as well."""
        for name in ("OUTBOARD_PLUGIN_PATH", "LD_LIBRARY_PATH"):
            self.env.pop(name, None)
        self.command = "/usr/local/bin/outboard"
        return {}


class Unprivileged(Library):
    """The box has no number for root, to whom the plugins belong."""

    user = "daemon"
    more = {"plugin_trust": "unmapped"}


def main():
    if os.geteuid() != 0 or not os.path.exists("/etc/ld.so.cache"):
        print("SKIP: root is required" if os.geteuid() != 0 else "SKIP: there is no /etc/ld.so.cache")
        sys.exit(77)
    if "OB_BED_NAMESPACE" not in os.environ:
        os.environ["OB_BED_NAMESPACE"] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, "-B", __file__])
    os.umask(0o022)
    with tempfile.TemporaryDirectory(prefix="ob-stage-") as stage:
        install(stage)
        try:
            bed.main()
        finally:
            command("umount", "/etc/ld.so.cache")
            command("umount", "/usr/local")


if __name__ == "__main__":
    main()
