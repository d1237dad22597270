# SPDX-License-Identifier: MIT
"""Agents on this machine, and configs with children behind them: shared by the tests of that."""
import os
import secrets
import subprocess

from command import ACTOR, Case, OUTBOARD, PATIENCE, USAGE, free_port, outboard

QUICK = {"restart": {"backoff_base": "10ms", "backoff_max": "10ms"}}


class Agent:
    """`outboard agent`, as a guest or another machine would have it."""

    def __init__(self, directory):
        self.directory = directory
        self.address = f"tcp://127.0.0.1:{free_port()}"
        self.token_file = os.path.join(directory, "agent.token")
        with open(os.open(self.token_file, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(secrets.token_hex(32) + "\n")
        self.process = None
        self.auth = "noise"
        self.before, self.more = [], []  # words before the command, and arguments

    def start(self, **env):
        self.process = subprocess.Popen(
            [*self.before, OUTBOARD, "agent", "--listen", self.address, "--root", os.path.join(self.directory, "far"), "--auth", self.auth,
             "--token-file", self.token_file, "--allow", ACTOR, *self.more], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, env={**os.environ, **env})

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait(PATIENCE)
            self.process = None

    def entry(self, **more):
        return {"connect": self.address, "auth": "noise", "token_file": self.token_file,
                "health": {"interval": "500ms"}, **more}


class AgentCase(Case):
    def setUp(self):
        super().setUp()
        self.agents = [self.begin_agent(self.dir, "127.0.0.1")]
        self.agent = self.agents[0]

    def begin_agent(self, directory, host):
        agent = Agent(directory)
        agent.address = agent.address.replace("127.0.0.1", host)
        agent.start()
        return agent

    def tearDown(self):
        """Nobody writes to the directory when it is removed."""
        for agent in self.agents:
            agent.kill()
        super().tearDown()

    def behind(self, *args, **more):
        """A config with one child behind the agent."""
        self.write({"worker": {"command": [ACTOR, *args], "via": "guest1", **QUICK, **more}},
                   agents={"guest1": self.agent.entry()})

    def begin(self, *args, **more):
        self.behind(*args, **more)
        run = self.run_it()
        run.event("worker", "ready")
        return run, self.watch(self.status()["worker"]["pid"])

    def faults(self, children, **top):
        self.write(children, **top)
        result = outboard("check", self.config)
        self.assertEqual(result.returncode, USAGE, result.stdout)
        return result.stderr
