# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Shared by the tests of the examples: programs in $bin, and a data directory that is removed at the end.
set -euo pipefail
export LC_ALL=C

bin=$OB_TEST_BUILD/bin
data=$(mktemp -d)

# The processes that were started with this data directory.
children() {
	grep -lzF -e "OUTBOARD_CONFIG=$data/" /proc/[0-9]*/environ 2>/dev/null | cut -d / -f 3 || true
}

# A test that fails leaves no child either.
trap 'children | xargs -r kill -KILL; rm -rf "$data" "$data.state"' EXIT

# expect NAME ACTUAL EXPECTED
expect() {
	if [ "$2" != "$3" ]; then
		diff -u --label "expected of $1" --label "$1" <(printf '%s\n' "$3") <(printf '%s\n' "$2") || true
		exit 1
	fi
	printf '%s\n' "$2"
}

# A stop leaves nothing in the data directory, the locks and the state in the parent's, and no child.
expect_nothing_left() {
	expect "what is left" "$(ls "$data")" ""
	expect "the parent's files" "$(ls "$data.state")" "$(printf 'outboard.lock\nparent.lock\nstart\nstate.json')"
	expect "processes left" "$(children)" ""
}
