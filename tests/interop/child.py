#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A whole child without the library, written from docs/PROTOCOL.md. It greets, and keeps a key-value store that is always empty."""
import fcntl
import hmac
import json
import os
import selectors
import signal
import socket
import sys
import time
import urllib.parse

import rpc

STARTED = time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def log(message, **attributes):
    now = time.gmtime()
    record = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", now), "level": "INFO", "msg": message, **attributes}
    os.write(1, json.dumps(record).encode() + b"\n")


# ---- Methods ----


def greet(name):
    log("somebody is greeted", name=name)
    return "Hello, %s!" % name


def health():
    now = time.time_ns()
    uptime = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - STARTED
    timestamp = {"seconds": now // 10**9, "nanoseconds": now % 10**9}
    return {"healthy": True, "timestamp": timestamp, "pid": os.getpid(), "uptime": uptime, "last_error": ""}


METHODS = {
    "outboard.ping": lambda: True,
    "outboard.supervise": lambda instance: True,
    "outboard-control.health": health,
    "outboard-control.interfaces": lambda: ["outboard-control", "hello", "kv"],
    "hello.greet": greet,
    "kv.list": lambda: [],
}


def answer(method, params):
    """(error, result)"""
    if method not in METHODS:
        return {"code": -32003, "message": "unknown object: " + method.rpartition(".")[0]}, None
    try:
        return None, METHODS[method](**params) if isinstance(params, dict) else METHODS[method](*params)
    except TypeError:
        return {"code": -32602, "message": "wrong parameters"}, None


# ---- A connection ----


class Peer(rpc.Connection):
    def __init__(self, sock, config):
        super().__init__(sock)
        self.config = config
        self.step = self.first
        self.open = False

    # The acceptor's side of `token`: each step answers one message, and names the next. None: refused.
    def first(self, c):
        s = os.urandom(32)
        bound = rpc.prologue(self.config["codec"], self.config["auth"])
        self.expected = rpc.proof(self.config["token"], b"C", bound, c, s)
        self.step = self.last
        return [rpc.MORE, s + rpc.proof(self.config["token"], b"S", bound, c, s)] if len(c) == 32 else None

    def last(self, proof):
        self.open = hmac.compare_digest(proof, self.expected)
        return [rpc.DONE, b""] if self.open else None

    def authenticate_peer(self, kind, call_id, method, params):
        if (kind, method, params[0]) == (0, "outboard.auth", "token"):
            result = self.step(params[1])
            if result is not None:
                self.send(1, call_id, None, result)
                return
        self.send(1, call_id, rpc.REFUSED, None)
        raise rpc.Closed()

    def handle(self, message):
        if not self.open:
            self.authenticate_peer(*message)
        elif message[0] == 0:
            self.send(1, message[1], *answer(message[2], message[3]))

    def readable(self):
        data = self.sock.recv(65536)
        if not data:
            raise rpc.Closed()
        self.unpacker.feed(data)
        for message in self.unpacker:
            self.handle(message)


# ---- The child ----


def listen(uri):
    path = urllib.parse.unquote(urllib.parse.urlsplit(uri).path)
    if os.path.exists(path):
        os.unlink(path)
    sock = socket.socket(socket.AF_UNIX)
    os.umask(0o077)
    sock.bind(path)
    sock.listen()
    return sock


def tell_ready(path, config):
    ready = {**config, "rpc_addr": config["listen"], "pid": os.getpid(), "ready": True}
    temporary = os.path.join(os.path.dirname(path), "outboard-config-%d.tmp" % os.getpid())
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(ready, file)
    os.rename(temporary, path)


def serve(listener, config):
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.data is None:
                sock, _ = listener.accept()
                selector.register(sock, selectors.EVENT_READ, Peer(sock, config))
                continue
            try:
                key.data.readable()
            except (rpc.Closed, OSError, ValueError, IndexError, TypeError):
                selector.unregister(key.fileobj)
                key.fileobj.close()


def main():
    path = os.environ["OUTBOARD_CONFIG"]
    fcntl.fcntl(int(os.environ["OUTBOARD_LOCK_FD"]), fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    with open(path) as file:
        config = json.load(file)
    listener = listen(config["listen"])
    tell_ready(path, config)
    serve(listener, config)


main()
