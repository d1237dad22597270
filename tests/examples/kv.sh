#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each method of kv, its errors, the events, the callback; then a second parent that takes over the first one's child.
. "$(dirname "$0")/common.sh"

# run COMMANDS: the output of kv-parent, without times and pids.
run() {
	printf '%s\n' "$1" | "$bin/kv-parent" "$data" "$bin/kv-child" |
		sed -E 's/reply [0-9]+ us:/reply:/; s/pid=[1-9][0-9]*/pid=PID/; s/process [0-9]+/process PID/'
}

first=$(run "set colour blue
get colour
get nothing-there
set shade
import motto
import nothing-there
list
delete colour
delete colour
list
paint colour
health
status
detach")
# The log and the replies come over different channels, so each has its own order.
expect "replies to the first parent" "$(grep -E '^(reply|error|changed)' <<<"$first")" "$(
	cat <<-END
		changed colour
		reply: blue
		reply: blue
		reply: nothing
		error OB_EREMOTE value must be a string of at most 65536 bytes
		changed motto
		reply: out of process, in reach
		error OB_EREMOTE the parent's source: there is no such key
		reply: colour motto
		changed colour
		reply: yes
		reply: no
		reply: motto
		error OB_EREMOTE unknown method: kv.paint
		reply healthy
		reply ready link=up pid=PID restarts=0
	END
)"
expect "events of the first parent" "$(grep -oE '^event [a-z]+' <<<"$first")" "$(
	printf 'event starting\nevent ready\nevent detached'
)"

second=$(run "list
status
stop")
expect "replies to the second parent" "$(grep -E '^(reply|error|changed)' <<<"$second")" "$(
	cat <<-END
		reply: motto
		reply ready link=up pid=PID restarts=0 adopted
	END
)"
expect "events of the second parent" "$(grep -oE '^event [a-z]+' <<<"$second")" "$(
	printf 'event adopted\nevent stopping\nevent exited\nevent stopped'
)"
expect "the log, through both parents" "$(grep -hE '^log' <<<"$first$second" | sort -u)" "$(
	printf 'log bye\nlog delete\nlog set'
)"
expect_nothing_left
