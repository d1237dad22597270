# SPDX-License-Identifier: MIT
"""Shared by the tests of children in sandboxes: copies of the programs that every user can reach, and users to run as."""
import glob
import os
import shutil
import subprocess

from command import BUILD, OUTBOARD, PATIENCE, Case, Run

INSIDE = "/opt/outboard"  # where a sandbox has the copies


def works(*command, **more):
    """Whether the command can be run here, and succeeds."""
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, **more).returncode == 0


def as_user(uid):
    """Arguments of subprocess; None: this user."""
    return {} if uid is None else {"user": uid, "group": uid, "extra_groups": []}


class Sandboxed(Case):
    """The supervisor runs as `uid`, with its data_root in a directory of that user."""
    uid = None

    def setUp(self):
        super().setUp()
        os.chmod(self.dir, 0o755)
        self.bin = os.path.join(self.dir, "bin")
        os.mkdir(self.bin)
        os.chmod(self.bin, 0o755)
        for file in [OUTBOARD, os.path.join(BUILD, "bin", "kv-child"), *glob.glob(os.path.join(BUILD, "liboutboard.so.*")),
                     *glob.glob(os.path.join(BUILD, "plugins", "*.so"))]:
            os.chmod(shutil.copy(file, self.bin), 0o755)
        self.home = os.path.join(self.dir, "home")
        os.mkdir(self.home)
        os.chmod(self.home, 0o755)
        if self.uid is not None:
            os.chown(self.home, self.uid, self.uid)
        self.root = os.path.join(self.home, "root")
        self.child = os.path.join(self.bin, "kv-child")
        self.environment = {**os.environ, "LD_LIBRARY_PATH": self.bin, "OUTBOARD_PLUGIN_PATH": self.bin}

    def write(self, children, **top):
        super().write(children, **top)
        os.chmod(self.config, 0o644)

    def run_it(self, *args, uid=None, **more):
        run = Run(self.config, *args, program=os.path.join(self.bin, "outboard"), env=self.environment, cwd="/",
                  **as_user(uid if uid is not None else self.uid), **more)
        self.runs.append(run)
        return run

    def outboard(self, *args, uid=None):
        return subprocess.run([os.path.join(self.bin, "outboard"), *map(str, args)], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=PATIENCE, cwd="/", env=self.environment,
                              **as_user(uid if uid is not None else self.uid))

    def bwrap(self, name, *options):
        """A command that runs the child in bubblewrap, with the copies at INSIDE."""
        data = os.path.join(self.root, name)
        return ["bwrap", "--unshare-all", "--proc", "/proc", "--dev", "/dev", "--ro-bind", "/usr", "/usr", "--symlink",
                "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64", "--ro-bind-try", "/etc/ld.so.cache",
                "/etc/ld.so.cache", "--tmpfs", "/tmp", "--ro-bind", self.bin, INSIDE, "--bind", data, data, "--setenv",
                "OUTBOARD_PLUGIN_PATH", INSIDE, "--setenv", "LD_LIBRARY_PATH", INSIDE, *options, f"{INSIDE}/kv-child"]
