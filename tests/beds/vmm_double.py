#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Stands in for Firecracker and Cloud Hypervisor, as far as their side of hybrid vsock goes: it is called by either name, with
the arguments of the recipe. The "guest" is a process that gets its config from the drive; its AF_VSOCK is a unix socket.

The socket of the VMM takes "CONNECT PORT\\n", answers "OK PORT\\n" when the guest listens, closes when it does not, and is a
pipe from then on. SIGUSR1 is the restore of a snapshot: every connection is reset, the listener stays. The end of the guest is
the end of the VMM, and the other way round.
"""
import ctypes
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading

GUEST, CHILD = os.environ["BED_GUEST"], os.environ["BED_CHILD"]
PDEATHSIG = 1
connections = set()


def option(name):
    return sys.argv[sys.argv.index(name) + 1]


def field(text, name):
    return dict(part.split("=", 1) for part in text.split(","))[name]


def settings():
    """The VMM's socket, and the drive."""
    if os.path.basename(sys.argv[0]) == "cloud-hypervisor":
        return field(option("--vsock"), "socket"), field(option("--disk"), "path")
    with open(option("--config-file"), encoding="utf-8") as file:
        machine = json.load(file)
    return machine["vsock"]["uds_path"], machine["drives"][0]["path_on_host"]


def boot(drive):
    """What the guest does with its drive: whole sectors, of which the rest is zero."""
    os.makedirs(GUEST, 0o700, exist_ok=True)
    with open(drive, "rb") as file:
        sectors = file.read()
    assert len(sectors) % 512 == 0, "a VMM would cut the last sector off"
    config = json.loads(sectors.rstrip(b"\0"))
    port = re.fullmatch(r"vsock://any:(\d+)", config["listen"])[1]
    config["listen"] = f"unix://{GUEST}/{port}.sock"
    path = os.path.join(GUEST, "outboard.json")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(config, file)
    die_with_us = ctypes.CDLL(None).prctl
    return subprocess.Popen([CHILD], env={**os.environ, "OUTBOARD_CONFIG": path}, stdin=subprocess.DEVNULL,
                            preexec_fn=lambda: die_with_us(PDEATHSIG, signal.SIGKILL))


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve(host):
    line = b""
    while not line.endswith(b"\n") and len(line) < 32:
        more = host.recv(1)
        if not more:
            return
        line += more
    guest = socket.socket(socket.AF_UNIX)
    try:
        guest.connect(f"{GUEST}/{int(re.fullmatch(rb'CONNECT ([0-9]+)', line.strip())[1])}.sock")
    except OSError:
        host.close()
        return
    connections.add((host, guest))
    host.sendall(b"OK 1073741824\n")
    threading.Thread(target=pump, args=(host, guest), daemon=True).start()
    pump(guest, host)
    connections.discard((host, guest))


def restore(*_):
    for host, guest in list(connections):
        for end in (host, guest):
            end.shutdown(socket.SHUT_RDWR)


def listen(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)  # fails if an earlier one was left behind, as it does there
    listener.listen(64)

    def accept():
        while True:
            host, _ = listener.accept()
            threading.Thread(target=serve, args=(host,), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()


def main():
    path, drive = settings()
    signal.signal(signal.SIGUSR1, restore)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    listen(path)
    guest = boot(drive)
    guest.wait()
    os.remove(path)
    os._exit(0)


main()
