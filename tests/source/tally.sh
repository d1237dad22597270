#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# scripts/tally.py counts every test that failed, crashed, leaked or could not be run.
set -uo pipefail

here=$(dirname "$0")
actual=$("$here/../../scripts/tally.py" --total "$here/tally.xml")
status=$?
expected="skipped: no moon (tally unit-mixed: without)
skipped: no stars (tally python: test_not_here)
skipped: no sun (tally plain-skipped)
FAILED: tally unit-mixed: bad
    [  ERROR   ] --- 0 != 0x1
    [   LINE   ] --- t.c:7: error: Failure!
FAILED: tally unit-crash: crash
    did not end:
FAILED: tally unit-leak
    [==========] Running 1 test(s).
    [ RUN      ] leaky
    [       OK ] leaky
    [==========] 1 test(s) run.
    [  PASSED  ] 1 test(s).
    ==1==ERROR: LeakSanitizer: detected memory leaks
FAILED: tally python: test_worse
    Traceback (most recent call last):
      File \"t.py\", line 9, in test_worse
    KeyError: 'x'
FAILED: tally python: test_bad
    Traceback (most recent call last):
      File \"t.py\", line 5, in test_bad
    AssertionError: 3 != 2
FAILED: tally no-program
    could not be run
FAILED: tally late
7 passed, 7 failed, 3 skipped"
diff -u <(echo "$expected") <(echo "$actual") && [ "$status" = 1 ]
