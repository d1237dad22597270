# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Shared by the tests of out-of-tree plugins. They are built and checked against the stage, as a user would, and under a umask
# that makes files which the loader refuses.
set -euo pipefail
export LC_ALL=C
umask 002

here=$(cd "$(dirname "$0")" && pwd)
outboard=$OB_TEST_STAGE/bin/outboard
shipped=$OB_TEST_STAGE/$OB_TEST_LIBDIR/outboard/plugins
work=$(mktemp -d)
built=$work/no-plugins # build_and_check sets it
run=''
# An interrupted test leaves no process: the supervisor stops its children on SIGTERM.
trap 'if [ -n "$run" ]; then kill "$run" 2>/dev/null || true; wait "$run" || true; fi; rm -rf "$work"' EXIT
chmod go-w "$work"

fail() {
	printf '%s\n' "$*"
	exit 1
}

# expect WHAT ACTUAL EXPECTED
expect() {
	[ "$2" = "$3" ] || fail "$1: \"$2\" instead of \"$3\""
	printf '%s: %s\n' "$1" "$2"
}

# build_and_check SOURCE_DIR [CMAKE_ARGUMENT...]: build with all warnings and run its test. Its plugins are in $built.
build_and_check() {
	local source=$1 build=$work/build-${1##*/} log=$work/build.log
	shift
	if ! { "$OB_TEST_CMAKE" -G Ninja -S "$source" -B "$build" -DCMAKE_PREFIX_PATH="$OB_TEST_STAGE" \
		-DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF -DCMAKE_C_COMPILER="$CC" \
		-DCMAKE_C_FLAGS="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror" "$@" &&
		"$OB_TEST_CMAKE" --build "$build" && ctest --test-dir "$build" --verbose; } >"$log" 2>&1; then
		cat "$log"
		fail "$source: the build or its test failed"
	fi
	grep -E '[0-9]+ held' "$log" || true
	grep -qE '^100% tests passed, 0 tests failed out of [1-9]' "$log" || fail "$source: no test was run: $(cat "$log")"
	built=$build/plugins
}

# supervise CHILD_KEYS [CHILD]: run kv-child under `outboard run` with these keys ("codec": "x") until it is ready. Its
# directory is $kv; the output of the run is in $work/output.
supervise() {
	cat >"$work/config.json" <<-END
		{
		  "data_root": "$work/children",
		  "plugin_path": ["$shipped", "$built"],
		  "children": {"kv": {"command": ["${2:-$OB_TEST_BUILD/bin/kv-child}"], $1}}
		}
	END
	export OUTBOARD_PLUGIN_PATH=$shipped:$built
	expect check "$("$outboard" check "$work/config.json")" "$work/config.json: fine, 1 child"
	mkfifo "$work/log"
	"$outboard" run "$work/config.json" >"$work/log" &
	run=$!
	exec 5<"$work/log"
	local line='' seen=''
	while read -r -t 60 line <&5 && [[ $line != *"[kv] ready"* ]]; do seen+=$line$'\n'; done
	[[ $line == *"[kv] ready"* ]] || fail "the child did not become ready: $seen"
	cat <&5 >"$work/output" &
	copy=$!
	kv=$work/children/kv
}

# stop_supervisor: end the run; after that $work/output is complete.
stop_supervisor() {
	kill "$run"
	wait "$run" || fail "the supervisor ended with status $?"
	run=''
	wait "$copy"
}
