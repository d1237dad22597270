# SPDX-License-Identifier: MIT
"""An agent on another machine, which a network namespace plays: the whole life of a child there, and a link that is cut and restored."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import unittest

from agents import QUICK, Agent
from command import ACTOR, OK, PATIENCE, UNREACHABLE, USAGE, is_alive, outboard
from written_lines import Writing

SCRIPT = os.path.join(os.environ["OB_TEST_SOURCE"], "tests/support/certificates.sh")
BEAT = {"interval": "500ms"}
PORT = 7000


class Cable:
    """A namespace, and a cable to it: its near end is here, and has the first address."""

    def __init__(self):
        number = os.getpid()
        self.name, self.near, self.far = f"ob-far-{number}", f"obn{number}", f"obf{number}"
        block = number % 16000 * 4
        near, self.address = [f"198.18.{block // 256}.{block % 256 + i}" for i in (1, 2)]
        try:
            self.ip("netns", "add", self.name)
            self.ip("link", "add", self.near, "type", "veth", "peer", "name", self.far, "netns", self.name)
            self.ip("address", "add", f"{near}/30", "dev", self.near)
            self.ip("-n", self.name, "address", "add", f"{self.address}/30", "dev", self.far)
            self.plug(True, at_far=True)
            self.plug(True)
        except Exception:
            self.remove()
            raise

    @staticmethod
    def ip(*args):
        subprocess.run(["ip", *args], check=True, stderr=subprocess.PIPE, text=True)

    def plug(self, up, at_far=False):
        """A far end that is down leaves the routes here as they are: what is sent is lost."""
        where = ["-n", self.name, "link", "set", self.far] if at_far else ["link", "set", self.near]
        self.ip(*where, "up" if up else "down")

    def remove(self):
        """The cable goes with its near end. The namespace may live until its last process is gone."""
        subprocess.run(["ip", "link", "del", self.near], stderr=subprocess.DEVNULL, check=False)
        subprocess.run(["ip", "netns", "del", self.name], stderr=subprocess.DEVNULL, check=False)


def why_not():
    if os.geteuid() != 0:
        return "only root can make a network namespace"
    if shutil.which("ip") is None:
        return "ip(8) is not installed"
    try:
        Cable().remove()
    except subprocess.CalledProcessError as error:
        return f"no network namespace with a cable can be made: {error.stderr.strip()}"
    return None


WHY_NOT = why_not()


@unittest.skipIf(WHY_NOT, WHY_NOT)
class Machine(Writing):
    def begin_agent(self, directory, host):
        self.cable = Cable()
        self.addCleanup(self.cable.remove)
        agent = Agent(directory)
        agent.address = f"tcp://{self.cable.address}:{PORT}"
        agent.before = ["ip", "netns", "exec", self.cable.name]
        agent.more = ["--allow", "/bin/*", "--allow", "/usr/bin/*"]
        return agent

    def call(self, method, *params):
        return outboard("call", "--config", self.config, "worker", f"act.{method}", json.dumps(params))

    def begin_life(self, **entry):
        self.agent.start()
        self.write({"worker": {"command": [ACTOR, "say=hello from far away"], "via": "guest1", "health": BEAT, **QUICK},
                    "writer": self.writer()}, agents={"guest1": self.agent.entry(**entry)})
        run = self.run_it()
        run.events(worker="ready", writer="ready")
        return run

    def pids(self):
        return {name: row["pid"] for name, row in self.status().items() if name != "guest1"}

    def lives_and_dies(self, run):
        self.expect(self.call("echo", 1), OK, "1\n")
        self.assertTrue([r for r in run.records if r["msg"] == "hello from far away"])
        child = self.watch(self.pids()["worker"])
        os.kill(child.pid, signal.SIGKILL)
        self.assertEqual(run.event("worker", "exited")["signal"], 9)
        run.event("worker", "ready")
        child = self.watch(self.pids()["worker"])
        self.expect(outboard("restart", "--config", self.config, "worker"), OK)
        child.wait()

    def is_cut(self, run, at_far, lines):
        """So many lines have come; it writes some before the cut, in it, and after."""
        before = self.pids()
        seen = len(run.records)
        self.write_lines(10)
        self.await_line(run, lines + 10)
        self.cable.plug(False, at_far)
        self.write_lines(10)
        run.event("worker", "link_down")
        row = self.status()["worker"]
        self.assertEqual(row["state"], "ready")
        self.assertIn(row["link"], ("down", "dialing", "unresponsive"))
        self.write_lines(10)
        self.await_written(lines + 30)
        self.cable.plug(True, at_far)
        run.all_of(lambda r: r.get("outboard") == "worker" and r.get("event") == "link_up",
                   lambda r: r.get("outboard") == "writer" and r["msg"] == "line %06d" % (lines + 30))
        self.assertEqual([r for r in run.records[seen:] if r.get("event") in ("exited", "restarting", "detached", "failed")], [])
        self.assertEqual(self.pids(), before)
        return lines + 30

    def is_handed_over(self, run):
        before = self.pids()
        self.assertEqual(run.end(signal.SIGUSR1), OK)
        run = self.run_it()
        run.events(worker="adopted", writer="adopted")
        run.process.kill()
        run.process.wait(PATIENCE)
        self.assertTrue(all(map(is_alive, before.values())))
        run = self.run_it()
        run.events(worker="adopted", writer="adopted")
        self.assertEqual(self.pids(), before)
        self.expect(self.call("echo", 2), OK, "2\n")
        children = [self.watch(pid) for pid in before.values()]
        self.expect(outboard("stop", "--config", self.config, "worker", "writer"), OK)
        for child in children:
            child.wait()
        self.assertEqual(run.end(), OK)

    def life(self, cuts, **entry):
        run = self.begin_life(**entry)
        self.lives_and_dies(run)
        run.event("worker", "ready")
        lines = 0
        for at_far in cuts:
            lines = self.is_cut(run, at_far, lines)
        self.assertEqual([r["msg"] for r in self.lines_of(run)], ["line %06d" % i for i in range(1, lines + 1)])
        self.is_handed_over(run)

    def test_noise(self):
        self.life((False, True))

    def test_tls(self):
        with tempfile.TemporaryDirectory(prefix="ob-certificates-") as made:
            subprocess.run(["bash", SCRIPT, made], check=True)

            def shown(name, **more):
                return {"certificate": f"{made}/{name}.pem", "key": f"{made}/{name}.key", "ca": f"{made}/ca.pem", **more}
            settings = {"client": shown("client", names=["localhost"]), "server": shown("server")}
            files = {name: os.path.join(made, f"{name}.json") for name in settings}
            for name, path in files.items():
                with open(path, "w") as file:
                    json.dump({"transport": settings[name]}, file)
            self.agent.address = self.agent.address.replace("tcp:", "tls+tcp:")
            self.agent.auth = "token"
            self.agent.more += ["--settings", files["server"]]
            self.pings(files["client"])
            self.life((False,), auth="token", transport={"use": "tls", "settings": settings["client"]})

    def pings(self, client):
        self.agent.start()
        ping = ["agent", "ping", self.agent.address, "--auth", "token", "--token-file", self.agent.token_file]
        wanted = outboard(*ping, "--settings", client)
        while wanted.returncode == UNREACHABLE and self.agent.process.poll() is None:
            wanted = outboard(*ping, "--settings", client)
        self.expect(wanted, OK)
        self.expect(outboard(*ping), USAGE)
        self.agent.kill()


if __name__ == "__main__":
    unittest.main()
