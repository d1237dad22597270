#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""follows.py PROGRAM: the children of bench-supervise end when it is killed."""
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

CHILDREN = 4
PATIENCE = 60


def children_of(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as file:
        return [int(child) for child in file.read().split()]


def wait_for_children(bench):
    """Descriptors of the first children that have executed their program."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and bench.poll() is None:
        found = children_of(bench.pid)
        if len(found) >= CHILDREN:
            return [os.pidfd_open(child) for child in found]
    sys.exit("no children: status %s" % bench.returncode)


def check(program, *options):
    directory = tempfile.mkdtemp()
    bench = subprocess.Popen([program, "--children", str(CHILDREN), "--rounds", "99", *options],
                             stdout=subprocess.DEVNULL, env={**os.environ, "TMPDIR": directory})
    try:
        for fd in wait_for_children(bench):
            bench.kill() if bench.poll() is None else None
            if not select.select([fd], [], [], PATIENCE)[0]:
                signal.pidfd_send_signal(fd, signal.SIGKILL)
                sys.exit("%s: a child lives on" % " ".join(options))
            os.close(fd)
    finally:
        bench.kill()
        bench.wait()
        shutil.rmtree(directory, ignore_errors=True)


check(sys.argv[1])
check(sys.argv[1], "--rpc")
