#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The demonstration checks what it says.
. "$(dirname "$0")/common.sh"

TMPDIR=$data "$bin/kv-demo"
expect "what is left" "$(ls "$data")" ""
