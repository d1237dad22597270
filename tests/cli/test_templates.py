# SPDX-License-Identifier: MIT
"""Templates in the config: children that share settings, faults with their place, and a reload."""
import json
import unittest

from command import ACTOR, OK, USAGE, Case, actor, outboard

FAULTY = """{
  "data_root": "/x",
  "children": {
    "a": {"use": ["base", "nope"]},
    "b": {"use": "base", "env": {"B": 1}}
  },
  "templates": {
    "base": {
      "command": ["x", "${nope}"],
      "use": "loop"
    },
    "loop": {"stop": {"signal": "SIGFOO"},
             "use": "base"}
  }
}
"""
PLACES = [
    "4:27: children.a.use.1: no template \"nope\" exists",
    "5:34: children.b.env.B: must be a string without NUL characters",
    '9:24: templates.base.command.1: "${nope}" is not a placeholder: write "$${nope}" for the text',
    "12:23: templates.loop.stop.signal: must be a signal, such as \"SIGTERM\"",
    "13:14: templates.loop.use: template \"base\" uses itself, directly or by others",
]


class Templates(Case):
    def test_children_share_settings(self):
        base = {"command": [ACTOR, "say=${name} ${port}"], "listen": "tcp://127.0.0.1:${port}", "env": {"A": "${name}"}}
        self.write({"a": {"use": "base"}, "b": {"use": "base", "listen": "unix://${data_path}/${name}.sock"}},
                   templates={"base": base}, ports="61000-61099")
        self.expect(outboard("check", self.config), OK, None, "")
        run = self.run_it()
        run.events(a="ready", b="ready")
        rows = self.status()
        port = rows["a"]["address"].rsplit(":", 1)[1]
        self.assertEqual(rows["b"]["address"], f"unix://{self.root}/b/b.sock")
        self.assertTrue(any(r.get("msg") == f"a {port}" for r in run.records))
        for name in "a", "b":
            self.expect(outboard("call", "--config", self.config, name, "act.echo", "[1]"), OK, "1\n", "")
        self.assertEqual(run.end(), OK)

    def test_faults_have_the_place_of_the_template(self):
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(FAULTY)
        for command in "check", "run":
            result = outboard(command, self.config)
            self.expect(result, USAGE, "")
            self.assertEqual(sorted(result.stderr.splitlines()), sorted(f"{self.config}:{fault}" for fault in PLACES))

    def test_what_only_the_machine_knows_is_told_of_each_child(self):
        self.write({"a": {"use": "t"}, "b": {"use": "t", "user": "no-such-user-here"}}, templates={"t": {"command": ["/no/such"]}})
        result = outboard("check", self.config)
        self.expect(result, USAGE, "")
        self.assertIn(f"{self.place_of('a')}: children.a.command: /no/such: No such file or directory", result.stderr)
        self.assertIn(f"{self.place_of('b')}: children.b.command: /no/such: No such file or directory", result.stderr)
        self.assertIn(f"{self.place_of('user')}: children.b.user: ", result.stderr)

    def test_a_template_that_changes_changes_its_children(self):
        def write(version, **more):
            self.write({"a": {"use": "t"}, "b": {"use": "t", "env": {"A": "b"}}, "c": actor(), **more},
                       templates={"t": {"command": [ACTOR], "env": {"A": str(version)}}})
        write(1)
        run = self.run_it()
        run.events(a="ready", b="ready", c="ready")
        write(2)
        done = json.loads(outboard("reload", "--json", "--config", self.config).stdout)
        self.assertEqual(({row["name"]: row["change"] for row in done["children"]}, done["unchanged"]), ({"a": "stale"}, 2))
        # Written in full, it is the same again.
        write(1, a=actor(env={"A": "1"}))
        done = json.loads(outboard("reload", "--json", "--config", self.config).stdout)
        self.assertEqual((done["children"], done["unchanged"]), ([], 3))
        self.assertEqual(run.end(), OK)


if __name__ == "__main__":
    unittest.main(verbosity=2)
