#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The demonstration checks its own steps.
. "$(dirname "$0")/common.sh"

# The leak check at the child's end stops its threads with SIGSTOP, which the SIGCONT of a stop can cancel; then it waits for
# ever, and the child has to be killed. The test `kv` looks for leaks in the same programs.
export ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0

TMPDIR=$data "$bin/kv-demo"
expect "what is left" "$(ls "$data")" ""
