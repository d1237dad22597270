#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Count the results that ctest and the test programs have reported.

    tally.py --brief FILE.xml                     "N passed, N failed, N skipped"
    tally.py --total FILE.xml...                  the failures with their output, the skipped tests with their reasons, the sum
    tally.py --one FILE.xml NAME RESULT REASON    write a report of one test that ctest did not run

A program of cmocka or of Python's unittest counts as its cases; any other test of ctest counts as one. A program that fails
without a failed case (a leak found at its end, a crash between cases) is one more failure. Exit status 1 if anything failed.
"""
import re
import sys
import xml.etree.ElementTree as ElementTree

CASE = re.compile(r"\[ (RUN     |      OK|  ERROR  | FAILED | SKIPPED|  FAILED|  SKIPPED|  PASSED)\s*\] (\S+)")
REASON = re.compile(r"^(?:SKIP|skipped): (.*)", re.MULTILINE)
UNITTEST_SUM = re.compile(r"^Ran (\d+) tests? in ", re.MULTILINE)
UNITTEST_FAILED = re.compile(r"^(?:FAIL|ERROR): (\S+).*\n-+\n((?:.*\n)*?)(?=\n(?:=|-){70}|\Z)", re.MULTILINE)
UNITTEST_SKIPPED = re.compile(r"^(\S+) \(.*skipped ['\"](.*)['\"]$", re.MULTILINE)
TAIL_LINES = 40


class Result:
    def __init__(self, name, outcome, text=""):
        self.name = name
        self.outcome = outcome
        self.text = text


def reason_of(text):
    found = REASON.findall(text)
    return found[-1].strip() if found else "no reason given"


def cases_of(program, output):
    """The cases of a cmocka program: each begins with RUN; the next line with its name is its result."""
    results, name, start = [], None, 0
    for match in CASE.finditer(output):
        word, case = match.group(1).strip(), match.group(2)
        if word == "RUN":
            if name is not None:
                results.append(Result(name, "failed", "did not end"))
            name, start = program + ": " + case, match.end()
        elif name is not None and name == program + ": " + case:
            text = output[start:match.start()]
            if word == "OK":
                results.append(Result(name, "passed"))
            elif word == "SKIPPED":
                results.append(Result(name, "skipped", reason_of(text)))
            else:
                results.append(Result(name, "failed", text))
            name = None
    if name is not None:
        results.append(Result(name, "failed", "did not end:\n" + output[start:]))
    return results


def unittests_of(program, output):
    """The cases of a program of unittest. It names those that failed or were skipped; of the others it prints a sum."""
    results = [Result(program + ": " + m.group(1), "failed", m.group(2)) for m in UNITTEST_FAILED.finditer(output)]
    results += [Result(program + ": " + m.group(1), "skipped", m.group(2)) for m in UNITTEST_SKIPPED.finditer(output)]
    ran = UNITTEST_SUM.search(output)
    rest = int(ran.group(1)) - len({r.name for r in results}) if ran else 0
    return results + [Result(program, "passed")] * rest


def results_of(test):
    name = test.get("name")
    output = test.findtext("system-out") or ""
    status = test.get("status")
    if status == "disabled":
        return []
    if status == "notrun":
        skipped = test.find("skipped")
        asked = skipped is not None and "SKIP" in (skipped.get("message") or "")
        return [Result(name, "skipped", reason_of(output)) if asked else Result(name, "failed", "could not be run")]
    results = cases_of(name, output) or unittests_of(name, output)
    passed = status == "run"
    if not results:
        return [Result(name, "passed" if passed else "failed", output)]
    if not passed and all(r.outcome != "failed" for r in results):
        results.append(Result(name, "failed", output))
    return results


def read(path):
    build = path.rsplit("/", 1)[-1].removesuffix(".xml")
    results = []
    for test in ElementTree.parse(path).getroot().iter("testcase"):
        results += results_of(test)
    for result in results:
        result.name = build + " " + result.name
    return results


def sum_of(results):
    count = {"passed": 0, "failed": 0, "skipped": 0}
    for result in results:
        count[result.outcome] += 1
    return "{passed} passed, {failed} failed, {skipped} skipped".format(**count)


def show_skipped(results):
    reasons = {}
    for result in results:
        if result.outcome == "skipped":
            reasons.setdefault(result.text, []).append(result.name)
    for reason, names in sorted(reasons.items()):
        print("skipped: %s (%s)" % (reason, ", ".join(names)))


def show_failed(results):
    for result in results:
        if result.outcome == "failed":
            print("FAILED: " + result.name)
            for line in result.text.strip().splitlines()[-TAIL_LINES:]:
                print("    " + line)


def write_one(path, name, outcome, reason):
    root = ElementTree.Element("testsuite")
    status = {"passed": "run", "failed": "fail", "skipped": "notrun"}[outcome]
    test = ElementTree.SubElement(root, "testcase", name=name, status=status)
    if outcome == "skipped":
        ElementTree.SubElement(test, "skipped", message="SKIP")
        reason = "SKIP: " + reason
    ElementTree.SubElement(test, "system-out").text = reason
    ElementTree.ElementTree(root).write(path)


def main(how, *args):
    if how == "--one":
        write_one(*args)
        return 0
    results = [result for path in args for result in read(path)]
    if how == "--total":
        show_skipped(results)
        show_failed(results)
    print(sum_of(results))
    return 1 if any(r.outcome == "failed" for r in results) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
