# SPDX-License-Identifier: MIT
"""Ports and context ids that `outboard run` allocates: ${port}, ${cid}, `ports`, `cids`."""
import json
import os
import signal
import socket
import unittest

from command import ACTOR, OK, REMOTE, USAGE, Case, actor, free_port, outboard

# Above the ports that the kernel gives away.
PORTS = "62000-62999"
TCP = "tcp://127.0.0.1:${port}"


def port_of(row):
    return int(row["address"].rsplit(":", 1)[1])


class Numbers(Case):
    def state(self, name, root=None):
        with open(f"{root or self.root}/.state/{name}/state.json", encoding="utf-8") as file:
            return json.load(file)

    def start_all(self, children, **top):
        self.write(children, **top)
        run = self.run_it()
        run.events(**dict.fromkeys(children, "ready"))
        return run

    def test_each_child_has_a_port_of_its_own_and_keeps_it(self):
        children = {name: actor("say=${port} ${name}", listen=TCP) for name in ("a", "b", "c")}
        run = self.start_all(children, ports=PORTS)
        rows = self.status()
        ports = {name: port_of(row) for name, row in rows.items()}
        self.assertEqual(len(set(ports.values())), 3)
        for name, port in ports.items():
            self.assertTrue(62000 <= port <= 62999)
            self.assertEqual(self.state(name)["port"], port)
            self.assertTrue(any(r.get("msg") == f"{port} {name}" for r in run.records))
            self.expect(outboard("call", f"{self.root}/{name}", "act.echo", "[1]"), OK, "1\n", "")
        # A restart of one child, the death of the supervisor, and a stop of all.
        self.expect(outboard("restart", "--config", self.config, "a"), OK, None, "")
        self.assertEqual(port_of(self.status()["a"]), ports["a"])
        run.process.kill()
        run.wait()
        run = self.run_it()
        run.events(a="adopted", b="adopted", c="adopted")
        rows = self.status()
        self.assertEqual({name: port_of(row) for name, row in rows.items()}, ports)
        self.assertEqual([row["stale"] for row in rows.values()], [False] * 3)
        self.assertEqual(json.loads(outboard("reload", "--json", "--config", self.config).stdout)["unchanged"], 3)
        self.assertEqual(run.end(), OK)
        run = self.start_all(children, ports=PORTS)
        self.assertEqual({name: port_of(row) for name, row in self.status().items()}, ports)
        self.assertEqual(run.end(), OK)

    def test_what_is_dialled_has_the_port_too(self):
        child = actor(listen="tcp://0.0.0.0:${port}", connect=TCP, env={"CID": "${cid}"})
        run = self.start_all({"a": child}, ports=PORTS, cids="4000-4999")
        self.assertEqual(self.status()["a"]["address"], f"tcp://127.0.0.1:{self.state('a')['port']}")
        self.assertTrue(4000 <= self.state("a")["cid"] <= 4999)
        before = self.state("a")
        run.process.kill()
        run.wait()
        run = self.run_it()
        run.event("a", "adopted")
        self.assertEqual(self.status()["a"]["address"], f"tcp://127.0.0.1:{before['port']}")
        self.assertEqual((self.state("a")["port"], self.state("a")["cid"]), (before["port"], before["cid"]))
        self.assertEqual(run.end(), OK)

    def test_children_that_dial_home(self):
        home = {"command": [ACTOR], "ready": {"mode": "dial-home"}}
        self.write({"a": {"use": "tcp"}, "b": {"use": "tcp"}, "c": {"use": "unix"}, "d": {"use": "unix"}}, ports=PORTS,
                   templates={"tcp": {**home, "accept": TCP}, "unix": {**home, "accept": f"unix://{self.dir}/${{name}}.home"}})
        self.expect(outboard("check", self.config), OK, None, "")
        run = self.run_it()
        run.events(a="ready", b="ready", c="ready", d="ready")
        rows = self.status()
        ports = {name: port_of(rows[name]) for name in ("a", "b")}
        self.assertEqual(len(set(ports.values())), 2)
        self.expect(outboard("restart", "--config", self.config, "a"), OK, None, "")
        self.assertEqual(port_of(self.status()["a"]), ports["a"])
        run.process.kill()
        run.wait()
        run = self.run_it()
        run.events(a="adopted", b="adopted", c="adopted", d="adopted")
        rows = self.status()
        self.assertEqual({name: port_of(rows[name]) for name in ("a", "b")}, ports)
        self.assertEqual([row["stale"] for row in rows.values()], [False] * 4)
        self.assertEqual(run.end(), OK)

    def test_a_port_of_somebody_else_is_passed_over(self):
        children = {"a": actor(listen=TCP)}
        run = self.start_all(children, ports=PORTS)
        port = port_of(self.status()["a"])
        self.assertEqual(run.end(), OK)
        with socket.create_server(("127.0.0.1", port)):
            run = self.start_all(children, ports=PORTS)
            other = port_of(self.status()["a"])
            self.assertNotEqual(other, port)
        self.expect(outboard("restart", "--config", self.config, "a"), OK, None, "")
        self.assertEqual(port_of(self.status()["a"]), other)
        self.assertEqual(run.end(), OK)

    def test_two_supervisors_share_a_range_until_it_is_exhausted(self):
        port = free_port(2)
        first = self.start_all({"a": actor(listen=TCP)}, ports=f"{port}-{port + 1}")
        taken = {port_of(self.status()["a"])}
        self.config, self.root = f"{self.dir}/other.json", f"{self.dir}/other"
        second = self.start_all({"a": actor(listen=TCP)}, ports=f"{port}-{port + 1}")
        taken.add(port_of(self.status()["a"]))
        self.assertEqual(taken, {port, port + 1})
        self.write({"a": actor(listen=TCP), "b": actor(listen=TCP, restart={"on": "never"})}, ports=f"{port}-{port + 1}")
        result = outboard("reload", "--config", self.config)
        self.assertEqual(result.returncode, REMOTE)
        self.assertIn(f"no free port in {port}-{port + 1}: 2 are of other children, 0 are in use otherwise", result.stderr)
        self.assertEqual(first.end(), OK)  # its port is free then
        self.expect(outboard("start", "--config", self.config, "b"), OK, None, "")
        self.assertEqual(second.end(), OK)

    def test_a_child_that_was_started_without_numbers_is_found(self):
        port = free_port()
        run = self.start_all({"a": actor(listen=f"tcp://127.0.0.1:{port}", connect=f"tcp://127.0.0.1:{port}")})
        self.assertEqual(run.end(signal.SIGUSR1), OK)
        self.write({"a": actor(listen=TCP, connect=TCP)}, ports=PORTS)
        run = self.run_it()
        run.event("a", "adopted")
        row = self.status()["a"]
        self.assertEqual((row["link"], port_of(row), row["stale"]), ("up", port, True))
        self.expect(outboard("restart", "--config", self.config, "a"), OK, None, "")
        row = self.status()["a"]
        self.assertTrue(62000 <= port_of(row) <= 62999)
        self.assertFalse(row["stale"])
        self.assertEqual(run.end(), OK)

    def test_ranges_cannot_change_while_it_runs(self):
        run = self.start_all({"a": actor()})
        self.write({"a": actor(), "b": actor(listen=TCP)}, ports=PORTS, cids="5-6")
        result = outboard("reload", "--config", self.config)
        self.expect(result, USAGE, "")
        for key in "ports", "cids":
            self.assertIn(f"{self.place_of(key)}: {key}: cannot change while outboard run runs: start it anew", result.stderr)
        self.assertEqual(run.end(), OK)

    def test_faults(self):
        self.write({"a": actor("${port}", stop={"cleanup": ["x", "${cid}"]}), "b": actor("$${port}")}, ports="9-1")
        ports = self.place_of("ports")
        self.expect(outboard("check", self.config), USAGE, "",
                    f'{ports}: ports: must be a range from 1 to 65535, such as "20000-20999"\n'
                    f'{self.place_of("a")}: children.a: refers to ${{cid}}, and there is no "cids"\n')
        self.write({"a": actor("${port}")}, cids="2-5")
        self.expect(outboard("check", self.config), USAGE, "",
                    f'{self.place_of("cids")}: cids: must be a range from 3 to 4294967294, such as "100-999"\n'
                    f'{self.place_of("a")}: children.a: refers to ${{port}}, and there is no "ports"\n')


if __name__ == "__main__":
    unittest.main(verbosity=2)
