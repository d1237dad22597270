#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A child of examples/python-child that is controlled by a test, like tests/children/actor.c."""
import asyncio
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/python-child"))
import outboard_child  # noqa: E402

# Values that no message may contain, and the deepest value that one may contain.
ENDLESS = []
ENDLESS.append(ENDLESS)


def nested(depth, innermost):
    return [nested(depth - 1, innermost)] if depth > 0 else innermost


VALUES = {
    "deepest": nested(24, 1),
    "surrogate": "\ud83d",
    "surrogate key": {"\ud83d": 1},
    "nan": float("nan"),
    "infinity": [float("-inf")],
    "deep": nested(25, 1),
    "deep binary": nested(24, b""),
    "endless": ENDLESS,
    "number as key": {1: "a", "1": "b"},
    "object": object(),
}


async def later():
    return await asyncio.get_running_loop().run_in_executor(None, lambda: "from another thread")


async def keep():
    await asyncio.Event().wait()


child = outboard_child.Child(version=1)
child.expose("act", {"echo": lambda value: value, "later": later, "keep": keep, "make": VALUES.get})
child.run()
