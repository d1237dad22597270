#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""broken_child.py FAULT - the child of examples/python-child with one fault of FAULTS below, for `outboard child check`."""
import asyncio
import fcntl
import json
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/python-child"))
import outboard_child as ob  # noqa: E402

FAULTS = {}


def fault(function):
    FAULTS[function.__name__] = function
    return function


def before(owner, name, extra):
    """Have `extra` called before a method."""
    whole = getattr(owner, name)

    def method(self, *args):
        extra(self, *args)
        return whole(self, *args)
    setattr(owner, name, method)


def after(owner, name, extra):
    """Have `extra` called behind a method."""
    whole = getattr(owner, name)

    def method(self, *args, **named):
        result = whole(self, *args, **named)
        extra(self, *args)
        return result
    setattr(owner, name, method)


def answer_all(method, result):
    """Whatever the answer to this method is, it is that one."""
    after(ob.Connection, "__init__", lambda self, _: self.own.update({method: lambda *_, **__: result}))


# ---- Readiness ----


@fault
def never_ready():
    ob.Child.tell_ready = lambda *_: None


@fault
def no_pid():
    dump = json.dump
    json.dump = lambda config, file: dump({key: config[key] for key in config if key != "pid"}, file)


@fault
def forgets_keys():
    before(ob.Child, "tell_ready", lambda self, _: self.config.pop("outboard-check"))


@fault
def writes_in_place():
    def write(self, address):
        self.config.update(rpc_addr=address, pid=os.getpid(), ready=True)
        with open(self.path, "w") as file:
            json.dump(self.config, file)
    ob.Child.tell_ready = write


@fault
def open_file():
    """Once the parent has read the file: it would refuse it."""
    before(ob.Child, "supervised_by", lambda self, _: os.chmod(self.path, 0o640))


@fault
def open_socket():
    after(ob.Child, "tell_ready", lambda self, _: os.chmod(os.path.dirname(self.path) + "/rpc.sock", 0o666))


@fault
def closes_lock():
    after(ob.Child, "__init__", lambda *_: os.close(3))


@fault
def nonblocking_stdout():
    fcntl.fcntl(1, fcntl.F_SETFL, os.O_NONBLOCK)


@fault
def keeps_old_socket():
    os.unlink = lambda *_: None


# ---- Authentication ----


@fault
def credulous():
    def token(config):
        texts = ("outboard/1", config["codec"], config["auth"])
        prologue = b"".join(ob.struct.pack(">H", len(text)) + text.encode() for text in texts)
        s, c = os.urandom(32), (yield)
        yield s + ob.hmac.digest(bytes.fromhex(config["token"]), b"S" + prologue + c + s, "sha256")
    ob.MECHANISMS["token"] = token


@fault
def any_mechanism():
    answer = ob.Authentication.answer

    def lenient(self, name, data):
        return answer(self, name, data) if name in ob.MECHANISMS else ["done", b""]
    ob.Authentication.answer = lenient


@fault
def explains_refusals():
    ob.REFUSED = -32602


@fault
def serves_strangers():
    whole = ob.Connection.authenticate

    def authenticate(self, raw):
        message = self.codec.decode(raw)
        if message.get("method") == "outboard.ping":
            self.send(ob.response(message, True))
        else:
            whole(self, raw)
    ob.Connection.authenticate = authenticate


@fault
def takes_what_follows():
    whole = ob.Connection.authenticate

    def authenticate(self, raw):
        rest, self.codec.buffer = self.codec.buffer, bytearray()
        whole(self, raw)
        self.codec.buffer = rest
    ob.Connection.authenticate = authenticate


@fault
def authenticates_again():
    ob.Connection.auth_again = lambda *_: ["done", b""]


@fault
def one_at_a_time():
    ob.UNAUTHENTICATED_MAX = 1


@fault
def waits_for_ever():
    ob.AUTH_SECONDS = 1000


# ---- Calls ----


@fault
def no_ping():
    answer_all("outboard.ping", {"code": 5})
    after(ob.Connection, "__init__", lambda self, _: self.own.pop("outboard.ping"))


@fault
def one_code():
    ob.NO_INTERFACE = -32601


@fault
def other_code():
    ob.NO_METHOD = -32000


@fault
def loses_answers():
    count, whole = [0], ob.Connection.write

    def write(self, data):
        count[0] += 1
        if count[0] % 50:
            whole(self, data)
    ob.Connection.write = write


@fault
def changes_ids():
    ob.id_of = lambda m: m["id"] % 2**16 if isinstance(m, dict) and isinstance(m.get("id"), int) else None


@fault
def closes_on_the_unknown():
    async def handle(self, message):
        if isinstance(message, dict) and message.get("method", "").startswith("$/no"):
            self.transport.abort()
        await whole(self, message)
    whole, ob.Connection.handle = ob.Connection.handle, handle


@fault
def wants_whole_messages():
    before(ob.Connection, "data_received", lambda self, data: b"\n" in data or self.transport.abort())


@fault
def no_batches():
    ob.BATCH_MAX = 1


# ---- The control interface ----


@fault
def odd_health():
    ob.Child.health = lambda self: {"healthy": 1}


@fault
def odd_version():
    ob.Child.check_version = lambda self, expected_version: {"current_version": 1, "needs_restart": False}
    ob.Connection.check_version = lambda self, version: self.child.check_version(version)


@fault
def odd_interfaces():
    answer_all("outboard-control.interfaces", ["kv"])


@fault
def anybody_ends_it():
    def shutdown(self):
        self.child.ending = True
    ob.Connection.shutdown = shutdown


# ---- The parent ----


@fault
def no_parent():
    ob.Connection.supervise = lambda self, instance: self.child.supervised_by(self)


@fault
def any_instance():
    def supervise(self, instance):
        self.child.supervised_by(self)
        return True
    ob.Connection.supervise = supervise


@fault
def keeps_older_parent():
    ob.Connection.bye = lambda self: None


@fault
def closes_others():
    before(ob.Child, "lost", lambda self, one: self.parent is one and [c.transport.abort() for c in self.connections])


@fault
def dies_with_parent():
    before(ob.Child, "lost", lambda self, one: self.parent is one and os._exit(0))


# ---- Limits, and hostile input ----


@fault
def no_limit():
    after(ob.Child, "tell_ready", lambda self, _: setattr(self, "message_max", 1 << 40))


@fault
def no_early_limit():
    ob.PREAUTH_MAX = 1 << 30


@fault
def any_depth():
    ob.DEPTH_MAX = 100


@fault
def blocked_by_the_deaf():
    """It writes with a blocking socket."""
    def write(self, data):
        sock = self.transport.get_extra_info("socket")
        fd = os.dup(sock.fileno())
        os.set_blocking(fd, True)
        os.write(fd, data)
        os.set_blocking(fd, False)
        os.close(fd)
    ob.Connection.write = write


@fault
def lenient_types():
    ob.is_request = lambda m: isinstance(m, dict) and isinstance(m.get("method"), str)


@fault
def lenient_values():
    from_pairs = ob.from_pairs
    ob.from_pairs = lambda pairs: from_pairs(list(dict(pairs).items()))


@fault
def dies_of_garbage():
    def decode(self, line):
        try:
            return whole(self, line)
        except ob.RpcError:
            os._exit(1)
    whole, ob.JsonLines.decode = ob.JsonLines.decode, decode


@fault
def answers_garbage():
    def authenticate(self, raw):
        try:
            whole(self, raw)
        except ob.RpcError as error:
            self.send(ob.response(None, error))
    whole, ob.Connection.authenticate = ob.Connection.authenticate, authenticate


@fault
def dies_of_cuts():
    before(ob.Child, "lost", lambda self, one: one.codec.buffer and os._exit(1))


# ---- Logs ----


@fault
def hangs_after_a_full_pipe():
    def write():
        try:
            os.write(fd, b"one more\n")
        except BlockingIOError:
            signal.pause()
    fd = os.open("/proc/self/fd/1", os.O_WRONLY | os.O_NONBLOCK)
    before(ob.Connection, "connection_made", lambda *_: write())


@fault
def unfinished_lines():
    after(ob.Child, "tell_ready", lambda *_: os.write(1, b"never finished"))


@fault
def odd_records():
    after(ob.Child, "tell_ready", lambda *_: os.write(1, b'{"time":"today","level":"LOUD","msg":"x"}\n'))


# ---- Logs by calls ----


def log_each_parent():
    """So that there are records."""
    before(ob.Child, "supervised_by", lambda *_: ob.log.info("a parent came"))


def change_logs(change):
    """Another run, offset, wait_ms and max than the caller has sent."""
    whole = ob.Connection.logs

    async def logs(self, run="", offset=0, wait_ms=0, max=ob.PART_MAX):
        return await whole(self, *change(self, run, offset, wait_ms, max))
    ob.Connection.logs = logs


@fault
def records_for_all():
    whole = ob.Connection.logs

    async def logs(self, *args, **named):
        parent, self.child.parent = self.child.parent, self
        try:
            return await whole(self, *args, **named)
        finally:
            self.child.parent = parent
    ob.Connection.logs = logs


@fault
def forgets_what_it_sent():
    def forget(self, *_):
        self.begin = self.end
        self.lines.clear()
    after(ob.Kept, "read", forget)
    log_each_parent()


@fault
def whole_lines():
    change_logs(lambda self, run, offset, wait_ms, max: (run, offset, wait_ms, max + 200))
    log_each_parent()


@fault
def any_run():
    change_logs(lambda self, _, *rest: (self.child.run_id, *rest))
    log_each_parent()


@fault
def waits_for_long():
    change_logs(lambda self, run, offset, wait_ms, max: (run, offset, wait_ms * 200, max))


@fault
def lets_two_wait():
    ob.Kept.next = lambda self: asyncio.Event()


# ---- The end ----


@fault
def talks_at_the_end():
    shutdown = ob.Connection.shutdown
    ob.Connection.shutdown = lambda self: shutdown(self) or "bye"


@fault
def odd_status():
    after(ob.Child, "run", lambda *_: sys.exit(3))


@fault
def no_restart():
    def check_version(self, expected_version):
        return {"current_version": 1, "needs_restart": expected_version > 1}
    ob.Connection.check_version = check_version


@fault
def ignores_int():
    after(ob.Child, "tell_ready", lambda *_: asyncio.get_running_loop().add_signal_handler(signal.SIGINT, int))


@fault
def ignores_term():
    after(ob.Child, "tell_ready", lambda *_: asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, int))


FAULTS[sys.argv[1]]()
ob.Child(version=1).run()
