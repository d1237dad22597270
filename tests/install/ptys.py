#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""ptys.py COMMAND...: run COMMAND with the names of two devices that are the ends of one line, for A and B in its arguments."""
import os
import pty
import select
import signal
import subprocess
import sys
import tty


def move(source, target, held):
    """What there is of source goes to target, as far as that takes it; the rest is held."""
    try:
        if not held:
            held += os.read(source, 4096)
        del held[:os.write(target, held)]
    except BlockingIOError:
        pass


def pump(ends, until):
    held = {end: bytearray() for end in ends}
    other = {ends[0]: ends[1], ends[1]: ends[0]}
    while True:
        reading = [end for end in ends if not held[end]]
        writing = [other[end] for end in ends if held[end]]
        readable, writable, _ = select.select(reading + [until], writing, [])
        if until in readable:
            return
        for end in ends:
            if end in readable or other[end] in writable:
                move(end, other[end], held[end])


def main():
    masters, slaves = zip(*(pty.openpty() for _ in range(2)))
    for end in masters:
        os.set_blocking(end, False)
    for slave in slaves:  # kept open: a line does not end when a process does
        tty.setraw(slave)
    names = [os.ttyname(slave) for slave in slaves]
    command = [word.replace("{A}", names[0]).replace("{B}", names[1]) for word in sys.argv[1:]]
    process = subprocess.Popen(command)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    pump(masters, os.pidfd_open(process.pid))
    sys.exit(process.wait())


main()
