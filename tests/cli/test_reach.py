# SPDX-License-Identifier: MIT
"""outboard check: addresses that two children share or nobody can dial, and containers that hide what a child needs."""
import json
import os
import unittest

from command import OK, USAGE, Case, actor, outboard

ANY = "cannot be dialled, only vsock://CID:PORT"
SEEN = "the container does not see"
BWRAP = ["bwrap", "--unshare-all", "--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib", "--proc", "/proc", "--dev", "/dev"]
OWN = ["--bind", "${data_path}", "${data_path}"]
RPC = {"ready": {"mode": "rpc"}}


def vm(connect, cid=None, **more):
    command = ["qemu-system-x86_64", "-device", f"vhost-vsock-pci,guest-cid={cid}"] if cid else ["vmm"]
    return {"command": command, "listen": "vsock://any:5000", "connect": connect, **RPC, **more}


def home(accept, **more):
    return actor(ready={"mode": "dial-home"}, accept=accept, **more)


# Children, keys at the top, and the faults: a key and a part of the reason.
CASES = [
    # Two at one address, whether they listen there or are dialled there.
    ({"a": vm("vsock://42:5000"), "b": vm("vsock://42:5000")}, {}, [("b.connect", 'already used by "a", which is dialled at vsock://42:5000')]),
    ({"a": vm("vsock://42:5000"), "b": vm("vsock://42:5001"), "c": vm("vsock://43:5000")}, {}, []),
    ({"a": vm("hvsock:///run/v.sock:5000"), "b": vm("hvsock:///run//v.sock:5000")}, {}, [("b.connect", 'already used by "a"')]),
    ({"a": vm("hvsock:///run/v.sock:5000"), "b": vm("hvsock:///run/v.sock:5001")}, {}, []),
    ({"a": vm("tcp://127.0.0.1:7000"), "b": actor(listen="tcp://0.0.0.0:7000")}, {},
     [("a.connect", 'already used by "b", which listens on tcp://0.0.0.0:7000')]),
    ({"a": vm("tcp://far.example:7000"), "b": actor(listen="tcp://0.0.0.0:7000")}, {}, []),
    ({"a": vm("tcp://far.example:7000"), "b": vm("tcp://far.example:7000")}, {}, [("b.connect", 'already used by "a"')]),
    ({"a": actor(), "b": actor(listen="unix:///run/x", connect="unix://ROOT/a/rpc.sock")}, {},
     [("b.connect", 'already used by "a": rpc.sock in its data_path')]),
    ({"a": actor(listen="unix:///run/x"), "b": actor(listen="unix:///y", connect="unix:///run/x")}, {}, [("b.connect", 'already used by "a"')]),
    ({"a": actor(connect="unix://ROOT/a/rpc.sock")}, {}, []),
    ({"a": actor(connect="unix://ROOT/run.sock")}, {}, [("a.connect", "is reserved for the files of outboard run")]),
    # The supervisor listens for one that dials, which may itself listen elsewhere.
    ({"a": home("tcp://127.0.0.1:7000"), "b": actor(listen="tcp://0.0.0.0:7000")}, {},
     [("a.accept", 'already used by "b", which listens on tcp://0.0.0.0:7000')]),
    ({"a": home("tcp://0.0.0.0:7000", dial="tcp://far.example:7000"), "b": actor(listen="tcp://127.0.0.1:7000")}, {},
     [("b.listen", 'already used by "a", which dials tcp://0.0.0.0:7000')]),
    ({"a": home("vsock://any:5000"), "b": home("vsock://any:5000")}, {}, [("b.accept", 'already used by "a"')]),
    ({"a": home("unix:///run/x.home"), "b": home("unix:///run//x.home")}, {}, [("b.accept", 'already used by "a"')]),
    ({"a": home("hvsock:///run/v.sock:5000"), "b": home("unix:///run/v.sock_5000")}, {}, [("b.accept", 'already used by "a"')]),
    ({"a": home("hvsock:///run/v.sock:5000"), "b": vm("hvsock:///run/v.sock:5000"), "c": home("hvsock:///run/v.sock:5001")}, {}, []),
    ({"a": home("unix://ROOT/run.sock")}, {}, [("a.accept", "is reserved for the files of outboard run")]),
    ({"a": home("hvsock:///run/a:5000", listen="vsock://any:7000"), "b": home("hvsock:///run/b:5000", listen="vsock://any:7000")}, {}, []),
    ({"a": home("tcp://127.0.0.1:7005"), "b": actor(listen="tcp://127.0.0.1:${port}")}, {"ports": "7000-7009"},
     [("a.accept", 'port 7005 is in the range "ports"')]),
    # Context ids.
    ({"a": vm("vsock://42:5000", 42), "b": vm("vsock://43:5000", 42)}, {}, [("b.command", 'guest-cid=42 is already used by "a"')]),
    ({"a": vm("vsock://42:5000", 42), "b": vm("vsock://43:5000", 43)}, {}, []),
    ({"a": vm("vsock://${cid}:5000", "${cid}"), "b": vm("vsock://43:5000", 43)}, {"cids": "40-49"}, [("b.command", 'in the range "cids"')]),
    ({"a": vm("vsock://${cid}:5000", "${cid}"), "b": vm("vsock://${cid}:5000", "${cid}")}, {"cids": "40-49"}, []),
    # Ports that may be given to others.
    ({"a": actor(listen="tcp://127.0.0.1:${port}"), "b": actor(listen="tcp://127.0.0.1:7005")}, {"ports": "7000-7009"},
     [("b.listen", 'port 7005 is in the range "ports"')]),
    ({"a": actor(listen="tcp://127.0.0.1:${port}"), "b": actor(listen="tcp://127.0.0.1:7010")}, {"ports": "7000-7009"}, []),
    ({"a": actor(), "b": actor(listen="tcp://127.0.0.1:7005")}, {"ports": "7000-7009"}, []),
    # Nobody can dial that.
    ({"a": actor(listen="vsock://any:5000")}, {}, [("a.connect", ANY)]),
    ({"a": actor(listen="tls+vsock://any:5000")}, {}, [("a.connect", ANY)]),
    ({"a": actor(listen="hvsock:///run/v.sock:5000")}, {}, [("a.connect", "is for guests, and cannot be dialled there")]),
    # A guest writes a copy.
    ({"a": vm("vsock://42:5000", ready={"mode": "config"})}, {}, [("a.ready.mode", "in a virtual machine")]),
    ({"a": vm("hvsock:///run/v.sock:5000", ready={"timeout": "9s"})}, {}, [("a.ready.mode", "in a virtual machine")]),
    # bubblewrap.
    ({"a": {"command": [*BWRAP, *OWN, "kv"]}}, {}, []),
    ({"a": {"command": [*BWRAP, "kv"]}}, {}, [("a.command", f"{SEEN} the child's data directory ROOT/a, with its outboard.json")]),
    ({"a": {"command": [*BWRAP, *OWN, "--tmpfs", "ROOT", "kv"]}}, {}, [("a.command", SEEN)]),
    ({"a": {"command": [*BWRAP, "--bind", "/srv", "${data_path}", "kv"]}}, {}, [("a.command", SEEN)]),
    ({"a": {"command": [*BWRAP, "--bind-fd", "9", "${data_path}", "kv"]}}, {}, []),
    ({"a": {"command": [*BWRAP, "--bind", "${data_path}"]}}, {}, []),
    ({"a": {"command": [*BWRAP, "--ro-bind", "/", "/", "kv"]}}, {},
     [("a.ready.mode", 'the container can only read ROOT/a: use "rpc"'), ("a.command", "can only read ROOT/a, where the child is to listen")]),
    ({"a": {"command": [*BWRAP, "--ro-bind", "/", "/", "kv"], "ready": {"mode": "dial-home"}, "accept": "unix:///run/${name}.home"}}, {}, []),
    ({"a": {"command": [*BWRAP, *OWN, "--remount-ro", "${data_path}", "kv"], "listen": "tcp://127.0.0.1:0", **RPC}}, {}, []),
    ({"a": {"command": [*BWRAP, *OWN, "kv"], "listen": "unix:///run/x/a.sock"}}, {}, [("a.listen", f"{SEEN} /run/x/a.sock of the host")]),
    ({"a": {"command": [*BWRAP, *OWN, "--bind", "/run/x", "/run/x", "kv"], "listen": "unix:///run/x/a.sock"}}, {}, []),
    ({"a": {"command": [*BWRAP, *OWN, "--ro-bind", "/run/x", "/run/x", "kv"], "listen": "unix:///run/x/a.sock"}}, {},
     [("a.listen", "can only read where the socket /run/x/a.sock")]),
    ({"a": {"command": [*BWRAP, *OWN, "--bind", "/srv/x", "/run/x", "kv"], "listen": "unix:///run/x/a.sock", "connect": "unix:///srv/x/a.sock"}},
     {}, []),
    ({"a": {"command": [*BWRAP, *OWN, "kv"], "client_listen": "unix:///run/a.sock"}}, {}, [("a.client_listen", SEEN)]),
    ({"a": {"command": [*BWRAP, "--bind", "${data_path}", "/data", "--setenv", "OUTBOARD_CONFIG", "/data/outboard.json", "kv"],
            "listen": "unix:///data/a.sock", "connect": "unix://${data_path}/a.sock"}}, {}, []),
    ({"a": {"command": [*BWRAP, "kv"], "ready": {"mode": "none"}}}, {}, []),
    # What is not known is not judged.
    ({"a": {"command": [*BWRAP, "--of-the-future", "kv"]}}, {}, []),
    ({"a": {"command": [*BWRAP, "--args", "9", "kv"]}}, {}, []),
    ({"a": {"command": [*BWRAP, "--setenv"]}}, {}, []),
    ({"a": {"command": ["podman", "run", "kv"]}}, {}, []),
    ({"a": {"command": ["runc", "run", "--bundle", "/no/such/bundle", "a"]}}, {}, []),
    ({"a": {"command": ["runc", "exec", "b", "kv"]}}, {}, []),
]

MOUNT = {"destination": "ROOT/a", "type": "bind", "source": "ROOT/a", "options": ["rbind", "rw"]}
PROC = {"destination": "/proc", "type": "proc", "source": "proc"}
CONFIG = ["OUTBOARD_CONFIG=ROOT/a/outboard.json"]

# Environment, mounts, and more of the child of a bundle; its faults.
BUNDLES = [
    (CONFIG, [PROC, MOUNT], {}, []),
    (CONFIG, [PROC], {}, [("a.command", SEEN)]),
    (CONFIG, [MOUNT, {"destination": "ROOT", "type": "tmpfs"}], {}, [("a.command", SEEN)]),
    (CONFIG, [{**MOUNT, "options": ["bind", "ro"]}], {"listen": "tcp://127.0.0.1:0"}, [("a.ready.mode", "can only read")]),
    (CONFIG, [MOUNT], {"listen": "unix:///run/a.sock"}, [("a.listen", f"{SEEN} /run/a.sock")]),
    (["OUTBOARD_CONFIG=/d/outboard.json"], [{**MOUNT, "destination": "/d"}], {"listen": "tcp://127.0.0.1:0"}, []),
    (["OUTBOARD_CONFIG=/d/outboard.json"], [MOUNT], {}, [("a.command", SEEN)]),
    ([], [PROC], {}, []),  # somebody else tells it
]


class Reach(Case):
    def check(self, children, top, faults):
        def rooted(text):
            return text.replace("ROOT", self.root)
        self.write(json.loads(rooted(json.dumps(children))), **top)
        found = [f for f in json.loads(outboard("check", "--json", self.config).stdout)
                 if "No such file" not in f["reason"] and "is not in" not in f["reason"] and "not found" not in f["reason"]]
        self.assertEqual([f["key"] for f in found], [f"children.{key}" for key, _ in faults], found)
        for fault, (_, reason) in zip(found, faults):
            self.assertIn(rooted(reason), fault["reason"])
            self.assertIsNotNone(fault["line"])

    def test_addresses_and_bubblewrap(self):
        for children, top, faults in CASES:
            with self.subTest(children):
                self.check(children, top, faults)

    def test_bundles_of_runc(self):
        for env, mounts, more, faults in BUNDLES:
            with self.subTest(env=env, mounts=mounts, more=more):
                bundle = f"{self.dir}/bundle"
                os.makedirs(bundle, exist_ok=True)
                with open(f"{bundle}/config.json", "w", encoding="utf-8") as file:
                    file.write(json.dumps({"ociVersion": "1.0.2", "root": {"path": "rootfs", "readonly": True}, "mounts": mounts,
                                           "process": {"args": ["kv"], "env": ["PATH=/bin", *env]}}).replace("ROOT", self.root))
                command = ["runc", "--root", "/run/x", "run", "--preserve-fds", "1", "--bundle", bundle, "a"]
                self.check({"a": {"command": command, **more}}, {}, faults)
                if not faults:
                    self.check({"a": {"command": ["runc", "run", "a"], "cwd": bundle, **more}}, {}, [])
                else:
                    command = ["crun", "create", "--bundle=bundle", "a"]
                    self.check({"a": {"command": command, "cwd": self.dir, **more}}, {}, faults)

    def test_bundles_that_cannot_be_read(self):
        bundle = f"{self.dir}/bundle"
        os.mkdir(bundle)
        os.mkfifo(f"{bundle}/config.json")  # nobody writes into it
        for where in ({"command": ["runc", "run", "-b", bundle, "a"]}, {"command": ["crun", "run", "a"], "cwd": bundle}):
            with self.subTest(where):
                self.check({"a": where}, {}, [])

    def test_run_refuses_as_check_does(self):
        self.write({"a": actor(listen="vsock://any:5000"), "b": {"command": ["vmm"], "listen": "vsock://any:1", "connect": "vsock://9:1"}})
        result = outboard("run", self.config)
        self.expect(result, USAGE, "")
        self.assertIn("children.a.connect: is required", result.stderr)
        self.assertIn("children.b.ready.mode: ", result.stderr)
        self.write({"a": actor()})
        self.expect(outboard("check", self.config), OK, None, "")


if __name__ == "__main__":
    unittest.main(verbosity=2)
