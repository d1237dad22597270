# SPDX-License-Identifier: MIT
"""
A child of outboard in Python, without the library: docs/PROTOCOL.md, line by line, on asyncio and nothing but the standard library.

    child = outboard_child.Child(version=1)
    child.expose("hello", {"greet": lambda name: "Hello, %s!" % name})
    child.run()

Transports unix and tcp, codec json, mechanisms token, bearer and peercred; it dials its parent where the config says so. A method may
be a coroutine function; it may raise RpcError. kv_child.py is a whole one.
"""
import asyncio
import base64
import collections
import datetime
import hmac
import inspect
import itertools
import json
import logging
import math
import os
import random
import re
import signal
import socket
import stat
import struct
import tempfile
import time
import urllib.parse

MESSAGE_MAX, PREAUTH_MAX, QUEUE_MAX, CALLS_MAX, UNAUTHENTICATED_MAX = 4 << 20, 4096, 8 << 20, 256, 16
BATCH_MAX, DEPTH_MAX, ID_MAX, ERROR_ROOM = 256, 24, 64, 256
KEPT_MAX, PART_MAX, LINE_MAX = 256 << 10, 64 << 10, 16 << 10
AUTH_SECONDS, CALL_SECONDS, GOODBYE_SECONDS = 5, 30, 1
PAUSE_FIRST, PAUSE_MAX, STABLE_SECONDS = 0.05, 2, 5
PARSE, INVALID_REQUEST, NO_METHOD, INVALID_PARAMS, INTERNAL = -32700, -32600, -32601, -32602, -32603
REFUSED, BUSY, CANCELED, NO_INTERFACE, TOO_BIG, DENIED, CLOSING = -32000, -32001, -32002, -32003, -32004, -32005, -32006

log = logging.getLogger("outboard")


class RpcError(Exception):
    """An error sent to the peer, or received from it."""

    def __init__(self, code, message, data=None):
        super().__init__(message)
        self.code = code
        self.data = data


# ---- Logs: one JSON object a line, on stdout, or kept until the parent asks for it ----


class Kept:
    """The newest lines, for outboard-control.logs. What the reader has acknowledged is forgotten; what does not fit is counted."""

    def __init__(self):
        self.lines, self.begin, self.end, self.sent_end = collections.deque(), 0, 0, 0
        self.before = self.sent = self.unsent = 0  # dropped: before the last answer; of those that it had; behind it
        self.news = asyncio.Event()

    def add(self, line):
        if len(line) > LINE_MAX:
            line = b'{"level":"WARN","msg":"a record was too long to be kept"}\n'
        self.lines.append(line)
        self.end += len(line)
        while self.end - self.begin > KEPT_MAX:
            self.begin += len(self.lines.popleft())
            # The last answer may have had a part of it only.
            self.sent, self.unsent = self.sent + (self.begin <= self.sent_end), self.unsent + (self.begin > self.sent_end)
        self.news.set()

    def next(self):
        """An event for the next line. One call waits at a time: a further one ends it."""
        self.news.set()
        self.news = asyncio.Event()
        return self.news

    def has_news(self, offset):
        return offset != self.end or self.unsent > 0

    def read(self, offset, most):
        """offset: up to there the reader has all; None: it has nothing."""
        self.before = self.unsent if offset == self.sent_end else self.before + self.sent + self.unsent
        self.sent = self.unsent = 0
        while self.lines and offset is not None and offset > self.begin:
            line = self.lines.popleft()
            rest = line[offset - self.begin:]
            self.begin += len(line) - len(rest)
            if rest:
                self.lines.appendleft(rest)
        data = bytearray()
        for line in self.lines:
            data += line[:most - len(data)]
            if len(data) == most:
                break
        self.sent_end = self.begin + len(data)
        return {"offset": self.begin, "data": bytes(data), "dropped": self.before}


class Records(logging.Handler):
    """Never waits for the parent: while nothing reads the pipe, lines that do not fit are dropped."""

    def __init__(self, kept, only):
        super().__init__()
        self.kept, self.only = kept, only
        self.fd = os.open("/proc/self/fd/1", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)

    def emit(self, record):
        now = datetime.datetime.fromtimestamp(record.created, datetime.timezone.utc).isoformat()
        level = {"WARNING": "WARN", "CRITICAL": "ERROR"}.get(record.levelname, record.levelname)
        line = {"time": now, "level": level, "msg": record.getMessage(), **getattr(record, "attributes", {})}
        text = json.dumps(line).encode() + b"\n"
        if self.kept is not None:
            self.kept.add(text)
        try:
            self.only or os.write(self.fd, text)
        except OSError:
            pass


def info(message, **attributes):
    log.info(message, extra={"attributes": attributes})


# ---- Messages ----


class JsonLines:
    """The codec `json`. A message is a dict in the form of JSON-RPC 2.0, or a list of them; bytes are {"$binary": base64}."""

    def __init__(self):
        self.buffer = bytearray()
        self.seen = 0

    def feed(self, data):
        self.buffer += data

    def take(self, most):
        """The next line that is not blank, or None if it is not complete. ValueError: it is too long."""
        while (end := self.buffer.find(b"\n", self.seen)) >= 0:
            line, self.seen = bytes(self.buffer[:end]), 0
            del self.buffer[: end + 1]
            if len(line) >= most:
                raise ValueError("too long a message")
            if line.strip(b" \t\r"):
                return line
        self.seen = len(self.buffer)
        if self.seen >= most:
            raise ValueError("too long a message")
        return None

    def decode(self, line):
        """RpcError: the answer for the peer. ValueError: a malformed response, which is not answered; the connection is closed."""
        hooks = {"parse_int": integer, "parse_float": double, "parse_constant": double}
        try:
            message = json.loads(line.decode(), object_pairs_hook=from_pairs, **hooks)
            check(message, DEPTH_MAX + (2 if isinstance(message, list) else 1))
        except RecursionError:
            raise RpcError(INVALID_REQUEST, "Invalid Request", "nested too deep") from None
        except ValueError as error:
            raise RpcError(PARSE, "Parse error", str(error)) from None
        messages = message if isinstance(message, list) else [message]
        if len(messages) > BATCH_MAX:
            raise RpcError(INVALID_REQUEST, "Invalid Request", "the batch is too large")
        if any(is_response(m) and not is_proper_response(m) for m in messages):
            raise ValueError("a response with both or neither of result and error, or without a proper id")
        return message

    def encode(self, message):
        """RecursionError, TypeError, ValueError: JSON cannot represent it."""
        check(message, DEPTH_MAX + 1)
        whole = escaped({"jsonrpc": "2.0", **message})
        text = json.dumps(whole, default=from_bytes, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode() + b"\n"

    def batch(self, lines):
        return b"[" + b",".join(line.rstrip() for line in lines) + b"]\n"


def double(text):
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number that is not finite, or beyond a double")
    return value


def integer(text):
    """Beyond 64 bits it becomes a double, if possible. That is tried first: Python's own integers are unlimited."""
    value = double(text)
    return int(text) if -(2**63) <= int(text) < 2**64 else value


def check(value, depth):
    """Refuse lone surrogates, and containers deeper than that. Bytes count as a container: on the wire they are an object."""
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, (list, tuple, dict, bytes)):
        if depth == 0:
            raise RecursionError
        if isinstance(value, dict):
            value = (*value, *value.values())
        for inner in () if isinstance(value, bytes) else value:
            check(inner, depth - 1)


# {"$binary": base64} is bytes; an application's own object of that form gets another "$" on the wire.
BINARY_KEY = re.compile(r"\$+binary")


def from_pairs(pairs):
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key occurs twice")
    if len(pairs) != 1 or not BINARY_KEY.fullmatch(pairs[0][0]):
        return value
    [(key, inner)] = pairs
    return to_bytes(inner) if key == "$binary" else {key[1:]: inner}


def to_bytes(text):
    """Valid only if encoding gives the same text: no other characters, complete padding, unused bits zero."""
    data = base64.b64decode(text) if isinstance(text, str) else None
    if data is None or from_bytes(data) != {"$binary": text}:
        raise ValueError("$binary with invalid base64")
    return data


def from_bytes(data):
    return {"$binary": base64.b64encode(data).decode()}


def escaped(value):
    """Also refuses keys that are not strings."""
    if isinstance(value, dict):
        more = "$" if len(value) == 1 and BINARY_KEY.fullmatch(*value) else ""
        return {more + key: escaped(inner) for key, inner in value.items()}
    return [escaped(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def may_be_id(value):
    """The answer has the same value; its text may differ, as 1.5 for 1.50."""
    kind = value is None or isinstance(value, (str, int, float)) and not isinstance(value, bool)
    return kind and len(json.dumps(value, ensure_ascii=False).encode()) <= ID_MAX


def id_of(message):
    """The id of a message; None if it has no valid one."""
    call_id = message.get("id") if isinstance(message, dict) else None
    return call_id if may_be_id(call_id) else None


def is_request(message):
    """A request has an id, a notification has none."""
    return (
        isinstance(message, dict)
        and message.get("jsonrpc") == "2.0"
        and isinstance(message.get("method"), str)
        and isinstance(message.get("params", []), (list, dict))
        and may_be_id(message.get("id"))
    )


def is_response(message):
    return isinstance(message, dict) and "method" not in message and ("result" in message or "error" in message)


def is_proper_response(message):
    """An error of null is no error."""
    one = ("result" in message) != (message.get("error") is not None)
    return one and message.get("jsonrpc") == "2.0" and "id" in message and may_be_id(message["id"])


def response(message, result):
    """The response to the request `message`: its result, or the exception as an error."""
    answer = {"id": id_of(message)}
    if isinstance(result, asyncio.CancelledError):
        result = RpcError(CANCELED, "the call was canceled")
    elif isinstance(result, Exception) and not isinstance(result, RpcError):
        result = RpcError(INTERNAL, repr(result))
    if isinstance(result, RpcError):
        more = {} if result.data is None else {"data": result.data}
        return {**answer, "error": {"code": result.code, "message": str(result), **more}}
    return {**answer, "result": result}


# ---- Authentication. A mechanism is a generator: it receives the dialer's messages and yields the answers with "more" ----


def prologue(config, home=False):
    texts = ("outboard/1", config["codec"], config["auth"]) + (("dial-home",) if home else ())
    return b"".join(struct.pack(">H", len(text)) + text.encode() for text in texts)


def token(config):
    bound, key, s = prologue(config), bytes.fromhex(config["token"]), os.urandom(32)
    c = yield
    if len(c) != 32:
        raise RpcError(REFUSED, "refused")
    proof = yield s + hmac.digest(key, b"S" + bound + c + s, "sha256")
    if not hmac.compare_digest(proof, hmac.digest(key, b"C" + bound + c + s, "sha256")):
        raise RpcError(REFUSED, "refused")


def bearer(config):
    if not hmac.compare_digest((yield), b"Bearer " + config["token"].encode()):
        raise RpcError(REFUSED, "refused")


def is_one_of_us(sock):
    """`peercred`: no messages; the kernel reports the peer's user."""
    if sock.family != socket.AF_UNIX:
        return False
    _, uid, _ = struct.unpack("iII", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return uid in (0, os.geteuid())


MECHANISMS = {"token": token, "bearer": bearer}


# The same from the dialer's side, for a child that dials: a generator yields what to send, and receives the answers.


def proof_of_token(config):
    bound, key, c = prologue(config, home=True), bytes.fromhex(config["token"]), os.urandom(32)
    answer = yield c
    s = answer[:32]
    if not hmac.compare_digest(answer[32:], hmac.digest(key, b"S" + bound + c + s, "sha256")):
        raise ValueError("the parent did not prove that it has the token")
    yield hmac.digest(key, b"C" + bound + c + s, "sha256")


def show_bearer(config):
    yield b"Bearer " + config["token"].encode()


PROOFS = {"token": proof_of_token, "bearer": show_bearer}


class Authentication:
    """The acceptor's side of all mechanisms of the config, in order."""

    def __init__(self, config):
        self.config = config
        self.left = [name for name in config["auth"].split(",") if name != "peercred"]
        self.exchange = None

    def admits(self, sock):
        return "peercred" not in self.config["auth"].split(",") or is_one_of_us(sock)

    def answer(self, name, data):
        data = data.encode() if isinstance(data, str) else data
        if name != self.left[0] or not isinstance(data, bytes):
            raise RpcError(REFUSED, "refused")
        if self.exchange is None:
            self.exchange = MECHANISMS[name](self.config)
            next(self.exchange)
        try:
            return ["more", self.exchange.send(data)]
        except StopIteration:
            self.left.pop(0)
            self.exchange = None
            return ["done", b""]


class Proof(Authentication):
    """The dialer's side."""

    def begin(self):
        self.exchange = PROOFS[self.left[0]](self.config)
        return next(self.exchange)

    def go_on(self, word, data):
        """The next message; None: this mechanism has passed."""
        if not isinstance(data, bytes):
            raise ValueError("a malformed answer to outboard.auth")
        try:
            message = self.exchange.send(data)
        except StopIteration:
            message = None
        if (word, message is None) not in (("more", False), ("done", True)):
            raise ValueError("the parent ends the exchange too early or too late")
        if message is None:
            self.left.pop(0)
        return message


# ---- A connection ----


class Connection(asyncio.Protocol):
    def __init__(self, child):
        self.child = child
        self.codec = child.codec()
        self.authentication = Authentication(child.config)
        self.own = {
            "outboard.auth": self.auth_again,
            "outboard-control.checkVersion": self.check_version,
            "outboard-control.logs": self.logs,
            "outboard-control.shutdown": self.shutdown,
            "outboard.ping": lambda: True,
            "outboard.supervise": self.supervise,
            "$/cancel": self.cancel,
        }
        self.ids = itertools.count(1)
        self.waiting = {}  # our calls: futures by id
        self.running = {}  # the peer's calls: tasks by id
        self.tasks = set()

    def connection_made(self, transport):
        self.transport = transport
        self.deadline = asyncio.get_running_loop().call_later(AUTH_SECONDS, self.too_late)
        others = sum(bool(c.authentication.left) for c in self.child.connections)
        self.child.connections.add(self)
        if others >= UNAUTHENTICATED_MAX or not self.authentication.admits(transport.get_extra_info("socket")):
            transport.abort()

    def too_late(self):
        if self.authentication.left:
            self.transport.abort()

    def connection_lost(self, _):
        self.deadline.cancel()
        self.child.lost(self)
        for task in self.tasks:
            task.cancel()
        for future in self.waiting.values():
            if not future.done():
                future.set_exception(RpcError(INTERNAL, "the connection was lost"))

    def data_received(self, data):
        self.codec.feed(data)
        try:
            while not self.transport.is_closing():
                raw = self.codec.take(PREAUTH_MAX if self.authentication.left else self.child.message_max)
                if raw is None:
                    break
                (self.authenticate if self.authentication.left else self.receive)(raw)
        except (ValueError, RpcError):
            self.transport.abort()

    def send(self, message):
        self.write(self.codec.encode(message))

    def write(self, data):
        if self.transport.get_write_buffer_size() > 2 * QUEUE_MAX:
            self.transport.abort()
        if not self.transport.is_closing():
            self.transport.write(data)

    def authenticate(self, raw):
        """The peer learns no more than "refused"."""
        message = self.codec.decode(raw)
        if not is_request(message) or "id" not in message:
            raise ValueError("out of place before authentication")
        try:
            if message["method"] != "outboard.auth" or self.codec.buffer:
                raise RpcError(REFUSED, "refused")
            self.send(response(message, self.authentication.answer(*message.get("params", []))))
        except (RpcError, TypeError):
            self.send(response(message, RpcError(REFUSED, "refused")))
            self.transport.close()

    # Calls of the peer

    def receive(self, raw):
        try:
            message = self.codec.decode(raw)
        except RpcError as error:
            self.send(response(None, error))
            return
        task = asyncio.ensure_future(self.handle(message))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def handle(self, message):
        """A request, notification or response, or a batch of them, which is answered with a batch."""
        batch = isinstance(message, list) and len(message) > 0
        messages = message if batch else [message]
        for m in filter(is_response, messages):
            self.resolve(m)
        calls = {self.begin(m): m for m in messages if not is_response(m)}
        done = []  # in the order in which they are answered
        for task in calls:
            task.add_done_callback(done.append)
        results = dict(zip(calls, await asyncio.gather(*calls, return_exceptions=True)))
        answers = [response(calls[t], results[t]) for t in done if not is_request(calls[t]) or "id" in calls[t]]
        lines = list(self.encoded(answers))
        if lines:
            self.write(self.codec.batch(lines) if batch else lines[0])
        if self.child.ending:
            self.end()

    def encoded(self, answers):
        """A result that cannot be sent becomes an error, for which there is always room. Two bytes are for the brackets of a batch."""
        room = self.child.message_max - 2 - ERROR_ROOM * (len(answers) - 1)
        for answer in answers:
            try:
                line = self.codec.encode(answer)
                error = RpcError(TOO_BIG, "message is larger than message_max (%d)" % self.child.message_max) if len(line) > room else None
            except (RecursionError, TypeError, ValueError):
                error = RpcError(INTERNAL, "the result cannot be encoded")
            if error:
                line = self.codec.encode(response(answer, error))
            else:
                room -= len(line)
            yield line

    def begin(self, message):
        task = asyncio.ensure_future(self.perform(message))
        if is_request(message) and "id" in message:
            self.running[message["id"]] = task
            task.add_done_callback(lambda _: self.running.pop(message["id"], None))
        return task

    async def perform(self, message):
        if not is_request(message):
            raise RpcError(INVALID_REQUEST, "Invalid Request")
        if self.child.ending:
            raise RpcError(CLOSING, "shutting down")
        if len(self.running) > CALLS_MAX:
            raise RpcError(BUSY, "too many calls in flight")
        method = self.own.get(message["method"]) or self.child.find(message["method"])
        params = message.get("params", [])
        by_place, by_name = (params, {}) if isinstance(params, list) else ([], params)
        try:
            inspect.signature(method).bind(*by_place, **by_name)
        except TypeError as error:
            raise RpcError(INVALID_PARAMS, str(error)) from None
        result = method(*by_place, **by_name)
        return await result if inspect.isawaitable(result) else result

    def auth_again(self, *_):
        raise RpcError(INVALID_REQUEST, "authenticated already")

    def cancel(self, call_id):
        if may_be_id(call_id) and call_id in self.running:
            self.running[call_id].cancel()

    def supervise(self, instance):
        if self.child.config.get("instance") not in (None, "", instance):
            raise RpcError(DENIED, "this child is not the instance that the parent started")
        self.child.supervised_by(self)
        return True

    # Only the parent may read the logs, and end the child

    async def logs(self, run="", offset=0, wait_ms=0, max=PART_MAX):
        kept = self.child.kept
        if self is not self.child.parent:
            raise RpcError(DENIED, "only the parent may")
        if kept is None:
            raise RpcError(NO_METHOD, "logs are not kept here: they are written to stdout")
        offset = offset if run == self.child.run_id and offset <= kept.end else None
        try:
            news = kept.next()
            if wait_ms > 0 and not kept.has_news(offset):
                await asyncio.wait_for(news.wait(), min(wait_ms, 60000) / 1000)
        except asyncio.TimeoutError:
            pass
        return {"run": self.child.run_id, **kept.read(offset, min(max, PART_MAX, self.child.message_max // 4))}

    def check_version(self, expected_version):
        answer = self.child.check_version(expected_version)
        self.child.ending = answer["needs_restart"] and self is self.child.parent
        return answer

    def shutdown(self):
        if self is not self.child.parent:
            raise RpcError(DENIED, "only the parent may")
        self.child.ending = True

    # Calls of ours

    def notify(self, method, *params):
        self.send({"method": method, "params": params} if params else {"method": method})

    async def call(self, method, *params):
        call_id = next(self.ids)
        future = self.waiting[call_id] = asyncio.get_running_loop().create_future()
        try:
            self.send({"id": call_id, "method": method, "params": params})
            return await asyncio.wait_for(future, CALL_SECONDS)
        except (asyncio.CancelledError, asyncio.TimeoutError):
            self.notify("$/cancel", call_id)
            raise
        finally:
            del self.waiting[call_id]

    def resolve(self, message):
        future = self.waiting.get(message.get("id")) if isinstance(message.get("id"), int) else None
        if future is None or future.done():
            return
        error = message.get("error")
        if error is None:
            future.set_result(message.get("result"))
        elif isinstance(error, dict):
            future.set_exception(RpcError(error.get("code", INTERNAL), str(error.get("message"))))
        else:
            future.set_exception(RpcError(INTERNAL, str(error)))

    # The end

    def bye(self):
        self.notify("$/bye")
        self.transport.close()

    def end(self):
        """The answer has been sent: send $/bye, close our side, and wait for the end of the stream."""
        if not self.transport.is_closing():
            self.notify("$/bye")
            self.transport.write_eof()
        asyncio.get_running_loop().call_later(GOODBYE_SECONDS, self.child.stop.set)


class HomeConnection(Connection):
    """One that we have dialled: we authenticate, and say of which start we are. From then on it is as any other."""

    def __init__(self, child):
        super().__init__(child)
        self.authentication = Proof(child.config)
        self.lost = asyncio.Event()

    def connection_made(self, transport):
        self.transport = transport
        self.deadline = asyncio.get_running_loop().call_later(AUTH_SECONDS, self.too_late)
        self.child.connections.add(self)
        if not self.authentication.admits(transport.get_extra_info("socket")):
            transport.abort()
        else:
            self.prove()

    def connection_lost(self, error):
        super().connection_lost(error)
        self.lost.set()

    def ask(self, data):
        self.send({"id": next(self.ids), "method": "outboard.auth", "params": [self.authentication.left[0], data]})

    def prove(self):
        """With the next mechanism; after the last one comes the hello."""
        if self.authentication.left:
            self.ask(self.authentication.begin())
            return
        task = asyncio.ensure_future(self.hello())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def authenticate(self, raw):
        message = self.codec.decode(raw)
        result = message.get("result") if is_response(message) else None
        if not isinstance(result, list) or len(result) != 2:
            raise ValueError("the parent refuses")
        data = self.authentication.go_on(*result)
        if data is None:
            self.prove()
        else:
            self.ask(data)

    async def hello(self):
        try:
            await self.call("outboard.hello", self.child.config["instance"], self.child.run_id)
        except (RpcError, asyncio.TimeoutError) as error:
            log.warning("the parent refuses: %s", error)
            self.transport.abort()


# ---- The child ----


class Child:
    """The state of all connections, the interface outboard-control, and the files."""

    def __init__(self, version, codecs=None):
        """Read OUTBOARD_CONFIG. The lock stays open for our whole life, and programs that we start do not inherit it."""
        if "OUTBOARD_LOCK_FD" in os.environ:
            os.set_inheritable(int(os.environ["OUTBOARD_LOCK_FD"]), False)
        self.path = os.environ["OUTBOARD_CONFIG"]
        for name in [name for name in os.environ if name.startswith("OUTBOARD_")]:
            del os.environ[name]
        with open(self.path, encoding="utf-8") as file:
            self.config = json.load(file)
        self.message_max = self.config.get("message_max") or MESSAGE_MAX
        self.version = version
        self.codec = self.choose(codecs or {"json": JsonLines})
        self.connections = set()
        self.parent = None  # the connection that supervises
        self.ending = False
        self.started = time.monotonic_ns()
        self.run_id = os.urandom(16).hex()
        self.only_kept = self.config.get("logs") == "rpc"
        self.kept = Kept() if self.only_kept or not self.config.get("fifo_stdout") else None
        self.interfaces = {}
        self.expose("outboard-control", {"health": self.health, "interfaces": lambda: list(self.interfaces)})

    def choose(self, codecs):
        unknown = set(self.config["auth"].split(",")) - {"peercred", *MECHANISMS}
        if self.config["codec"] not in codecs or unknown:
            raise SystemExit("not known here: %s" % (", ".join(unknown) or "codec " + self.config["codec"]))
        if self.config.get("rules"):
            raise SystemExit("not known here: rules")
        return codecs[self.config["codec"]]

    def expose(self, interface, methods):
        self.interfaces[interface] = methods

    def find(self, name):
        interface, _, method = name.rpartition(".")
        if interface not in self.interfaces:
            raise RpcError(NO_INTERFACE, "unknown object: " + interface)
        if method not in self.interfaces[interface]:
            raise RpcError(NO_METHOD, "unknown method: " + name)
        return self.interfaces[interface][method]

    def supervised_by(self, connection):
        """The newest parent counts."""
        older, self.parent = self.parent, connection
        if older not in (None, connection):
            older.bye()

    def lost(self, connection):
        self.connections.discard(connection)
        self.parent = None if connection is self.parent else self.parent
        if self.ending:
            self.stop.set()

    # outboard-control

    def health(self):
        seconds, nanoseconds = divmod(time.time_ns(), 10**9)
        return {
            "healthy": True,
            "timestamp": {"seconds": seconds, "nanoseconds": nanoseconds},
            "pid": os.getpid(),
            "uptime": time.monotonic_ns() - self.started,
            "last_error": "",
            "run": self.run_id,
        }

    def check_version(self, expected_version):
        if not isinstance(expected_version, int) or expected_version < 0:
            raise RpcError(INVALID_PARAMS, "expected_version must be a non-negative integer")
        return {"current_version": self.version, "needs_restart": expected_version > self.version}

    # Beginning and end

    def run(self):
        log.setLevel(logging.INFO)
        log.addHandler(Records(self.kept, self.only_kept))
        asyncio.run(self.serve())

    async def serve(self):
        self.stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self.stop.set)
        self.tell_ready(await self.listen() if self.config.get("listen") else None)
        dialing = asyncio.ensure_future(self.dial_home()) if self.config.get("dial") else None
        await self.stop.wait()
        if dialing is not None:
            dialing.cancel()

    async def dial_home(self):
        """For as long as we live: a parent that is away comes back. The pause doubles, and half of it is random."""
        failures, said = 0, None
        while not self.ending:
            begun = time.monotonic()
            try:
                connection = await self.dial()
                await connection.lost.wait()
            except OSError as error:
                if str(error) != said:
                    said = str(error)
                    log.warning("cannot reach the parent: %s", error)
            failures = 0 if time.monotonic() - begun > STABLE_SECONDS else failures + 1
            pause = min(PAUSE_FIRST * 2 ** min(failures, 10), PAUSE_MAX)
            await asyncio.sleep(random.uniform(pause / 2, pause))

    async def dial(self):
        loop, uri = asyncio.get_running_loop(), urllib.parse.urlsplit(self.config["dial"])
        if uri.scheme == "unix":
            sock = connect_unix(urllib.parse.unquote(uri.path))
            return (await loop.create_unix_connection(lambda: HomeConnection(self), sock=sock))[1]
        self.check_network(uri)
        return (await loop.create_connection(lambda: HomeConnection(self), uri.hostname, uri.port))[1]

    def check_network(self, uri):
        if uri.scheme != "tcp":
            raise SystemExit("not known here: transport %s" % uri.scheme)
        if not self.config.get("allow_plaintext"):
            raise SystemExit("tcp without encryption: the parent's config does not say allow_plaintext")

    async def listen(self):
        """Returns the address that it is bound to."""
        loop, uri = asyncio.get_running_loop(), urllib.parse.urlsplit(self.config["listen"])
        if uri.scheme == "unix":
            await loop.create_unix_server(lambda: Connection(self), sock=bind_unix(urllib.parse.unquote(uri.path)))
            return self.config["listen"]
        self.check_network(uri)
        server = await loop.create_server(lambda: Connection(self), uri.hostname, uri.port)
        host, port = server.sockets[0].getsockname()[:2]
        return ("tcp://[%s]:%d" if ":" in host else "tcp://%s:%d") % (host, port)

    def tell_ready(self, address):
        """A reader sees the old file or the new one, never a part of it."""
        self.config.update(rpc_addr=address, pid=os.getpid(), ready=True, message_max=self.message_max)
        self.config = {key: value for key, value in self.config.items() if value is not None}
        fd, temporary = tempfile.mkstemp(".tmp", "outboard-config-", os.path.dirname(self.path))
        with open(fd, "w", encoding="utf-8") as file:
            json.dump(self.config, file)
        os.rename(temporary, self.path)


def connect_unix(path):
    """Also to a path that is longer than an address."""
    directory = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY)
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.connect("/proc/self/fd/%d/%s" % (directory, os.path.basename(path)))
    except OSError:
        sock.close()
        raise
    finally:
        os.close(directory)
    return sock


def bind_unix(path):
    """Through a descriptor of its directory: the path may be longer than an address. An existing socket is that of a dead child."""
    directory = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY)
    place = "/proc/self/fd/%d/%s" % (directory, os.path.basename(path))
    if os.path.lexists(place) and stat.S_ISSOCK(os.lstat(place).st_mode):
        os.unlink(place)
    sock = socket.socket(socket.AF_UNIX)
    umask = os.umask(0o177)
    sock.bind(place)
    os.umask(umask)
    os.close(directory)
    return sock
