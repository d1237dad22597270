# SPDX-License-Identifier: MIT
"""outboard check finds no fault in the configs of the docs, except that programs, users, directories and cgroups are not on this machine."""
import glob
import json
import os
import re
import unittest

from command import OK, USAGE, Case, outboard

SOURCE = os.environ["OB_TEST_SOURCE"]
ELSEWHERE = re.compile(r"\.(command|cleanup|user|group|cgroup|cwd|stdin|token_file|accept)$")


def pages():
    yield os.path.join(SOURCE, "README.md")
    for page in sorted(glob.glob(os.path.join(SOURCE, "docs", "*.md"))):
        if os.path.basename(page) != "PLUGINS.md":  # whose plugins are yet to be written
            yield page


def configs(page):
    """Each block that is a config, or a child or some of one: (line, whole config)."""
    with open(page, encoding="utf-8") as file:
        text = file.read()
    for block in re.finditer(r"^```json\n(.*?)^```$", text, re.M | re.S):
        if '"command"' in block[1]:
            whole = block[1] if block[1].startswith("{") else '{"data_root": "/x", "children": {%s}}' % block[1]
            config = json.loads(whole)
            config.pop("plugin_path", None)  # the plugins are those of the build
            yield text.count("\n", 0, block.start()) + 1, config


class Docs(Case):
    def test_configs_in_the_docs_have_no_faults(self):
        seen = 0
        for page in pages():
            for line, config in configs(page):
                with self.subTest(page=os.path.relpath(page, SOURCE), line=line):
                    with open(self.config, "w", encoding="utf-8") as file:
                        json.dump(config, file)
                    done = outboard("check", "--json", self.config)
                    self.assertIn(done.returncode, (OK, USAGE), done.stderr)
                    faults = [f for f in json.loads(done.stdout) if not ELSEWHERE.search(f["key"])]
                    self.assertEqual(faults, [])
                    seen += 1
        self.assertGreater(seen, 5)


if __name__ == "__main__":
    unittest.main(verbosity=2)
