# SPDX-License-Identifier: MIT
"""Shared by the tests of attached children: a child that the test itself starts, as another supervisor would."""
import json
import os
import secrets
import signal
import subprocess

from command import ACTOR, Case, OUTBOARD, PATIENCE


class Other:
    """The other supervisor: it writes the config and the token of the child, starts it and ends it."""

    def __init__(self, directory, listen=None, program=(ACTOR,), **config):
        self.directory = directory
        os.mkdir(directory, 0o700)
        self.listen = listen or f"unix://{directory}/far.sock"
        self.program = program
        self.config = {"name": "far", "listen": self.listen, **config}
        self.path = os.path.join(directory, "outboard.json")
        self.token_file = os.path.join(directory, "token")
        self.process = None
        self.renew()

    def secret(self, path, text):
        temp = path + ".new"
        with open(os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        os.chmod(temp, 0o600)
        os.rename(temp, path)

    def renew(self):
        """A new token, for the child's next start; in its file at once."""
        self.config["token"] = secrets.token_hex(32)
        self.secret(self.token_file, self.config["token"] + "\n")

    def start(self, *args, **env):
        self.secret(self.path, json.dumps(self.config))
        self.process = subprocess.Popen([*self.program, *args], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        env={**os.environ, "OUTBOARD_CONFIG": self.path, **env})
        return self.process.pid

    def kill(self, number=signal.SIGKILL):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait()

    def wait(self):
        return self.process.wait(PATIENCE) if self.process is not None else None

    def child(self, **more):
        """How the parent's config names it."""
        return {"command": None, "connect": self.listen, "token_file": self.token_file, **more}


class AttachCase(Case):
    def setUp(self):
        super().setUp()
        self.others = []
        self.commands = []

    def start_command(self, *args):
        """Run the command without waiting for its end."""
        self.commands.append(subprocess.Popen([OUTBOARD, *args], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL))
        return self.commands[-1]

    def tearDown(self):
        for command in self.commands:
            command.kill()
            command.wait()
        for other in self.others:
            other.kill()
        super().tearDown()

    def other(self, **more):
        self.others.append(Other(os.path.join(self.dir, f"far{len(self.others)}"), **more))
        return self.others[-1]
