# SPDX-License-Identifier: MIT
"""Placeholders in the config: what they stand for in a child that runs, the file of the token, and their faults."""
import json
import os
import signal
import stat
import unittest

from command import ACTOR, OK, USAGE, Case, actor, outboard

SHOW = 'printf "%s|" "$0" "$@" "$A" "$B"; echo; exec sleep 1000'
PLAIN = {"ready": {"mode": "none"}}


class Placeholders(Case):
    def said(self, run, name):
        """What the child of this name printed with SHOW."""
        return run.record(lambda r: r.get("outboard") == name and r.get("msg", "").endswith("|"))["msg"]

    def test_command_and_env(self):
        self.write({"x.1": {"command": ["/bin/sh", "-c", SHOW, "${name}", "${data_path}", "${config}", "$${name} $$ $1 $x"],
                            "env": {"A": "${name}:${OB_ONE}", "B": "$${name} $$"}, **PLAIN}})
        run = self.run_it(env={**os.environ, "OB_ONE": "1 ${name} $$", "name": "no"})
        place = f"{self.root}/x.1"
        self.assertEqual(self.said(run, "x.1"), f"x.1|{place}|{place}/outboard.json|${{name}} $ $1 $x|x.1:1 ${{name}} $$|${{name}} $|")
        self.assertEqual(run.end(), OK)

    def test_addresses(self):
        os.mkdir(f"{self.dir}/s p")
        self.write({"x": actor(data_path=f"{self.dir}/s p/x", listen="unix://${data_path}/${name}.sock"),
                    "y": actor(listen=f"unix://{self.dir}/s%20p/own.sock", connect=f"unix://{self.dir}/s%20p/own.sock",
                               client_listen="unix://${data_path}/c.sock", client_auth="token")})
        self.expect(outboard("check", self.config), OK, None, "")
        run = self.run_it()
        run.events(x="ready", y="ready")
        rows = self.status()
        self.assertEqual(rows["x"]["address"], f"unix://{self.dir}/s%20p/x/x.sock")
        self.assertEqual(rows["y"]["client_address"], f"unix://{self.root}/y/c.sock")
        self.assertEqual([row["stale"] for row in rows.values()], [False, False])
        self.expect(outboard("call", f"{self.dir}/s p/x", "act.echo", "[7]"), OK, "7\n", "")
        self.assertEqual(run.end(), OK)

    def test_the_token_file_has_the_token_of_this_start(self):
        self.write({"x": actor(env={"TOKEN": "${token_file}"}, listen="unix://${data_path}/x.sock", auth="token"), "y": actor()})
        run = self.run_it()
        run.events(x="ready", y="ready")
        path = f"{self.root}/x/token"
        self.assertFalse(os.path.exists(f"{self.root}/y/token"))
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        call = ("call", "--address", f"unix://{self.root}/x/x.sock", "--auth", "token", "--token-file", path, "act.echo", "[8]")
        with open(path, encoding="ascii") as file:
            first = file.read()
        with open(f"{self.root}/x/outboard.json", encoding="utf-8") as file:
            self.assertEqual(json.load(file)["token"], first)
        self.expect(outboard(*call), OK, "8\n", "")
        self.expect(outboard("restart", "--config", self.config, "x"), OK, None, "")
        with open(path, encoding="ascii") as file:
            self.assertNotEqual(file.read(), first)
        self.expect(outboard(*call), OK, "8\n", "")
        self.assertEqual(run.end(), OK)
        self.assertFalse(os.path.exists(path))

    @unittest.skipUnless(os.geteuid() == 0, "only root can run a child as another user")
    def test_the_token_file_is_the_childs(self):
        os.chmod(self.dir, 0o711)
        self.write({"x": {"command": ["/bin/sh", "-c", 'cat "$0" && echo "|" && exec sleep 1000', "${token_file}"],
                          "user": "daemon", "auth": "token", **PLAIN}})
        run = self.run_it()
        run.event("x", "ready")
        run.record(lambda r: r.get("outboard") == "x" and r.get("msg", "").endswith("|"))
        status = os.stat(f"{self.root}/x/token")
        self.assertEqual((status.st_uid, stat.S_IMODE(status.st_mode)), (os.stat(f"{self.root}/x").st_uid, 0o600))
        self.assertEqual(run.end(), OK)

    def test_the_cleanup_command(self):
        self.write({"x": {"command": ["sleep", "1000"], "stop": {"cleanup": ["/bin/sh", "-c", "echo gone ${name} in ${data_path}"]},
                          **PLAIN}})
        run = self.run_it()
        run.event("x", "ready")
        self.assertEqual(run.end(), OK)
        self.assertTrue(any(r.get("msg") == f"gone x in {self.root}/x" for r in run.records))

    def test_faults_have_a_place(self):
        child = {"command": [ACTOR, "${nope}"], "listen": "unix://${data_path/x", "connect": "tcp:// x${name}:1",
                 "cwd": "/srv/${name}", "stop": {"cleanup": ["${name}/x"]}}
        self.write({"x": child})
        result = outboard("check", self.config)
        self.expect(result, USAGE, "")
        got = [line.split(": ", 1)[1] for line in result.stderr.splitlines()]
        self.assertEqual(got[0], 'children.x.command.1: "${nope}" is not a placeholder: write "$${nope}" for the text')
        self.assertEqual(got[1], 'children.x.listen: has "${" without "}": write "$${" if it is no placeholder')
        self.assertIn("children.x.connect: address", got[2])
        self.assertEqual(got[3], "children.x.cwd: has a placeholder, and none is replaced here")
        self.assertIn("children.x.stop.cleanup: must begin with an absolute path", got[4])
        for line in result.stderr.splitlines():
            self.assertRegex(line, r"^\S+:1:\d+: ")

    def test_two_children_that_become_alike(self):
        self.write({"x": actor(listen=f"unix://{self.dir}/${{name}}.sock"), "y": actor(listen=f"unix://{self.dir}/x.sock")})
        self.expect(outboard("check", self.config), USAGE, "",
                    f'{self.config}:1:{self.column("y", "listen")}: children.y.listen: is already used by "x"\n')

    def column(self, child, key):
        with open(self.config, encoding="utf-8") as file:
            text = file.read()
        return text.index(f'"{key}"', text.index(f'"{child}"')) + 1

    def test_another_way_to_write_the_same_is_no_change(self):
        listen = f"unix://{self.root}/x/x.sock"
        self.write({"x": actor("version=1", listen=listen)})
        run = self.run_it()
        run.event("x", "ready")
        self.assertEqual(run.end(signal.SIGUSR1), OK)
        self.write({"x": actor("version=1", listen="unix://${data_path}/${name}.sock")})
        run = self.run_it()
        run.event("x", "adopted")
        self.assertEqual(self.status()["x"]["stale"], False)
        self.assertEqual(run.end(), OK)


if __name__ == "__main__":
    unittest.main(verbosity=2)
