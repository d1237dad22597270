#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What becomes of the output of children in `outboard run`: rows 85, 86, 97 and 108."""
import json
import os
import signal
import socket
import time
import unittest

from command import OK, PATIENCE, Case, outboard


def shell(script, **more):
    """A child without the library."""
    return {"command": ["/bin/sh", "-c", script], "ready": {"mode": "none"}, "stop": {"signal": "SIGTERM"}, **more}


class Logs(Case):
    def test_fault_85_a_flood_costs_no_other_child_its_lines(self):
        """The output is not read while one child floods and the other logs."""
        self.write({"quiet": [], "flood": shell("exec yes 'one of very many lines'")})
        run = self.run_it()
        run.events(quiet="ready", flood="ready")
        for first in range(0, 300, 10):
            self.expect(outboard("call", f"{self.root}/quiet", "act.log", f"[10, {first}]"), OK, f"{first + 10}\n")
        self.assertEqual(run.end(), OK)
        numbers = [r["n"] for r in run.records if r["msg"] == "numbered"]
        self.assertEqual(numbers, list(range(300)))
        dropped = [r for r in run.records if r["msg"] == "log records were dropped"]
        self.assertEqual({(r["outboard"], r["from"]) for r in dropped}, {("flood", "stdout")})
        self.assertGreater(sum(r["dropped"] for r in dropped), 0)

    def test_fault_86_a_child_prints_an_event_of_another(self):
        """Its own name and stream stand first, and the names of the parent's facts are the parent's."""
        forged = {"outboard": "b", "event": "exited", "time": "2024-05-01T10:20:30Z", "level": "WARN", "msg": "exited",
                  "pid": 1, "status": 1}
        self.write({"a": ["say=" + json.dumps(forged)], "b": []})
        run = self.run_it()
        said = run.record(lambda r: r["msg"] == "exited")
        self.assertEqual(list(said)[:2], ["outboard", "stream"])
        self.assertEqual((said["outboard"], said["stream"]), ("a", "stdout"))
        self.assertEqual((said["child.outboard"], said["child.event"]), ("b", "exited"))
        self.assertNotIn("event", said)
        run.event("b", "ready")
        self.assertEqual(run.end(), OK)
        told = next(r for r in run.records if r.get("event") == "exited" and r["outboard"] == "b")
        self.assertNotIn("stream", told)

    def test_fault_97_a_line_over_the_limit_arrives_cut(self):
        """Of 1.5 MiB, plain and of control characters, the first part is there and marked, and the next line too."""
        for byte in ("A", "\\001"):
            self.write({"a": shell(f"head -c 1572864 /dev/zero | tr '\\000' '{byte}'; echo; echo after; exec sleep 1000")})
            run = self.run_it()
            cut = run.record(lambda r: r.get("truncated"))
            self.assertEqual((cut["outboard"], cut["stream"]), ("a", "stdout"))
            self.assertGreater(len(cut["msg"]), 100000)
            self.assertEqual(len(cut["msg"]) + cut["discarded"], 1572864)
            run.record(lambda r: r["msg"] == "after")
            self.assertEqual(run.end(), OK)

    def test_fault_97_a_cut_line_is_marked_in_text(self):
        self.write({"a": shell("head -c 1572864 /dev/zero | tr '\\000' A; echo; echo after; exec sleep 1000")})
        run = self.run_it("--log-format", "text")
        deadline = time.monotonic() + PATIENCE
        while "[a stdout truncated] AAAA" not in (line := run.lines.next(deadline)):
            self.assertNotIn("after", line)
        self.assertRegex(line, r" discarded=\d+$")
        while not run.lines.next(deadline).endswith("[a stdout] after"):
            pass
        self.assertEqual(run.end(), OK)

    def test_a_peer_that_leaves_was_not_refused(self):
        """Of the child's own user, as its parent is: it dials before the child answers, and goes."""
        self.write({"a": []})
        run = self.run_it()
        pid = run.event("a", "ready")["pid"]
        silent = socket.socket(socket.AF_UNIX)
        silent.connect(f"{self.root}/a/rpc.sock")
        silent.close()
        os.kill(pid, signal.SIGSTOP)
        self.assertEqual(json.loads(outboard("status", "--json", f"{self.root}/a").stdout)[0]["link"], "unresponsive")
        os.kill(pid, signal.SIGCONT)
        told = run.record(lambda r: "connection" in r["msg"])
        self.assertEqual((told["msg"], told["level"]), ("a connection was given up by the peer", "INFO"))
        self.assertEqual(told["suppressed"], 0)
        self.assertEqual(run.end(), OK)
        self.assertEqual([r["msg"] for r in run.records if "connection" in r["msg"]], [told["msg"]])

    def test_fault_108_a_prompt_is_seen(self):
        """It has no newline, and the child waits for an answer."""
        fifo = f"{self.dir}/fifo"
        os.mkfifo(fifo)
        self.write({"a": shell(f"printf 'password: '; read answer <{fifo}; echo \"$answer is right\"; exec sleep 1000")})
        run = self.run_it()
        prompt = run.record(lambda r: r.get("partial"))
        self.assertEqual((prompt["msg"], prompt["stream"]), ("password: ", "stdout"))
        with open(fifo, "w") as file:
            file.write("xyzzy\n")
        rest = run.record(lambda r: r.get("continued"))
        self.assertEqual(rest["msg"], "xyzzy is right")
        self.assertNotIn("partial", rest)
        self.assertEqual(run.end(), OK)

    def test_fault_108_a_prompt_in_text_is_marked(self):
        self.write({"a": shell("printf 'password: '; exec sleep 1000")})
        run = self.run_it("--log-format", "text")
        deadline = time.monotonic() + PATIENCE
        while not (line := run.lines.next(deadline)).endswith("[a stdout partial] password: "):
            self.assertNotIn("password", line)
        self.assertEqual(run.end(), OK)

    def test_each_record_names_its_stream(self):
        self.write({"a": shell("echo a line; echo a complaint >&2; exec sleep 1000")})
        run = self.run_it()
        streams = {}
        while len(streams) < 2:
            record = run.record(lambda r: r["msg"] in ("a line", "a complaint"))
            streams[record["msg"]] = record["stream"]
        self.assertEqual(streams, {"a line": "stdout", "a complaint": "stderr"})
        self.assertEqual(run.end(), OK)


if __name__ == "__main__":
    unittest.main(verbosity=2)
