# SPDX-License-Identifier: MIT
"""Waits until the outboard.json of a child says that it is ready."""
import contextlib
import ctypes
import json
import os
import select
import time

PATIENCE = 60
IN_MOVED_TO = 0x80  # of linux/inotify.h: the file is replaced by a rename


@contextlib.contextmanager
def closing(fd):
    try:
        yield fd
    finally:
        os.close(fd)


def await_ready(path, child):
    """The config of a child (a Popen) once it is ready. Read at the start, and when it changes."""
    libc, end = ctypes.CDLL(None, use_errno=True), time.monotonic() + PATIENCE
    with closing(libc.inotify_init1(os.O_CLOEXEC)) as changes, closing(os.pidfd_open(child.pid)) as death:
        if libc.inotify_add_watch(changes, os.path.dirname(path).encode(), IN_MOVED_TO) < 0:
            raise OSError(ctypes.get_errno(), "inotify")
        while True:
            with open(path) as file:
                config = json.load(file)
            if config.get("ready"):
                return config
            events = select.select([changes, death], [], [], max(0, end - time.monotonic()))[0]
            if changes not in events:
                raise AssertionError("the child died" if events else "the child did not become ready")
            os.read(changes, 4096)
