# SPDX-License-Identifier: MIT
# run_consumer PROGRAM PLUGIN_DIR: it runs, and its plugins are those of the stage. A build that was configured for the stage
# must find them untold; any other has its own prefix compiled in and is told.
run_consumer() {
	local output
	if [ "$OB_TEST_PREFIX" = "$OB_TEST_STAGE" ]; then
		unset OUTBOARD_PLUGIN_PATH
	else
		export OUTBOARD_PLUGIN_PATH=$2
	fi
	output=$("$1")
	printf '%s\n' "$output"
	grep -qx "outboard $OB_TEST_VERSION" <<<"$output"
	[ "$(grep -c " from $OB_TEST_STAGE/$OB_TEST_LIBDIR/outboard/plugins/" <<<"$output")" = 4 ]
}
