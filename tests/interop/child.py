#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The child of examples/python-child with the codec `msgpack` as well, from Debian's msgpack and docs/PROTOCOL.md only."""
import os
import sys

import msgpack

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/python-child"))
import kv_child  # noqa: E402
import outboard_child  # noqa: E402

REQUEST, RESPONSE, NOTIFICATION = 0, 1, 2


class MsgpackRpc:
    """The codec `msgpack`: converts between its arrays and the dicts of JSON-RPC."""

    def __init__(self):
        self.buffer = bytearray()

    def feed(self, data):
        self.buffer += data

    def take(self, most):
        unpacker = msgpack.Unpacker(raw=False, max_buffer_size=most)
        try:
            unpacker.feed(self.buffer[:most])
            message = unpacker.unpack()
        except msgpack.OutOfData:
            if len(self.buffer) >= most:
                raise ValueError("too long a message") from None
            return None
        del self.buffer[: unpacker.tell()]
        return message

    def decode(self, message):
        kind, *rest = message
        if kind == REQUEST:
            return dict(zip(("id", "method", "params"), rest), jsonrpc="2.0")
        if kind == NOTIFICATION:
            return dict(zip(("method", "params"), rest), jsonrpc="2.0")
        call_id, error, result = rest
        return {"id": call_id, "error": error and dict(zip(("code", "message", "data"), error)), "result": result}

    def encode(self, m):
        if "method" not in m:
            error = m.get("error")
            array = [RESPONSE, m["id"], error and list(error.values()), m.get("result")]
        elif "id" in m:
            array = [REQUEST, m["id"], m["method"], m["params"]]
        else:
            array = [NOTIFICATION, m["method"], m.get("params", [])]
        return msgpack.packb(array, use_bin_type=True)


kv_child.main({"json": outboard_child.JsonLines, "msgpack": MsgpackRpc})
