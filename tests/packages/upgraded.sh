#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A new release is installed over a running supervisor: its children live on, under it and under the next one.
. "$(dirname "$0")/root.sh"

install 1
for program in child store; do sources+=("$OB_TEST_SOURCE/examples/kv/$program.c"); done
read -ra flags < <(pkg-config --cflags --libs outboard)
cc -std=c11 -D_GNU_SOURCE -o kv-child "${sources[@]}" "${flags[@]}"
echo "{\"data_root\": \"$work/data\", \"children\": {\"kv\": {\"command\": [\"$work/kv-child\"]}}}" >config.json

# supervise: start a supervisor, and wait until its child is ready. Its pid is in $run, its output in $output from then on.
supervise() {
	rm -f log
	mkfifo log
	outboard run config.json >log 2>&1 &
	run=$!
	exec 5<log
	local line='' seen=''
	while read -r -t 60 line <&5 && [[ $line != *"[kv] $1"* ]]; do seen+=$line$'\n'; done
	[[ $line == *"[kv] $1"* ]] || fail "no \"$1\" of the child: $seen$line"
	cat <&5 >"output.$1" &
}
child() {
	outboard status --json config.json | grep -o '"pid":[0-9]*'
}
expect() {
	[ "$2" = "$3" ] || fail "$1: \"$2\" instead of \"$3\""
	echo "$1: $2"
}

supervise ready
before=$(child)
expect "kv.set" "$(outboard call "$work/data/kv" kv.set '["colour", "blue"]')" '"blue"'
old=$(stat -Lc %i "/proc/$run/exe")

install 2
expect "the version installed" "$(dpkg-query -Wf '${Version}' outboard)" "$OB_TEST_VERSION-2"
expect "the child, after the upgrade" "$(child)" "$before"
expect "kv.get, with the new command" "$(outboard call "$work/data/kv" kv.get '["colour"]')" '"blue"'

# The supervisor is replaced as its manual says.
kill -USR1 "$run"
wait "$run" || fail "the supervisor ended with status $?"
supervise adopted
[ "$(stat -Lc %i "/proc/$run/exe")" != "$old" ] || fail "the next supervisor is the old program"
expect "the child, under the next supervisor" "$(child)" "$before"
expect "kv.get" "$(outboard call "$work/data/kv" kv.get '["colour"]')" '"blue"'
kill "$run"
wait "$run" || fail "the supervisor ended with status $?"
kill -0 "${before#*:}" 2>/dev/null && fail "the child outlived its supervisor"
echo "the child is gone with its supervisor"
