# SPDX-License-Identifier: MIT
"""The connection to an agent is cut again and again: no line is lost, each that is dropped is counted, nobody is restarted."""
import os
import unittest

from agents import QUICK
from command import ACTOR, OK
from cut_link import Proxy
from written_lines import Writing

CUTS = 100 if "OB_TORTURE" in os.environ else 25  # a link that lives short is dialled later each time
LINE = len("line 000001\n")


class Cuts(Writing):
    def setUp(self):
        super().setUp()
        self.proxy = None

    def tearDown(self):
        super().tearDown()
        if self.proxy is not None:
            self.proxy.close()

    def begin_cuts(self, *more):
        """An agent behind a proxy, with a child that writes and one that is called."""
        self.agent.kill()
        self.agent.more = ["--allow", "/bin/*", "--allow", "/usr/bin/*", *more]
        self.agent.start()
        self.proxy = Proxy(int(self.agent.address.rsplit(":", 1)[1]))
        self.write({"writer": self.writer(), "worker": {"command": [ACTOR], "via": "guest1", **QUICK}},
                   agents={"guest1": self.agent.entry(connect=f"tcp://127.0.0.1:{self.proxy.port}")})
        run = self.run_it()
        run.events(writer="ready", worker="ready")
        rows = self.status()
        self.pids = {name: rows[name]["pid"] for name in ("writer", "worker")}
        for pid in self.pids.values():
            self.watch(pid)
        return run

    def expect_nobody_was_restarted(self, run):
        self.assertEqual([r for r in run.records if r.get("event") in ("exited", "restarting", "detached", "failed")], [])
        rows = self.status()
        self.assertEqual({name: (rows[name]["pid"], rows[name]["state"], rows[name]["restarts"]) for name in self.pids},
                         {name: (pid, "ready", 0) for name, pid in self.pids.items()})

    def test_no_line_is_lost_in_cuts(self):
        run = self.begin_cuts()
        for i in range(CUTS):
            self.write_lines(50)
            self.await_line(run, 50 * i + 1 + i % 49)
            self.proxy.cut(reset=i % 2 == 1)
        self.await_line(run, 50 * CUTS)
        self.assertEqual([r["msg"] for r in self.lines_of(run)], ["line %06d" % i for i in range(1, 50 * CUTS + 1)])
        self.expect_nobody_was_restarted(run)
        self.assertEqual(run.end(), OK)

    def test_what_is_dropped_while_the_link_is_down_is_counted(self):
        run = self.begin_cuts("--log-memory", "65536")
        self.write_lines(10)
        self.await_line(run, 10)
        self.proxy.refuse()
        run.event("worker", "link_down")
        row = self.status()["worker"]
        self.assertEqual((row["state"], row["link"]), ("ready", "down"))
        self.write_lines(20000)
        self.await_written(20010)
        self.proxy.allow()
        run.all_of(lambda r: r["msg"] == "line 020010", lambda r: r.get("outboard") == "worker" and r.get("event") == "link_up")
        lines = [r for r in run.records if r.get("outboard") == "writer" and r.get("stream") == "stdout"]
        counted = sum(r.get("discarded", 0) for r in lines)
        self.assertEqual(sum(len(r["msg"]) + 1 for r in lines) + counted, 20010 * LINE)
        self.assertGreater(counted, 0)
        self.expect_nobody_was_restarted(run)
        self.assertEqual(run.end(), OK)

    def test_an_agent_that_was_killed_counts_anew(self):
        """Its offsets begin anew: those of the agent before it acknowledge nothing."""
        run = self.begin_cuts()
        self.write_lines(100)
        self.await_line(run, 100)
        for last in (400, 500):
            self.agent.kill()
            self.write_lines(last - len(self.lines_of(run)))
            self.await_written(last)
            self.agent.start()
            self.await_line(run, last)
        self.assertEqual([r["msg"] for r in self.lines_of(run)], ["line %06d" % i for i in range(1, 501)])
        self.expect_nobody_was_restarted(run)
        self.assertEqual(run.end(), OK)


if __name__ == "__main__":
    unittest.main()
