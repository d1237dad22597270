# SPDX-License-Identifier: MIT
"""scripted.py SOCKET [ANSWERS] - a child that answers what a test says. It knows docs/PROTOCOL.md and not the library.

It serves JSON-RPC behind `peercred`. ANSWERS, and each line that a test writes to SOCKET, is a JSON object: {"health": ANSWER,
"version": ANSWER} set the answers from now on (null: an error); {"deaf": true} closes the listening socket, {"deaf": false} opens it
again; {"drop": true} ends all connections. Each line is acknowledged by one. It ends when it has said that it needs a restart.
"""
import json
import os
import signal
import socket
import sys
import threading

answers = {"health": {"healthy": True}, "version": {"current_version": 1, "needs_restart": False}}
connections = set()
lock = threading.Lock()
listener = None


def answer_to(method):
    if method == "outboard-control.health":
        return answers["health"]
    if method == "outboard-control.checkVersion":
        return answers["version"]
    return True


def converse(connection):
    with connection.makefile("rw") as file:
        for line in file:
            message = json.loads(line)
            if "id" not in message:
                continue
            result = answer_to(message["method"])
            reply = {"error": {"code": -32003, "message": "no"}} if result is None else {"result": result}
            file.write(json.dumps({"jsonrpc": "2.0", "id": message["id"], **reply}) + "\n")
            file.flush()
            if isinstance(result, dict) and result.get("needs_restart"):
                connection.shutdown(socket.SHUT_WR)
                file.read()  # the end of the stream: the answer was read
                os._exit(0)


def serve(connection):
    try:
        converse(connection)
    except OSError:
        pass
    with lock:
        connections.discard(connection)
    connection.close()


def accept(on, handle):
    while True:
        try:
            connection = on.accept()[0]
        except OSError:
            return
        with lock:
            connections.add(connection)
        threading.Thread(target=handle, args=(connection,), daemon=True).start()


def listen(path, handle):
    if os.path.exists(path):
        os.unlink(path)
    made = socket.socket(socket.AF_UNIX)
    made.bind(path)
    made.listen(16)
    threading.Thread(target=accept, args=(made, handle), daemon=True).start()
    return made


def open_door():
    global listener
    listener = listen(os.path.join(directory, "rpc.sock"), serve)


def close_door():
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def obey(order, orderer=None):
    for name in "health", "version":
        if name in order:
            answers[name] = order[name]
    if "deaf" in order:
        (close_door if order["deaf"] else open_door)()
    if order.get("drop"):
        with lock:
            for connection in connections - {orderer}:
                connection.shutdown(socket.SHUT_RDWR)


def take_orders(connection):
    with connection.makefile("rw") as file:
        for line in file:
            obey(json.loads(line), connection)
            file.write("done\n")
            file.flush()


path = os.environ["OUTBOARD_CONFIG"]
directory = os.path.dirname(path)
if len(sys.argv) > 2:
    obey(json.loads(sys.argv[2]))
open_door()
listen(sys.argv[1], take_orders)
with open(path) as file:
    config = json.load(file)
config.update(rpc_addr=f"unix://{directory}/rpc.sock", ready=True, pid=os.getpid())
with open(os.open(f"{directory}/outboard-config-1.tmp", os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
    json.dump(config, file)
os.rename(f"{directory}/outboard-config-1.tmp", path)
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.pause()
