# SPDX-License-Identifier: MIT
"""tls with other implementations at the other end: the command `openssl`, and Python's ssl."""
import base64
import contextlib
import hashlib
import hmac
import json
import os
import re
import resource
import select
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time
import unittest

import ready

BUILD, SOURCE = os.environ["OB_TEST_BUILD"], os.environ["OB_TEST_SOURCE"]
OUTBOARD = os.path.join(BUILD, "bin", "outboard")
ACTOR = os.path.join(BUILD, "children", "child-actor")
TOKEN = bytes(range(32))
PATIENCE = 60
ELSEWHERE = "127.0.0.2"  # an origin of its own for those who attack
LABEL = "EXPORTER-Channel-Binding"

scratch = certificates = None


def setUpModule():
    global scratch, certificates
    scratch = tempfile.TemporaryDirectory(prefix="ob-tls-")
    certificates = scratch.name
    subprocess.run(["bash", os.path.join(SOURCE, "tests/support/certificates.sh"), certificates], check=True)


def tearDownModule():
    scratch.cleanup()


def file(name):
    return os.path.join(certificates, name)


def settings(name=None, **more):
    """Settings of tls with this certificate."""
    shown = {"certificate": file(name + ".pem"), "key": file(name + ".key")} if name else {"mutual": False}
    return {"transport": {**shown, "ca": file("ca.pem"), **more}}


class Log:
    """The records of a child, as they come."""

    def __init__(self, stream):
        self.stream = stream
        self.seen = []

    def await_reason(self, pattern):
        end = time.monotonic() + PATIENCE
        while select.select([self.stream], [], [], max(0, end - time.monotonic()))[0]:
            line = self.stream.readline()
            if not line:
                break
            self.seen.append(line)
            record = json.loads(line)
            if re.search(pattern, record.get("reason", "")):
                return record
        raise AssertionError("nobody said %r, but: %s" % (pattern, self.seen))


class Child:
    """A child that is ready: .port, .pid, and .log."""

    def __init__(self, *arguments, name="server", listen="tls+tcp://127.0.0.1:0", **more):
        self.arguments, self.name, self.listen, self.more = arguments, name, listen, more

    def __enter__(self):
        self.scratch = tempfile.TemporaryDirectory(prefix="ob-tls-")
        self.path = os.path.join(self.scratch.name, "outboard.json")
        config = {"token": TOKEN.hex(), "listen": self.listen, "codec": "json", "auth": "token",
                  "instance": "0123456789abcdef" * 2, "settings": settings(self.name, **self.more)}
        with open(os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as out:
            json.dump(config, out)
        env = {**os.environ, "OUTBOARD_CONFIG": self.path}
        self.process = subprocess.Popen([ACTOR, *self.arguments], env=env, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, bufsize=0)
        try:
            self.address = ready.await_ready(self.path, self.process)["rpc_addr"]
        except BaseException:
            self.__exit__()
            raise
        self.port = int(self.address.rpartition(":")[2]) if "tcp" in self.address else None
        self.pid = self.process.pid
        self.log = Log(self.process.stdout)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.scratch.cleanup()


# ---- JSON-RPC with token ----


def mac(side, binding, c, s):
    texts = [b"outboard/1", b"json", b"token", b"transport", binding]
    prologue = b"".join(struct.pack(">H", len(t)) + t for t in texts)
    return hmac.digest(TOKEN, side + prologue + c + s, hashlib.sha256)


def request(number, method, *params):
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode() + b"\n"


def auth(number, data):
    return request(number, "outboard.auth", "token", {"$binary": base64.b64encode(data).decode()})


def authenticate(say, hear, binding):
    """The dialer's side of token."""
    c = os.urandom(32)
    say(auth(1, c))
    data = base64.b64decode(json.loads(hear())["result"][1]["$binary"])
    assert hmac.compare_digest(data[32:], mac(b"S", binding, c, data[:32]))
    say(auth(2, mac(b"C", binding, c, data[:32])))
    assert json.loads(hear())["result"][0] == "done"


# ---- Python's ssl ----


def context(name=None, role=ssl.PROTOCOL_TLS_CLIENT, highest=None, ca="ca"):
    made = ssl.SSLContext(role)
    made.load_verify_locations(file(ca + ".pem"))
    if name:
        made.load_cert_chain(file(name + ".pem"), file(name + ".key"))
    if highest:
        made.maximum_version = highest
    if role == ssl.PROTOCOL_TLS_SERVER:
        made.verify_mode = ssl.CERT_REQUIRED
    return made


def dial(child, source="127.0.0.1"):
    sock = socket.create_connection(("127.0.0.1", child.port), PATIENCE, (source, 0))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def handshake(child, name="client", source="127.0.0.1", **more):
    return context(name, **more).wrap_socket(dial(child, source), server_hostname="localhost")


def first_bytes(name="client"):
    """A ClientHello."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context(name).wrap_bio(incoming, outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


# ---- The command openssl ----


class Openssl:
    """s_client or s_server, line by line."""

    def __init__(self, role, name, *arguments):
        shown = ["-cert", file(name + ".pem"), "-key", file(name + ".key")] if name else []
        self.process = subprocess.Popen(
            ["openssl", role, *shown, "-CAfile", file("ca.pem"), "-keymatexport", LABEL, "-keymatexportlen", "32",
             *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0)
        self.seen = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def say(self, data):
        self.process.stdin.write(data)

    def await_line(self, pattern):
        while True:
            line = self.process.stdout.readline().decode(errors="replace")
            if not line:
                raise AssertionError("openssl ended without %r:\n%s" % (pattern, "".join(self.seen)))
            self.seen.append(line)
            found = re.search(pattern, line)
            if found:
                return found

    def binding(self):
        return bytes.fromhex(self.await_line(r"Keying material: ([0-9A-F]{64})")[1])

    def hear(self):
        return self.await_line(r"\{.*\}")[0]


def s_client(child, name="client", *arguments):
    return Openssl("s_client", name, "-connect", "127.0.0.1:%d" % child.port, "-verify_return_error", *arguments)


# ---- Clients ----


class Clients(unittest.TestCase):
    def test_s_client_speaks_json_rpc(self):
        with Child() as child, s_client(child) as client:
            authenticate(client.say, client.hear, client.binding())
            client.say(request(3, "act.echo", "through openssl"))
            self.assertEqual(json.loads(client.hear())["result"], "through openssl")

    def test_s_client_with_another_binding_is_refused(self):
        with Child() as child, s_client(child) as client:
            client.binding()
            with self.assertRaises(AssertionError):
                authenticate(client.say, client.hear, bytes(32))

    def test_python_connects(self):
        with Child() as child, handshake(child) as client:
            self.assertEqual((client.version(), client.session_reused), ("TLSv1.3", False))
            client.sendall(request(1, "act.echo", 1))
            self.assertIn("error", json.loads(client.recv(4096)))
            self.assertFalse(client.session.has_ticket)

    def test_python_over_unix(self):
        with tempfile.TemporaryDirectory() as place, Child(listen="tls+unix://%s/s" % place) as child:
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(PATIENCE)
            sock.connect(place + "/s")
            with context("client").wrap_socket(sock, server_hostname="localhost") as client:
                client.sendall(request(1, "act.echo", 1))
                self.assertIn("error", json.loads(client.recv(4096)))
            self.assertTrue(child.address.startswith("tls+unix://"))

    def test_a_handshake_byte_by_byte(self):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = context("client").wrap_bio(incoming, outgoing, server_hostname="localhost")
        with Child() as child, dial(child) as sock:
            while True:
                try:
                    client.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    self.trickle(sock, outgoing.read())
                    incoming.write(sock.recv(1))
            client.write(request(1, "act.echo", 1))
            self.trickle(sock, outgoing.read())
            self.assertTrue(sock.recv(1))

    def trickle(self, sock, data):
        for i in range(len(data)):
            sock.sendall(data[i:i + 1])


# How a client begins, and what the child says of it.
def tls_1_2(child):
    handshake(child, highest=ssl.TLSVersion.TLSv1_2)


def says(data):
    def attempt(child):
        with dial(child) as sock:
            sock.sendall(data() if callable(data) else data)
            sock.shutdown(socket.SHUT_WR)
            sock.recv(100)
    return attempt


def shows(name):
    def attempt(child):
        with handshake(child, name) as client:
            client.recv(100)
    return attempt


def leaves_after_data(child):
    """Cut without a close_notify: Python's close() sends none."""
    with handshake(child) as client:
        client.sendall(request(1, "outboard.ping")[:9])


REFUSED = [
    (tls_1_2, "handshake: tls: the peer does not speak TLS 1.3", "PROTOCOL_VERSION"),
    (shows("expired"), r"handshake: tls: the peer's certificate \(localhost\): it expired at 2020", "CERTIFICATE_EXPIRED"),
    (shows("future"), "it is valid only from 2095", None),
    (shows("foreign"), "no CA of the setting ca has signed it", "UNKNOWN_CA"),
    (shows(None), "the peer showed no certificate", "CERTIFICATE_REQUIRED"),
    (shows("elsewhere"), "it is for none of the setting names", "BAD_CERTIFICATE"),
    (says(b"GET / HTTP/1.1\r\n\r\n"), "the peer speaks plain HTTP, not TLS", None),
    (says(request(1, "outboard.ping")), "the peer does not speak TLS", None),
    (says(b"\x94\x00\x01\xa1x\x90"), "the peer does not speak TLS", None),
    (says(first_bytes), "the connection ended during the handshake", None),
    (says(lambda: first_bytes()[:-1] + b"\x00" * 40000), ".", None),
    (leaves_after_data, "cut: it ended without a close_notify", None),
]


class Refusals(unittest.TestCase):
    def test_each_has_its_reason(self):
        for attempt, reason, alert in REFUSED:
            with self.subTest(reason), Child(names=["spiffe://example.org/client", "localhost"]) as child:
                with contextlib.suppress(OSError):  # it may have closed the connection already
                    try:
                        attempt(child)
                    except ssl.SSLError as error:
                        self.assertIn(alert or "", str(error).upper().replace(" ", "_"))
                child.log.await_reason(reason)

    def test_a_handshake_that_stops_is_ended(self):
        whole = first_bytes()
        for data in b"", b"\x16", whole[:50], whole:
            with Child("auth_timeout=300") as child, dial(child) as sock:
                sock.sendall(data)
                received = 0
                with contextlib.suppress(ConnectionError):
                    while more := sock.recv(65536):
                        received += len(more)
                self.assertTrue(received == 0 or data == whole)


# ---- Servers ----


@contextlib.contextmanager
def calling(address, name="client", **more):
    """`outboard call`, running."""
    with tempfile.TemporaryDirectory() as place:
        for what, content in ("settings", json.dumps(settings(name, **more))), ("token", TOKEN.hex()):
            with open(os.open(os.path.join(place, what), os.O_WRONLY | os.O_CREAT, 0o600), "w") as out:
                out.write(content)
        command = [OUTBOARD, "call", "--settings", place + "/settings", "--codec", "json", "--auth", "token", "--token-file",
                   place + "/token", "--address", address, "act.echo", "7"]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                yield process
            finally:
                process.kill()


def call(address, **more):
    with calling(address, **more) as process:
        stdout, stderr = process.communicate(timeout=PATIENCE)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


class Server:
    """Accepts one connection in a thread, and hands it to serve(socket)."""

    def __init__(self, serve):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(PATIENCE)
        self.address = "tls+tcp://127.0.0.1:%d" % self.listener.getsockname()[1]
        self.serve = serve
        self.thread = threading.Thread(target=self.run)

    def run(self):
        sock, _ = self.listener.accept()
        sock.settimeout(PATIENCE)
        with sock, contextlib.suppress(OSError):
            self.serve(sock)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.thread.join(PATIENCE)
        self.listener.close()


def tls_server(name, then, highest=None, ca="ca"):
    def serve(sock):
        with context(name, ssl.PROTOCOL_TLS_SERVER, highest, ca).wrap_socket(sock, server_side=True) as stream:
            then(stream)
    return serve


class Servers(unittest.TestCase):
    def assert_told(self, result, reason):
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(reason, result.stderr)

    def test_a_python_server_gets_the_first_message(self):
        got = []

        def then(stream):
            got.append((stream.version(), stream.getpeercert()["subjectAltName"], json.loads(stream.recv(4096))))
            stream.unwrap()
        with Server(tls_server("server", then)) as server:
            result = call(server.address)
        self.assertEqual(got[0][:2], ("TLSv1.3", (("URI", "spiffe://example.org/client"),)))
        self.assertEqual((got[0][2]["method"], got[0][2]["params"][0]), ("outboard.auth", "token"))
        self.assertNotEqual(result.returncode, 0)
        self.assertNotIn("cut", result.stderr)

    def test_the_name_that_is_dialled_is_told_and_no_address(self):
        for host, told in ("localhost", "localhost"), ("127.0.0.1", None):
            names = []

            def serve(sock, names=names):
                secured = context("server", ssl.PROTOCOL_TLS_SERVER)
                secured.sni_callback = lambda stream, name, _: names.append(name)
                with secured.wrap_socket(sock, server_side=True) as stream:
                    stream.recv(4096)
            with Server(serve) as server:
                call(server.address.replace("127.0.0.1", host))
            self.assertEqual(names, [told])

    def test_an_end_without_close_notify_is_a_cut(self):
        with Server(tls_server("server", lambda stream: stream.recv(4096))) as server:
            self.assert_told(call(server.address), "tls: the connection was cut: it ended without a close_notify")

    def test_servers_that_are_refused(self):
        def nothing(stream):
            stream.recv(100)
        for serve, reason in [
            (tls_server("expired", nothing), "the peer's certificate (localhost): it expired at 2020-02-01T00:00:00Z"),
            (tls_server("elsewhere", nothing), "(elsewhere.example.org): it is not for 127.0.0.1"),
            (tls_server("foreign", nothing), "no CA of the setting ca has signed it"),
            (tls_server("server", nothing, ssl.TLSVersion.TLSv1_2), "the peer refused: it does not speak TLS 1.3"),
            (lambda sock: sock.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n"), "the peer does not speak TLS"),
            (lambda sock: sock.sendall(b"\x94\x00\x01\xa1x\x90"), "the peer does not speak TLS"),
            (lambda sock: sock.recv(65536), "ended during the handshake"),
        ]:
            with self.subTest(reason), Server(serve) as server:
                self.assert_told(call(server.address), reason)

    def test_a_server_that_refuses_is_quoted(self):
        """The dialer has finished its handshake when the acceptor looks at its certificate."""
        def nothing(stream):
            stream.recv(100)
        for name, ca, reason in [("client", "other-ca", "it does not know the CA of our certificate"),
                                 ("expired", "ca", "our certificate has expired"),
                                 (None, "ca", "it requires a certificate, and we showed none")]:
            with self.subTest(reason), Server(tls_server("server", nothing, ca=ca)) as server:
                self.assert_told(call(server.address, name=name), "the peer refused: " + reason)

    def test_s_server(self):
        for name, reason in ("server", None), ("expired", "it expired at"), ("foreign", "no CA of the setting ca"):
            with Openssl("s_server", name, "-accept", "127.0.0.1:0", "-Verify", "1", "-naccept", "1") as server:
                port = server.await_line(r"ACCEPT 127\.0\.0\.1:(\d+)")[1]
                with calling("tls+tcp://127.0.0.1:" + port) as client:
                    if reason is None:
                        server.binding()
                        self.assertEqual(json.loads(server.hear())["method"], "outboard.auth")
                    else:
                        self.assertIn(reason, client.communicate(timeout=PATIENCE)[1])


# ---- Attacks ----


class Relay(unittest.TestCase):
    def test_fault_103_a_proof_cannot_be_relayed_between_two_tls_connections(self):
        """The relay has a certificate of the CA, for the right name, and passes on every byte. It knows no token."""
        passed = []

        def relay(stream):
            with handshake(child, "client") as onward:
                ends = {stream: onward, onward: stream}
                while True:
                    for end in select.select(list(ends), [], [])[0]:
                        data = end.recv(65536)
                        if not data:
                            return
                        passed.append(data)
                        ends[end].sendall(data)
        with Child() as child:
            with Server(tls_server("server", relay)) as server:
                result = call(server.address)
            self.assertNotEqual(result.returncode, 0)
            self.assertIn(b"outboard.auth", b"".join(passed))
            # Without a relay the same call works.
            result = call("tls+tcp://127.0.0.1:%d" % child.port)
            self.assertEqual((result.returncode, result.stdout), (0, "7\n"), result.stderr)


def memory_of(pid):
    with open("/proc/%d/status" % pid) as status:
        return int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1])


class Flood(unittest.TestCase):
    def begin(self, child, i, hello):
        """One of 5 000 handshakes that never end."""
        sock = dial(child, ELSEWHERE)
        data = [b"", b"\x16\x03\x01", hello[:100], hello, hello[:-9] + b"\xff" * 9, b"GET / HTTP/1.1\r\n\r\n",
                hello.replace(b"\x03\x04", b"\x03\x03"), os.urandom(64)][i % 8]
        with contextlib.suppress(ConnectionError):
            sock.sendall(data)
        return sock

    def test_fault_104_5000_handshakes_that_never_end(self):
        hello, held = first_bytes(), []
        most = min(2000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100)
        with Child() as child:
            before = memory_of(child.pid)
            for i in range(5000):
                held.append(self.begin(child, i, hello))
                if len(held) > most:
                    held.pop(0).close()
                if i % 1000 == 999:
                    result = call("tls+tcp://127.0.0.1:%d" % child.port)
                    self.assertEqual((result.returncode, result.stdout), (0, "7\n"), result.stderr)
            if "ASAN_OPTIONS" not in os.environ:  # AddressSanitizer keeps what is freed
                self.assertLess(memory_of(child.pid) - before, 32 * 1024)
            child.log.await_reason(".")
            for sock in held:
                sock.close()
            result = call("tls+tcp://127.0.0.1:%d" % child.port)
            self.assertEqual((result.returncode, result.stdout), (0, "7\n"), result.stderr)


if __name__ == "__main__":
    unittest.main()
