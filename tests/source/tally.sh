#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What counts the tests counts right: nothing that failed, crashed, leaked or could not be run is overlooked.
set -uo pipefail

here=$(dirname "$0")
actual=$("$here/../../scripts/tally.py" --total "$here/tally.xml")
status=$?
expected="skipped: no moon (tally unit-mixed: without)
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
FAILED: tally no-program
    could not be run
FAILED: tally late
6 passed, 5 failed, 2 skipped"
diff -u <(echo "$expected") <(echo "$actual") && [ "$status" = 1 ]
