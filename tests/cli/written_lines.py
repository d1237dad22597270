# SPDX-License-Identifier: MIT
"""A child that writes numbered lines when it is told to, and the lines of it that came: shared by the tests of logs."""
import os
import time

from agents import AgentCase
from command import PATIENCE, Lines

# Writes so many more numbered lines for each line that it reads, and says when it has.
WRITER = ('exec 3<>"$0" 4<>"$1"; i=0; while read more <&3; do end=$((i + more)); '
          'while [ $i -lt $end ]; do i=$((i + 1)); printf "line %06d\\n" $i; done; echo $i >&4; done')


class Writing(AgentCase):
    """The agent must allow /bin/sh."""

    def setUp(self):
        super().setUp()
        self.fifos = [os.path.join(self.dir, name) for name in ("orders", "written")]
        for path in self.fifos:
            os.mkfifo(path)
        self.orders, self.written = [os.open(path, os.O_RDWR) for path in self.fifos]
        self.said = Lines(self.written)

    def tearDown(self):
        super().tearDown()
        os.close(self.orders)
        os.close(self.written)

    def writer(self):
        """Its entry in a config."""
        return {"command": ["/bin/sh", "-c", WRITER, *self.fifos], "via": "guest1", "ready": {"mode": "none"}, "log_pipe": 65536}

    def write_lines(self, count):
        os.write(self.orders, b"%d\n" % count)

    def await_written(self, number):
        """Lines up to this one are in the pipe, at least."""
        while self.said.next(time.monotonic() + PATIENCE) != str(number):
            continue

    def lines_of(self, run):
        return [r for r in run.records if r.get("outboard") == "writer" and r["msg"].startswith("line ")]

    def await_line(self, run, number):
        run.record(lambda r: r.get("outboard") == "writer" and r["msg"] == "line %06d" % number)
