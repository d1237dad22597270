# SPDX-License-Identifier: MIT
"""The completion scripts, asked in their shells. What they offer is what the help of each command says."""
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from command import OK, OUTBOARD, PATIENCE, USAGE, Case, outboard


def needs(shell):
    return unittest.skipIf(shutil.which(shell) is None, f"{shell} is not installed")


def commands_of(text):
    return re.findall(r"(?m)^  ([a-z]+) +[a-z]", text.split("Options:")[0].split("Exit status:")[0])


def every_command():
    """The words of each command, from the helps: ["key", "new"] and so on, and the words that only lead to others."""
    reading, groups = [["agent", "list"], ["agent", "ping"]], []
    for name in commands_of(outboard("--help").stdout):
        text = outboard(name, "--help").stdout
        if "COMMAND [ARGUMENTS]" in text.splitlines()[0]:
            groups.append([name])
            reading += [[name, sub] for sub in commands_of(text)]
        else:
            reading.append([name])
    return reading, groups


def options_of(words):
    return sorted(set(re.findall(r"(?m)^  (--[a-z-]+)", outboard(*words, "--help").stdout)))


class Completion(Case):
    def setUp(self):
        super().setUp()
        self.reading, self.groups = every_command()
        self.assertGreater(len(self.reading), 15)
        self.assertIn(["key", "new"], self.reading)
        self.assertIn(["plugin"], self.groups)

    def script(self, shell):
        result = outboard("completion", shell)
        self.assertEqual((result.returncode, result.stderr), (OK, ""))
        path = os.path.join(self.dir, f"outboard.{shell}")
        with open(path, "w") as file:
            file.write(result.stdout)
        return path

    def cases(self):
        """What is typed behind "outboard", the last word being completed, and what must be offered."""
        cases = [([*words, "--"], options_of(words)) for words in self.reading]
        cases += [([*words, ""], commands_of(outboard(*words, "--help").stdout)) for words in self.groups]
        return cases + [([""], commands_of(outboard("--help").stdout)), (["agent", ""], ["list", "ping"]),
                        (["run", "--log-format", ""], ["json", "text"]),
                        (["plugin", "new", ""], ["auth", "codec", "transport"]), (["completion", ""], ["bash", "fish", "zsh"])]

    def check(self, output):
        """The output has a line for each thing offered, and a line with --- behind each case."""
        for (words, expected), offered in zip(self.cases(), output.split("---\n"), strict=False):
            self.assertEqual(sorted(line.split("\t")[0] for line in offered.splitlines()), sorted(expected), words)
        self.assertEqual(output.count("---\n"), len(self.cases()))

    @needs("bash")
    def test_bash(self):
        lines = [" ".join(["outboard", *(word or "''" for word in words)]) for words, _ in self.cases()]
        program = ('. "$0"; for line; do eval "COMP_WORDS=($line)"; COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _outboard; '
                   'printf "%s\\n" "${COMPREPLY[@]}" ---; done')
        result = subprocess.run(["bash", "-euc", program, self.script("bash"), *lines], capture_output=True, text=True)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.check(result.stdout)

    @needs("fish")
    def test_fish(self):
        lines = [" ".join(["outboard", *words]) for words, _ in self.cases()]
        program = f"source {self.script('fish')!r}; for line in $argv; complete -C $line; echo ---; end"
        with tempfile.TemporaryDirectory() as home:
            result = subprocess.run(["fish", "--no-config", "-c", program, "--", *lines], capture_output=True, text=True,
                                    cwd=home, env={**os.environ, "HOME": home, "XDG_DATA_HOME": home, "XDG_CONFIG_HOME": home})
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.check(result.stdout)

    @needs("zsh")
    def test_zsh(self):
        """In a terminal, with two tabulators: zsh lists what fits, and a help to it."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.dir)
            os.environ.update(HOME=self.dir, ZDOTDIR=self.dir, TERM="dumb")
            os.execvp("zsh", ["zsh", "-f", "-i"])
        try:
            os.write(terminal, b"stty rows 200 cols 200; LISTMAX=1000; autoload -U compinit; compinit -D -u\n")
            os.write(terminal, f"source {self.script('zsh')!r}; print rea''dy\n".encode())
            self.read_until(terminal, ["ready"])
            for number, (words, expected) in enumerate(self.cases()):
                os.write(terminal, (" ".join(["outboard", *words]) + "\t\t").encode())
                self.read_until(terminal, expected)
                os.write(terminal, f"\x15print rea''dy{number}.\n".encode())
                self.read_until(terminal, [f"ready{number}."])
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(terminal)

    def read_until(self, terminal, expected):
        text, end = "", time.monotonic() + PATIENCE
        while not all(word in text for word in expected):
            ready, _, _ = select.select([terminal], [], [], max(0, end - time.monotonic()))
            self.assertTrue(ready, f"zsh shows no {expected}, but: {text}")
            text += os.read(terminal, 65536).decode(errors="replace")

    def test_another_shell_is_refused(self):
        result = outboard("completion", "csh")
        self.expect(result, USAGE, "", 'outboard: completion: unknown shell "csh"; bash, zsh and fish are known\n')
        self.assertEqual(outboard("completion").returncode, USAGE)


if __name__ == "__main__":
    unittest.main(verbosity=2)
