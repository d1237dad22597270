#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The demonstration checks what it says.
. "$(dirname "$0")/common.sh"

# A leak check at the child's end stops its threads with a SIGSTOP, which the SIGCONT of a stop can take away; then it waits for
# ever, and the demo sees a child that had to be killed. The test `kv` looks for leaks in the same programs.
export ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0

TMPDIR=$data "$bin/kv-demo"
expect "what is left" "$(ls "$data")" ""
