#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Row 107: the socket for requests, or all of data_root, is removed while the supervisor runs."""
import json
import os
import shutil
import signal
import socket
import unittest

from command import OK, UNREACHABLE, USAGE, Case, Run, actor, outboard

AGAIN, NOT_AGAIN = "removed by somebody, and made again", "removed by somebody, and cannot be made again"


class Swept(Case):
    def setUp(self):
        super().setUp()
        self.socket = os.path.join(self.root, "run.sock")

    def started(self, *names):
        self.write({name: [] for name in names})
        run = self.run_it()
        ready = run.events(**{name: "ready" for name in names})
        for record in ready.values():
            self.watch(record["pid"])
        return run, {name: record["pid"] for name, record in ready.items()}

    def again(self, run, what):
        return run.record(lambda r: r["msg"] == AGAIN and r["what"] == what)

    def not_again(self, run, what):
        return run.record(lambda r: r["msg"] == NOT_AGAIN and r["what"] == what)["cause"]

    def expect_supervised(self, pids):
        """By the supervisor: only that knows of a connection of its own."""
        rows = self.status()
        self.assertEqual({name: row["pid"] for name, row in rows.items()}, pids)
        self.assertEqual({(row["state"], row["link"], row["supervised"]) for row in rows.values()}, {("ready", "up", True)})
        answer = outboard("call", "--address", f"unix://{self.socket}", "--auth", "peercred", "run.status")
        self.expect(answer, OK)

    def test_fault_107_the_socket_is_made_again(self):
        run, pids = self.started("a")
        before = os.stat(self.socket)
        os.unlink(self.socket)
        self.again(run, "run.sock")
        self.assertNotEqual(before.st_ino, os.stat(self.socket).st_ino)
        self.assertEqual(os.stat(self.socket).st_mode & 0o777, 0o600)
        self.expect_supervised(pids)
        self.assertEqual(run.end(), OK)
        self.assertFalse(os.path.exists(self.socket))

    def test_fault_107_what_is_not_ours_is_left_alone(self):
        run, pids = self.started("a")
        other = socket.socket(socket.AF_UNIX)
        made = os.path.join(self.dir, "other")
        other.bind(made)
        other.listen()
        os.rename(made, self.socket)
        self.assertIn("another server is listening", self.not_again(run, "run.sock"))
        other.close()  # it is dead now, and ours by its owner
        self.again(run, "run.sock")
        self.expect_supervised(pids)
        with open(made, "w") as file:
            file.write("precious")
        os.rename(made, self.socket)
        self.assertIn("not a socket", self.not_again(run, "run.sock"))
        with open(self.socket) as file:
            self.assertEqual(file.read(), "precious")
        os.unlink(self.socket)
        self.again(run, "run.sock")
        self.expect_supervised(pids)
        self.assertEqual(run.end(), OK)
        told = [r["cause"] for r in run.records if r["msg"] == NOT_AGAIN]
        self.assertEqual(len(told), 2, "each is told once")

    def test_fault_107_a_request_that_waits_is_answered(self):
        """A connection from before the removal goes on."""
        run, pids = self.started("a")
        client = socket.socket(socket.AF_UNIX)
        client.connect(self.socket)
        client.settimeout(60)
        os.unlink(self.socket)
        self.again(run, "run.sock")
        client.sendall(b"\x94\x00\x01\xadoutboard.ping\x90")
        self.assertNotEqual(client.recv(100), b"")
        client.close()
        self.assertEqual(run.end(), OK)

    def test_fault_107_all_of_data_root_is_made_again(self):
        run, pids = self.started("a", "b")
        shutil.rmtree(self.root)
        self.again(run, "data_root")
        self.again(run, "run.sock")
        states = set()
        while states != {"a", "b"}:
            states.add(run.record(lambda r: r["msg"].startswith("state directory removed"))["outboard"])
        self.assertEqual(os.stat(self.root).st_mode & 0o777, 0o700)
        self.expect_supervised(pids)
        # Another one is kept out, and the next one finds the children.
        other = outboard("run", self.config)
        self.expect(other, UNREACHABLE)
        self.assertIn(f"another outboard run (pid {run.pid}) uses it", other.stderr)
        self.assertEqual(run.end(signal.SIGUSR1), OK)
        # The sockets of the children are gone, so they are waited for, and then adopted without a connection.
        self.write({name: actor(ready={"timeout": "1s"}) for name in pids})
        run = self.run_it()
        adopted = run.events(a="adopted", b="adopted")
        self.assertEqual({name: r["pid"] for name, r in adopted.items()}, pids)
        self.assertEqual(run.end(), OK)

    def test_fault_107_the_state_and_the_record_are_made_again(self):
        run, pids = self.started("a", "b")
        shutil.rmtree(f"{self.root}/.state")
        os.unlink(f"{self.root}/run.json")
        states, record = set(), False
        while states != {"a", "b"} or not record:
            said = run.record(lambda r: r["msg"] == AGAIN or r["msg"].startswith("state directory removed"))
            states |= {said["outboard"]} if "outboard" in said else set()
            record = record or said.get("what") == "run.json"
        with open(f"{self.root}/run.json") as file:
            self.assertEqual({entry["name"] for entry in json.load(file)["children"]}, {"a", "b"})
        run.process.kill()
        run.process.wait()
        self.assertEqual({name: row["pid"] for name, row in self.status().items()}, pids)
        run = self.run_it()
        run.events(a="adopted", b="adopted")
        self.assertEqual(run.end(), OK)

    def test_fault_107_a_state_of_another_child_is_left_alone(self):
        run, pids = self.started("a")
        elsewhere = os.path.join(self.dir, "elsewhere")
        config = os.path.join(self.dir, "elsewhere.json")
        with open(config, "w") as file:
            json.dump({"data_root": elsewhere, "children": {"a": actor()}}, file)
        other = Run(config)
        self.runs.append(other)
        stranger = other.event("a", "ready")["pid"]
        watched = self.watch(stranger)
        other.process.kill()
        other.process.wait()
        # The lock is free, but the process of this state lives.
        os.rename(f"{self.root}/.state/a", f"{self.dir}/mine")
        os.rename(f"{elsewhere}/.state/a", f"{self.root}/.state/a")
        told = run.record(lambda r: r["msg"] == "state directory removed by somebody, and cannot be made again")
        self.assertIn(f"belongs to process {stranger}", told["cause"])
        os.kill(stranger, signal.SIGKILL)
        watched.wait()
        run.record(lambda r: r["msg"] == "state directory removed by somebody, and made again")
        self.expect_supervised(pids)
        self.assertEqual(run.end(), OK)

    def test_fault_107_single_files_of_the_state_are_made_again(self):
        run, pids = self.started("a")
        for name in "parent.lock", "state.json":
            os.unlink(f"{self.root}/.state/a/{name}")
            run.record(lambda r: r["msg"].startswith("state directory removed"))
            self.assertTrue(os.path.exists(f"{self.root}/.state/a/{name}"))
        os.unlink(f"{self.root}/run.lock")
        self.again(run, "run.lock")
        self.assertIn(f"(pid {run.pid})", outboard("run", self.config).stderr)
        self.expect_supervised(pids)
        self.assertEqual(run.end(), OK)

    def test_fault_107_the_count_of_restarts_is_made_again(self):
        """The next supervisor goes on counting."""
        child = {"a": actor(restart={"max_restarts": 1, "backoff_base": "1ms"})}
        self.write(child)
        run = self.run_it()
        os.kill(run.event("a", "ready")["pid"], signal.SIGKILL)
        self.watch(run.event("a", "ready")["pid"])
        shutil.rmtree(f"{self.root}/.state")
        run.record(lambda r: r["msg"].startswith("state directory removed"))
        run.process.kill()
        run.process.wait()
        run = self.run_it()
        os.kill(run.event("a", "adopted")["pid"], signal.SIGKILL)
        self.assertIn("gave up after 1 restart; ", run.record(lambda r: r.get("event") in ("failed", "ready"))["cause"])
        self.assertEqual(run.end(), OK)

    def test_fault_107_a_child_that_dies_before_the_look_is_started_again(self):
        """No start is lost on a state directory that can be made again."""
        self.write({"a": actor(restart={"max_restarts": 1, "backoff_base": "1ms"})})
        run = self.run_it()
        pid = run.event("a", "ready")["pid"]
        run.process.send_signal(signal.SIGSTOP)
        shutil.rmtree(f"{self.root}/.state")
        os.kill(pid, signal.SIGKILL)
        run.process.send_signal(signal.SIGCONT)
        pids = {"a": run.record(lambda r: r.get("event") in ("failed", "ready")).get("pid")}
        self.expect_supervised(pids)
        run.process.kill()
        run.process.wait()
        run = self.run_it()
        self.assertEqual(run.event("a", "adopted")["pid"], pids["a"])
        self.assertEqual(run.end(), OK)

    def test_fault_107_a_data_root_of_another_supervisor_is_left_alone(self):
        run, pids = self.started("a")
        run.process.send_signal(signal.SIGSTOP)
        shutil.rmtree(self.root)
        self.write({"b": []})
        other = self.run_it()
        self.watch(other.event("b", "ready")["pid"])
        run.process.send_signal(signal.SIGCONT)
        self.assertIn(f"another outboard run (pid {other.pid}) uses it", self.not_again(run, "data_root"))
        self.assertEqual(list(self.status()), ["b"])
        self.assertEqual(other.end(), OK)
        # Now nobody has it.
        self.again(run, "data_root")
        self.again(run, "run.sock")
        self.write({"a": []})
        self.expect_supervised(pids)
        self.assertEqual(run.end(), OK)

    @unittest.skipUnless(os.geteuid() == 0, "only root can act as another user")
    def test_fault_107_a_link_of_another_user_is_not_followed(self):
        """In a sticky directory, as /tmp is, anybody may put one in place of a removed data_root."""
        run, pids = self.started("a")
        os.chmod(self.dir, 0o1777)
        precious = f"{self.dir}/precious"
        os.mkdir(precious, 0o755)
        link = f"{self.dir}/link"
        os.symlink(precious, link)
        os.lchown(link, 12345, 12345)
        run.process.send_signal(signal.SIGSTOP)
        shutil.rmtree(self.root)
        os.rename(link, self.root)
        run.process.send_signal(signal.SIGCONT)
        self.assertIn(f"{self.root}: a symbolic link that belongs to user 12345", self.not_again(run, "data_root"))
        self.assertEqual(os.listdir(precious), [])
        other = outboard("run", self.config)
        self.expect(other, USAGE, "")
        self.assertIn(f"data_root: {self.root}: a symbolic link that belongs to user 12345", other.stderr)
        os.unlink(self.root)
        self.again(run, "data_root")
        self.again(run, "run.sock")
        self.expect_supervised(pids)
        self.assertEqual(run.end(), OK)

    def test_fault_107_a_data_root_that_was_moved_is_held_at_both_places(self):
        run, pids = self.started("a")
        moved = f"{self.dir}/moved"
        os.rename(self.root, moved)
        self.again(run, "data_root")
        self.again(run, "run.sock")
        self.expect_supervised(pids)
        with open(f"{self.dir}/moved.json", "w") as file:
            json.dump({"data_root": moved, "children": {"b": {"command": ["/bin/true"]}}}, file)
        other = outboard("run", f"{self.dir}/moved.json")
        self.expect(other, UNREACHABLE)
        self.assertIn(f"another outboard run (pid {run.pid}) uses it", other.stderr)
        shutil.rmtree(self.root)
        os.rename(moved, self.root)
        self.again(run, "run.sock")
        self.expect_supervised(pids)
        self.assertEqual(run.end(), OK)

    def test_fault_107_who_cannot_be_reached_is_named(self):
        run, pids = self.started("a")
        run.process.send_signal(signal.SIGSTOP)
        os.unlink(self.socket)
        who = f"outboard run (pid {run.pid}) cannot be reached: "
        for verb in "start", "stop", "restart":
            result = outboard(verb, "--config", self.config)
            self.expect(result, UNREACHABLE, "")
            self.assertRegex(result.stderr, rf"^outboard: {verb}: " + who.replace("(", r"\(").replace(")", r"\)"))
            self.assertIn("run.sock", result.stderr)
        for target in self.config, self.root:
            result = outboard("status", "--json", target)
            self.assertEqual(result.returncode, UNREACHABLE)
            self.assertIn(who, result.stderr)
            self.assertEqual([(row["pid"], row["supervised"]) for row in json.loads(result.stdout)], [(pids["a"], True)])
        # A pid that has not got the lock is not named.
        with open(f"{self.root}/run.lock", "w") as file:
            file.write(f"{os.getpid()}\n")
        result = outboard("stop", "--config", self.config)
        self.expect(result, UNREACHABLE, "")
        self.assertIn("outboard run (pid unknown) cannot be reached: ", result.stderr)
        run.process.send_signal(signal.SIGCONT)
        self.again(run, "run.sock")
        self.assertEqual(run.end(), OK)
        result = outboard("stop", "--config", self.config)
        self.expect(result, UNREACHABLE, "")
        self.assertIn("no supervisor runs there: connecting to ", result.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
