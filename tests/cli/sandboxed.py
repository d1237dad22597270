# SPDX-License-Identifier: MIT
"""Shared by the tests of children in sandboxes: copies of the programs that every user can reach, and users to run as."""
import glob
import json
import os
import shutil
import subprocess
import tempfile

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


def write_bundle(path, args, mounts, **more):
    """A bundle for runc, with /usr of this machine and these directories, (source, destination, mode) each."""
    was = os.umask(0o022)  # others must be able to pass what is made
    try:
        make_bundle(path, args, mounts, **more)
    finally:
        os.umask(was)


def make_bundle(path, args, mounts, **more):
    for name in ("usr", "proc", "dev", "tmp", "etc"):
        os.makedirs(os.path.join(path, "rootfs", name), mode=0o755, exist_ok=True)
    for name in ("lib", "lib64", "bin"):
        os.symlink(f"usr/{name}", os.path.join(path, "rootfs", name))
    binds = [("/usr", "/usr", "ro"), *mounts]
    if os.path.exists("/etc/ld.so.cache"):
        binds.append(("/etc/ld.so.cache", "/etc/ld.so.cache", "ro"))
        with open(os.path.join(path, "rootfs/etc/ld.so.cache"), "w", encoding="ascii"):
            pass
    for _, to, _ in mounts:  # root of a user namespace cannot make them
        os.makedirs(f"{path}/rootfs{to}", mode=0o755, exist_ok=True)
    config = {"ociVersion": "1.0.2", "root": {"path": "rootfs"},
              "process": {"user": {"uid": more.get("uid", 0), "gid": more.get("gid", 0)}, "args": args, "cwd": "/",
                          "env": ["PATH=/usr/bin", *more.get("env", [])], "noNewPrivileges": True},
              "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
                         {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
                         *({"destination": to, "type": "bind", "source": source, "options": ["rbind", mode]}
                           for source, to, mode in binds)],
              "linux": {"namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")]}}
    if "outside" in more:
        config["linux"]["namespaces"].append({"type": "user"})
        for key in ("uidMappings", "gidMappings"):
            config["linux"][key] = [{"containerID": 0, "hostID": more["outside"], "size": 65536}]
    with open(os.path.join(path, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file)


def runc_works(**more):
    """Whether containers can be made here."""
    if os.geteuid() != 0 or shutil.which("runc") is None:
        return False
    with tempfile.TemporaryDirectory(prefix="ob-runc-") as scratch:
        os.chmod(scratch, 0o755)
        write_bundle(scratch, ["/usr/bin/true"], [], **more)
        return works("runc", "run", "--bundle", scratch, os.path.basename(scratch))


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
