# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# run_consumer PROGRAM PLUGIN_DIR: run it. It must use the plugins of the stage and no others.
run_consumer() {
	local output untold
	output=$(OUTBOARD_PLUGIN_PATH=$2 "$1")
	printf '%s\n' "$output"
	grep -qx "outboard $OB_TEST_VERSION" <<<"$output"
	if [ "$OB_TEST_ORIGIN" = "built in" ]; then
		! grep ' from /' <<<"$output"
		return
	fi
	[ "$(grep -cF " from $OB_TEST_ORIGIN" <<<"$output")" = 4 ]

	# Without a plugin path it searches where the build would be installed without a stage: it finds the plugins there, or its
	# error names the directory.
	untold=$(env -u OUTBOARD_PLUGIN_PATH "$1" 2>&1 || true)
	printf '%s\n' "$untold"
	grep -qF "$OB_TEST_FULL_LIBDIR/outboard/plugins" <<<"$untold"
}
