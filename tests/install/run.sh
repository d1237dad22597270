# SPDX-License-Identifier: MIT
# run_consumer PROGRAM PLUGIN_DIR: it runs, with the plugins of the stage and no others.
run_consumer() {
	local output untold
	output=$(OUTBOARD_PLUGIN_PATH=$2 "$1")
	printf '%s\n' "$output"
	grep -qx "outboard $OB_TEST_VERSION" <<<"$output"
	[ "$(grep -c " from $OB_TEST_STAGE/$OB_TEST_LIBDIR/outboard/plugins/" <<<"$output")" = 4 ]

	# Told nothing, it looks where the build would be installed without a stage: it finds the plugins there, or names the place.
	untold=$(env -u OUTBOARD_PLUGIN_PATH "$1" 2>&1 || true)
	printf '%s\n' "$untold"
	grep -qF "$OB_TEST_FULL_LIBDIR/outboard/plugins" <<<"$untold"
}
