#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
A helper for the authenticator ask, without the library: asked.py SOCKET [KEY]

It obeys lines on its stdin: "start [die=POINT][,uid=N]" starts the helper as a process of its own, "kill" kills it. It prints
"ready PID" when the helper listens, and "died SIGNAL" when it has died.

An acceptor's peer chooses what happens by its first message:

    {"user": "alice", "password": "sesame"}    one message, and the subject is alice
    {"user": "BEHAVIOUR", "password": "..."}   what a helper must not do; see BEHAVIOURS
    32 bytes                                   the exchange of the authenticator token, with KEY: bound to the prologue

For a dialer it makes the other side of that exchange. With die= it kills itself in its second one, at a point of that: "accept"
when it is connected to, "asked N" when question N has come, "half N" with a part of answer N, "told N" behind answer N.
"""
import base64
import hmac
import json
import os
import signal
import socket
import sys
import threading

ENOUGH = 64 * 1024


def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def binary(data):
    return {"$binary": base64.b64encode(data).decode()}


def plain(value):
    return base64.b64decode(value["$binary"])


def line_of(call_id, result):
    return json.dumps({"jsonrpc": "2.0", "id": call_id, "result": result}).encode() + b"\n"


# ---- The two sides of an exchange that both helpers prove ----


def proof(key, role, prologue, c, s):
    return hmac.digest(key, role + prologue + c + s, "sha256")


def dialer(key, params):
    data, prologue, state = plain(params["data"]), plain(params["prologue"]), params["state"]
    if state is None:
        c = os.urandom(32)
        return {"word": "more", "data": binary(c), "state": binary(c)}
    c, s = plain(state), data[:32]
    if not hmac.compare_digest(data[32:], proof(key, b"S", prologue, c, s)):
        return {"word": "refused", "reason": "the other end does not have the key"}
    return {"word": "done", "data": binary(proof(key, b"C", prologue, c, s))}


def acceptor(key, params):
    data, prologue, state = plain(params["data"]), plain(params["prologue"]), params["state"]
    if state is None:
        s = os.urandom(32)
        return {"word": "more", "data": binary(s + proof(key, b"S", prologue, data, s)), "state": [binary(data), binary(s)]}
    c, s = map(plain, state)
    if not hmac.compare_digest(data, proof(key, b"C", prologue, c, s)):
        return {"word": "refused", "reason": "the key is wrong"}
    return {"word": "done", "subject": "alice", "claims": {"role": "admin"}}


# ---- What a helper must not do. Each gets the connection, the id and the password ----


def silent(sock, *_):
    """Until the other end gives up."""
    sock.recv(1)


def drip(sock, call_id, _):
    """An answer that comes a byte at a time, and is not complete in time."""
    for byte in line_of(call_id, {"word": "done", "subject": "x" * 200}):
        sock.sendall(bytes([byte]))
        sock.settimeout(0.1)
        try:
            if not sock.recv(1):
                return
        except socket.timeout:
            pass


def half(sock, call_id, _):
    sock.sendall(line_of(call_id, {"word": "done", "subject": "x"})[:10])
    die()


def flood(sock, *_):
    while True:
        sock.sendall(b'{"jsonrpc":"2.0","method":"$/news","params":[]}\n')


def chat(sock, call_id, _):
    """Notifications are passed over."""
    sock.sendall(b'{"jsonrpc":"2.0","method":"$/news","params":[]}\n' + line_of(call_id, {"word": "done", "subject": "chatty"}))
    sock.recv(1)


BEHAVIOURS = {
    "silent": silent,
    "drip": drip,
    "half": half,
    "flood": flood,
    "chat": chat,
    "close": lambda sock, *_: None,
    "die": die,
    "garbage": lambda sock, *_: sock.sendall(b"\x00\xffgarbage\n"),
    "large": lambda sock, *_: sock.sendall(b"x" * ENOUGH),
    # The password is the result, or the whole line, with ID for the id.
    "say": lambda sock, call_id, text: sock.sendall(line_of(call_id, json.loads(text))),
    "raw": lambda sock, call_id, text: sock.sendall(text.replace("ID", str(call_id)).encode() + b"\n"),
}


def user_of(data):
    """The message of somebody who logs in; None if it is another."""
    try:
        user = json.loads(data)
        return user["user"], user["password"]
    except (ValueError, KeyError, TypeError):
        return None


def log_in(sock, call_id, name, password):
    """True if there is another question to come on the connection."""
    if name in BEHAVIOURS:
        BEHAVIOURS[name](sock, call_id, password)
        return name in ("say", "raw")
    if password == "sesame":
        result = {"word": "done", "subject": name, "claims": {"role": "admin"}}
    else:
        result = {"word": "refused", "reason": "wrong password"}
    sock.sendall(line_of(call_id, result))
    return True


# ---- Connections ----


class Helper:
    def __init__(self, key, point):
        self.key = key
        self.point = point
        self.exchanges = 0

    def dies(self, what, number):
        return self.exchanges > 1 and self.point == "%s %d" % (what, number)

    def prove(self, sock, number, call_id, params):
        if self.dies("asked", number):
            die()
        line = line_of(call_id, {"dialer": dialer, "acceptor": acceptor}[params["role"]](self.key, params))
        if self.dies("half", number):
            sock.sendall(line[: len(line) // 2])
            die()
        sock.sendall(line)
        if self.dies("told", number):
            die()

    def serve(self, sock):
        self.exchanges += 1
        if self.exchanges > 1 and self.point == "accept":
            die()
        with sock, sock.makefile("rb") as lines:
            for number, line in enumerate(lines, 1):
                message = json.loads(line)
                assert message["method"] == "outboard-ask.step", message
                params = message["params"]
                user = user_of(plain(params["data"]))
                if user is None or params["role"] == "dialer" or params["state"] is not None:
                    self.prove(sock, number, message["id"], params)
                elif not log_in(sock, message["id"], *user):
                    break

    def serve_quietly(self, sock):
        """The other end may go at any moment, and may send anything that its peer has sent."""
        try:
            self.serve(sock)
        except (OSError, ValueError, KeyError, TypeError):
            sock.close()


def work(path, key, words):
    """The helper itself: a process of its own, which prints "ready PID" when it listens."""
    if os.path.exists(path):
        os.unlink(path)
    if "uid" in words:
        os.seteuid(int(words["uid"]))
    helper = Helper(key, words.get("die", ""))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(128)
    print("ready", os.getpid(), flush=True)
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=helper.serve_quietly, args=(sock,), daemon=True).start()


def reap(pid):
    _, status = os.waitpid(pid, 0)
    print("died", os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, flush=True)


def main():
    path = sys.argv[1]
    key = bytes.fromhex(sys.argv[2]) if len(sys.argv) > 2 else bytes(32)
    pid, watcher = 0, None
    for line in sys.stdin:
        command, *words = line.rstrip("\n").split(" ", 1)
        if command == "start":
            if watcher is not None:
                watcher.join()  # a fork must not find it printing
            pid = os.fork()
            if pid == 0:
                work(path, key, dict(word.split("=") for word in ",".join(words).split(",") if word))
            watcher = threading.Thread(target=reap, args=(pid,))
            watcher.start()
        else:
            os.kill(pid, signal.SIGKILL)
            watcher.join()
    if watcher is not None and watcher.is_alive():
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
