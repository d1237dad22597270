#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
kv_child.py [--version N] - a key-value store as a supervised child, in Python. It offers what examples/kv/child.c offers; either can take
the other's place. Interface `kv`:

    get(key) -> value or null    set(key, value) -> value    delete(key) -> whether it was there    list() -> keys in order
    import(key) -> value         asks the parent's source.read for the value, stores it, and answers when that has come

After each change it calls the parent's kv-events.changed(key).
"""
import argparse

from outboard_child import INVALID_PARAMS, Child, RpcError, info

KEY_MAX, VALUE_MAX, NO_SOURCE = 256, 64 * 1024, 2


def check(name, text, most):
    if not isinstance(text, str) or len(text.encode(errors="replace")) > most:
        raise RpcError(INVALID_PARAMS, "%s must be a string of at most %d bytes" % (name, most))


class Store:
    def __init__(self, child):
        self.child = child
        self.values = {}
        methods = {"get": self.get, "set": self.set, "delete": self.delete, "import": self.import_}
        child.expose("kv", {**methods, "list": lambda: sorted(self.values)})

    def tell(self, what, key):
        """Log the change, and notify the parent if it is connected."""
        info(what, key=key)
        if self.child.parent is not None:
            self.child.parent.notify("kv-events.changed", key)

    def get(self, key):
        check("key", key, KEY_MAX)
        return self.values.get(key)

    def set(self, key, value):
        check("key", key, KEY_MAX)
        check("value", value, VALUE_MAX)
        self.values[key] = value
        self.tell("set", key)
        return value

    def delete(self, key):
        check("key", key, KEY_MAX)
        there = self.values.pop(key, None) is not None
        if there:
            self.tell("delete", key)
        return there

    async def import_(self, key):
        check("key", key, KEY_MAX)
        if self.child.parent is None:
            raise RpcError(NO_SOURCE, "the parent's source: no parent is there")
        try:
            value = await self.child.parent.call("source.read", key)
        except RpcError as error:
            raise RpcError(NO_SOURCE, "the parent's source: %s" % error) from None
        return self.set(key, value)


def main(codecs=None):
    parser = argparse.ArgumentParser(description="A key-value store as a child of outboard.")
    parser.add_argument("--version", type=int, default=1, help="what it says when it is asked for its version")
    child = Child(parser.parse_args().version, codecs)
    store = Store(child)
    child.run()
    info("bye", entries=len(store.values))


if __name__ == "__main__":
    main()
