#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The example of the README.
. "$(dirname "$0")/common.sh"

# The record and the answer come over different channels, so in any order.
expect "hello-parent" "$("$bin/hello-parent" "$data" "$bin/hello-child" | sort)" "$(
	cat <<-END
		hello logs: greeted
		the child answers: Hello, world!
	END
)"
expect_nothing_left

# A failure is reported, and nothing is left running.
status=0
message=$("$bin/hello-parent" "$data" "$data/no-such-child" 2>&1) || status=$?
expect "status" "$status" 1
case $message in
"hello-parent: starting outboard process"*"No such file or directory"*) echo "$message" ;;
*) expect "message" "$message" "hello-parent: starting outboard process ... No such file or directory" ;;
esac
expect "hello-child by hand" "$("$bin/hello-child" 2>&1 || true)" \
	"hello-child: not started as an outboard: OUTBOARD_CONFIG is not set, and no config_path was given"
