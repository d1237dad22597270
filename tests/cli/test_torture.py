# SPDX-License-Identifier: MIT
"""Row 63 for the command: one allocation or system call fails, and what then fails says so; the next try succeeds."""
import concurrent.futures
import json
import os
import random
import signal
import subprocess
import unittest

from command import BUILD, OK, OUTBOARD, PATIENCE, UNPRINTED, Case, Run, actor, is_alive, outboard, with_shim

# The places of the code are tried, each by the first command that comes there, and not all where there are many;
# OB_TORTURE=all: by every command, and all.
ALL = "OB_TORTURE" in os.environ
SEED = int(os.environ.get("OB_TORTURE_SEED", 20231107))
AT_ONCE = 4
MOST_LIVES = 30
QUICK = {"restart": {"backoff_base": "2ms", "backoff_max": "10ms"}}

LINES = ["ed25519 iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w= a\n", "ed25519 gTl3Dqh9F19Wo1Rmw0x+zMuNipG07jeiXfYPW4/Js5Q= b\n"]


def failing(place, report):
    """An environment in which the first call of the command at this place fails; None: none, and places are reported."""
    return {**os.environ, "LD_PRELOAD": "shim-fail.so", "LD_LIBRARY_PATH": os.path.join(BUILD, "shim"), "OB_FAIL_CALL": "0",
            **({"OB_FAIL_PLACE": place} if place is not None else {"OB_FAIL_REPORT": report})}


@with_shim
class Torture(Case):
    seen = set()  # the places that were tried

    def setUp(self):
        super().setUp()
        self.report = os.path.join(self.dir, "report")

    def pick(self, most):
        """The places that are to fail, from the report of a command."""
        with open(self.report, encoding="ascii") as file:
            lines = [line.split() for line in file if line.startswith("place ")]
        os.unlink(self.report)
        places = [place for _, call, place in sorted(lines, key=lambda line: int(line[1])) if ALL or place not in self.seen]
        self.assertTrue(lines)
        if len(places) > most and not ALL:
            places = random.Random(SEED).sample(places, most)
        self.seen.update(places)
        return places

    def each(self, trial, places):
        """Run trial(place) for each; every one that fails is told."""
        told = []

        def one(place):
            try:
                trial(place)
            except Exception as error:  # the others are tried all the same
                told.append(f"place {place}: {error}")
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(one, places))
        self.assertEqual(told, [])

    def torture(self, *args, good=None, check=None, before=None):
        """Run a command with its calls failing one by one. Where it succeeds, its output must be good, or the same as ever;
        where it fails it must say so. check(place, result) looks at what else it did."""
        def run(place):
            values = before(place) if before is not None else {}
            return subprocess.run([OUTBOARD, *[arg.format(**values) for arg in args]], stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, timeout=PATIENCE, env=failing(place, self.report))

        first = run(None)
        self.expect(first, OK, None, "")

        def trial(place):
            result = run(place)
            said = f"status {result.returncode}, {result.stderr!r}, {result.stdout!r}"
            if result.returncode not in range(UNPRINTED + 1) or (result.returncode != OK and not result.stderr):
                raise AssertionError(said)
            if result.returncode == OK and not result.stderr:
                good(result) if good is not None else self.assertEqual(result.stdout, first.stdout)
            if check is not None:
                check(place, result)
        self.each(trial, self.pick(most=60))


class Files(Torture):
    """Commands that read and write files."""

    def directory(self, place):
        """A directory of its own for each try."""
        path = os.path.join(self.dir, str(place))
        os.mkdir(path)
        os.chmod(path, 0o755)
        return {"dir": path}

    def test_fault_63_check(self):
        self.write({"a": actor(env={"A": "1"}, limits={"nofile": [64, 64]}), "b": actor(listen="tcp://127.0.0.1:0")})
        self.torture("check", self.config)

    def test_fault_63_key_new(self):
        def whole_or_absent(place, result):
            path = os.path.join(self.dir, str(place), "key")
            self.assertEqual(os.path.exists(path), result.returncode == OK, result.stderr)
        self.torture("key", "new", "{dir}/key", before=self.directory, check=whole_or_absent,
                     good=lambda result: self.assertRegex(result.stdout, r"\Aed25519 \S{44} "))

    def test_fault_63_key_authorize(self):
        def prepare(place):
            values = self.directory(place)
            with open(os.path.join(values["dir"], "list"), "w", encoding="ascii") as file:
                os.fchmod(file.fileno(), 0o640)
                file.write(LINES[0])
            return values

        def whole(place, result):
            path = os.path.join(self.dir, str(place))
            self.assertEqual(os.listdir(path), ["list"], result.stderr)
            with open(os.path.join(path, "list"), encoding="ascii") as file:
                text = file.read()
            self.assertIn(text, ["".join(LINES)] if result.returncode == OK else [LINES[0], "".join(LINES)])
            self.assertEqual(os.stat(os.path.join(path, "list")).st_mode & 0o777, 0o640)
        self.torture("key", "authorize", "{dir}/list", LINES[1].strip(), before=prepare, check=whole)

    def test_fault_63_plugins(self):
        self.torture("plugin", "list")
        self.torture("plugin", "inspect", "unix")
        self.torture("plugin", "check", "token")

    def test_fault_63_plugin_new(self):
        names = ["mine/mine.c", "mine/CMakeLists.txt", "mine/README.md"]
        self.torture("plugin", "new", "codec", "mine", "{dir}/mine", before=self.directory,
                     good=lambda result: self.assertEqual(["/".join(line.split("/")[-2:]) for line in result.stdout.splitlines()], names))


class Supervised(Torture):
    """Commands that ask a supervisor, and its children."""

    def setUp(self):
        super().setUp()
        self.write({"a": [], "b": []})
        self.supervisor = self.run_it()
        self.supervisor.events(a="ready", b="ready")

    def tearDown(self):
        self.assertEqual(self.supervisor.end(), OK)
        super().tearDown()

    def rows(self, result):
        """What does not change from one time to the next."""
        return [(row["name"], row["state"], row["pid"]) for row in json.loads(result.stdout)]

    def test_fault_63_status(self):
        for target in self.config, self.root, os.path.join(self.root, "a"):
            good = self.rows(outboard("status", "--json", target))
            self.torture("status", "--json", target, good=lambda result: self.assertEqual(self.rows(result), good))
        self.torture("status", self.config, good=lambda result: self.assertRegex(result.stdout, r"(?m)^a +ready"))

    def test_fault_63_call(self):
        self.torture("call", os.path.join(self.root, "a"), "act.echo", '[{"a":[1,2.5,"x"]}]'.replace("{", "{{").replace("}", "}}"))
        self.torture("call", "--config", self.config, "a", "act.echo", '"hi"')

    def test_fault_63_requests(self):
        self.torture("start", "--config", self.config, "a")
        self.torture("reload", "--data-root", self.root)


class Supervisor(Torture):
    """outboard run: its life with a reload."""

    def config_of(self, place, children):
        """A config for each try, with a data_root of its own."""
        path = os.path.join(self.dir, str(place))
        os.makedirs(path, exist_ok=True)
        os.chmod(path, 0o755)
        config = os.path.join(path, "config.json")
        with open(config, "w", encoding="utf-8") as file:
            json.dump({"data_root": os.path.join(path, "root"), "children": children}, file)
        return config

    def begin(self, place):
        """Its config, and a supervisor whose children are ready; or None: it did not begin, or one cannot be supervised."""
        config = self.config_of(place, {"a": actor(**QUICK), "b": actor(**QUICK), "gone": actor(**QUICK)})
        with open(config + ".err", "w", encoding="utf-8") as errors:
            run = self.run_with(config, env=failing(place, self.report), stderr=errors)
        told = {}

        def take(record):
            if record["msg"] in ("ready", "cannot be supervised"):
                told[record["outboard"]] = record["msg"]
            return len(told) == 3
        try:
            run.record(take)
        except AssertionError:
            status = run.process.wait(PATIENCE)
            with open(config + ".err", encoding="utf-8") as errors:
                said = [line for line in errors if "warning" not in line]
            if status not in range(1, UNPRINTED + 1) or not said:
                raise AssertionError(f"status {status}, {said}, {run.lines.seen}") from None
            return config, None
        if "cannot be supervised" in told.values():
            self.assertEqual(run.end(), OK, run.lines.seen)
            return config, None
        return config, run

    def run_with(self, config, **more):
        run = Run(config, **more)
        self.runs.append(run)
        return run

    def again(self, *args):
        """What fails says so, and succeeds when it is tried again."""
        result = outboard(*args)
        if result.returncode != OK:
            self.assertTrue(result.stderr, args)
            result = outboard(*args)
        self.expect(result, OK)
        return result

    def reload(self, run):
        run.process.send_signal(signal.SIGHUP)
        return run.record(lambda r: r["msg"] in ("reloaded the config", "nothing was reloaded"))["msg"]

    def life(self, place):
        config, run = self.begin(place)
        if run is None:
            self.assertIsNotNone(place)
            return
        self.config_of(place, {"a": actor("version=1", **QUICK), "b": actor(**QUICK), "new": actor(**QUICK)})
        if self.reload(run) == "nothing was reloaded":
            self.assertEqual(self.reload(run), "reloaded the config")
        rows = json.loads(self.again("status", "--json", config).stdout)
        self.assertEqual([row["name"] for row in rows], ["a", "b", "new"])
        self.again("restart", "--config", config, "a")
        self.again("stop", "--config", config)
        self.assertEqual(run.end(), OK, run.lines.seen)

    def inherit(self, place):
        """A supervisor finds a child that was removed from its config, and ends it or says that it cannot."""
        config = self.config_of(place, {"old": actor(**QUICK)})
        first = self.run_with(config, stderr=subprocess.DEVNULL)
        pid = first.event("old", "ready")["pid"]
        first.process.kill()
        first.process.wait()
        self.config_of(place, {"a": actor(**QUICK)})
        run = self.run_with(config, env=failing(place, self.report), stderr=subprocess.DEVNULL)
        try:
            run.record(lambda r: r["msg"] in ("ended", "removed from the config, but cannot be stopped"))
        except AssertionError:
            self.assertIn(run.process.wait(PATIENCE), range(1, UNPRINTED + 1))
        else:
            self.assertEqual(run.end(), OK, run.lines.seen)
        if is_alive(pid):
            run = self.run_with(config, stderr=subprocess.DEVNULL)
            run.record(lambda r: r["msg"] == "ended")
            self.assertEqual(run.end(), OK, run.lines.seen)

    def test_fault_63_run(self):
        self.life(None)
        self.each(self.life, self.pick(most=MOST_LIVES))
        self.inherit(None)
        self.each(self.inherit, self.pick(most=MOST_LIVES))


if __name__ == "__main__":
    unittest.main()
