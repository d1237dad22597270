# SPDX-License-Identifier: MIT
"""The sessions of README.md and docs/OPERATING.md, run as they stand: by root, and by an ordinary user."""
import glob
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import unittest

from command import BUILD, OK, OUTBOARD, PATIENCE, Case, Run

SOURCE = os.environ["OB_TEST_SOURCE"]
KV_CHILD = os.path.join(BUILD, "bin", "kv-child")
# What differs from run to run in the output of the docs: times and ids.
VARIES = [(r"\b\d+(ms|s|m|h|d)\b", r"[0-9.a-z]+"), (r"\b\d{4,}\b", r"\\d+")]


def blocks(page, language):
    """The blocks of this language of a page, without their fences."""
    found, fence = [], None
    with open(os.path.join(SOURCE, page), encoding="utf-8") as file:
        for line in file:
            if fence is None and line.startswith("```"):
                fence, block = line.strip()[3:], ""
            elif line.startswith("```"):
                found += [block] if fence == language else []
                fence = None
            elif fence is not None:
                block += line
    return found


def session(page, begin):
    """The commands of the block of a page that has this command, each with its lines of output."""
    block, = (block for block in blocks(page, "") if f"$ {begin}\n" in block)
    steps = []
    for line in block.splitlines():
        if line.startswith("$ "):
            steps.append((line[2:].split("  #")[0].strip(), []))
        else:
            steps[-1][1].append(line.rstrip())
    return steps


def config_of(page, key):
    """The first config of a page that has this key."""
    return next(json.loads(block) for block in blocks(page, "json") if f'"{key}"' in block and block.startswith("{"))


def plain(line):
    """Without the blanks that make a table."""
    return " ".join(line.split())


def pattern(line):
    text = re.escape(plain(line))
    for what, instead in VARIES:
        text = re.sub(what, instead, text)
    return re.compile(text)


class Examples(Case):
    user = None  # whom the commands run as; None: as this test

    def setUp(self):
        super().setUp()
        os.chmod(self.dir, 0o755)
        self.bin = os.path.join(self.dir, "bin")
        os.mkdir(self.bin, 0o755)
        for file in [OUTBOARD, *glob.glob(os.path.join(BUILD, "liboutboard.so.*")),
                     *glob.glob(os.path.join(BUILD, "plugins", "*.so"))]:
            os.chmod(shutil.copy(file, self.bin), 0o755)
        for name in ("kv-child", "worker"):
            os.chmod(shutil.copy(KV_CHILD, os.path.join(self.bin, name)), 0o755)
        self.home = os.path.join(self.dir, "home")
        os.mkdir(self.home, 0o755)
        if self.user is not None:
            shutil.chown(self.home, self.user, self.user)
        self.root = os.path.join(self.home, "example")
        self.config = os.path.join(self.home, "example.json")
        self.more = {"cwd": self.home, "env": {**os.environ, "LD_LIBRARY_PATH": self.bin, "OUTBOARD_PLUGIN_PATH": self.bin,
                                               "PATH": f"{self.bin}:{os.environ['PATH']}"}}
        if self.user is not None:
            self.more |= {"user": self.user, "group": self.user, "extra_groups": []}

    def write_example(self, config):
        """The config, with the places of this test."""
        config["data_root"] = self.root
        for child in config["children"].values():
            child["command"][0] = child["command"][0].replace("/usr/local/bin", self.bin)
            if os.geteuid() != 0 or self.user is not None:
                child.pop("user", None)
        with open(self.config, "w", encoding="utf-8") as file:
            json.dump(config, file)

    def start(self):
        run = Run("example.json", program=os.path.join(self.bin, "outboard"), **self.more)
        self.runs.append(run)
        return run

    def carry_out(self, command, output):
        words = shlex.split(command.replace("/var/lib/example", self.root))
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE,
                              **self.more)
        self.assertEqual((done.returncode, done.stderr), (OK, ""), command)
        lines = done.stdout.replace(self.root, "/var/lib/example").splitlines()
        self.assertEqual(len(lines), len(output), done.stdout)
        for line, wanted in zip(lines, output):
            self.assertIsNotNone(pattern(wanted).fullmatch(plain(line)), (line, wanted))

    def test_the_session_of_the_readme(self):
        config = config_of("README.md", "worker")
        self.write_example(config)
        run = None
        for command, output in session("README.md", "outboard check example.json"):
            if command == "outboard run example.json &":
                run = self.start()
                pids = {name: r["pid"] for name, r in run.events(**{n: "ready" for n in config["children"]}).items()}
            elif command == "kill -USR1 %1":
                self.assertEqual(run.end(signal.SIGUSR1), OK)
            else:
                self.carry_out(command, output)
        again = self.start()
        adopted = again.events(**{name: "adopted" for name in pids})
        self.assertEqual(adopted["store"]["pid"], pids["store"])
        self.assertEqual(again.end(), OK)

    def test_a_reload_as_in_the_manual(self):
        child = {"command": ["kv-child"]}
        children = {"store": child, "worker": child, "a": child, "b": child, "c": child}
        self.write_example({"children": json.loads(json.dumps(children))})
        run = self.start()
        run.events(**{name: "ready" for name in children})
        children = {"store": {**child, "env": {"LANG": "C"}}, "cache": child, "a": child, "b": child, "c": child}
        self.write_example({"children": json.loads(json.dumps(children))})
        for command, output in session("docs/OPERATING.md", "outboard reload --config example.json"):
            self.carry_out(command, output)
        self.assertEqual(run.end(), OK)


@unittest.skipUnless(os.geteuid() == 0, "only root can become another user")
class AsOrdinaryUser(Examples):
    user = "daemon"


if __name__ == "__main__":
    unittest.main(verbosity=2)
