# SPDX-License-Identifier: MIT
"""A child in a container of podman, as root and as an ordinary user. The store of its images is the test's own."""
import json
import os
import subprocess

import bed

STORAGE = """[storage]
driver = "%(driver)s"
graphroot = "%(dir)s/store"
runroot = "%(dir)s/run"
"""
# crun refuses a hybrid layout of cgroups. Without systemd there is no other cgroup manager and no journal. podman raises the
# limits of a container that root starts, which needs CAP_SYS_RESOURCE.
ENGINE = """[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
"""


class Rootful(bed.Life):
    recipe, child, tools = "podman", "poddy", ("podman", "runc")
    driver = "overlay"

    def prepare(self):
        self.names = {"example-": f"{self.tag}-"}
        self.own(os.path.join(self.dir, "share"))

    def environment(self):
        found = {}
        for name, text in ("storage", STORAGE), ("containers", ENGINE):
            path = os.path.join(self.dir, name + ".conf")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text % {"driver": self.driver, "dir": f"{self.dir}/share"})
            os.chmod(path, 0o644)
            found["CONTAINERS_STORAGE_CONF" if name == "storage" else "CONTAINERS_CONF"] = path
        return found

    def podman(self, *args):
        return subprocess.run(["podman", *args], env=self.env, cwd="/", stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=bed.PATIENCE, check=False, **self.as_user())

    def leftovers(self):
        listed = self.podman("ps", "--all", "--format", "json")
        self.assertEqual(listed.returncode, 0, listed.stderr)
        return {name for container in json.loads(listed.stdout or "[]") for name in container["Names"]}

    def sweep(self):
        self.podman("rm", "--all", "--force", "--time", "0")
        self.podman("rmi", "--all", "--force")
        self.tidy()


class Rootless(Rootful):
    user, root_only, driver = "daemon", False, "vfs"

    def environment(self):
        home = os.path.join(self.dir, "home")
        os.mkdir(home)
        self.own(home)
        return {**super().environment(), "HOME": home, "XDG_RUNTIME_DIR": home}

    def tidy(self):
        """podman keeps one process for each ordinary user, which holds his namespaces."""
        done = self.podman("system", "migrate")
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    bed.main()
