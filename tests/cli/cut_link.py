# SPDX-License-Identifier: MIT
"""A proxy between a host and an agent, whose connections a test cuts, and which it closes to new ones."""
import contextlib
import select
import socket
import struct
import threading

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: a close sends RST


class Proxy:
    """Passes bytes from its port to another one, on a thread of its own."""

    def __init__(self, port):
        self.target = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.orders, inner = socket.socketpair()
        self.open = True
        self.pairs = {}
        self.thread = threading.Thread(target=self.serve, args=(inner,), daemon=True)
        self.thread.start()

    def order(self, what):
        """It is done when this returns."""
        self.orders.sendall(what)
        assert self.orders.recv(1) == what

    def cut(self, reset=False):
        """End all connections; a reset also throws away what is under way."""
        self.order(b"r" if reset else b"c")

    def refuse(self):
        """The same, and end each new connection."""
        self.order(b"x")

    def allow(self):
        self.order(b"o")

    def close(self):
        self.order(b"q")
        self.thread.join()
        self.orders.close()

    # ---- On the thread ----

    def serve(self, inner):
        with inner, self.listener:
            going = True
            while going:
                for ready in select.select([inner, self.listener, *self.pairs], [], [])[0]:
                    if ready is inner:
                        going = self.obey(inner)
                        break  # the others may be closed
                    if ready is self.listener:
                        self.take()
                    elif ready in self.pairs:
                        self.move(ready)

    def obey(self, inner):
        what = inner.recv(1)
        self.open = self.open if what in b"cr" else what == b"o"
        for one in list(self.pairs) if what != b"o" else []:
            if what == b"r":
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            one.close()
        if what != b"o":
            self.pairs.clear()
        inner.sendall(what)
        return what != b"q"

    def take(self):
        near, _ = self.listener.accept()
        try:
            far = socket.create_connection(("127.0.0.1", self.target)) if self.open else None
        except OSError:
            far = None
        if far is None:
            near.close()
        else:
            self.pairs[near], self.pairs[far] = far, near

    def move(self, one):
        other = self.pairs[one]
        more = b""
        with contextlib.suppress(OSError):
            more = one.recv(65536)
            other.sendall(more)
        if not more:
            for each in (one, other):
                self.pairs.pop(each, None)
                each.close()
