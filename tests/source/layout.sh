#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The order of the house: who includes what, and what is called in one place only.
set -euo pipefail
export LC_ALL=C

cd "${OB_TEST_SOURCE:-$(dirname "$0")/../..}"
everything="include core transports codecs auth conformance cli examples bench tests"
plugins="transports codecs auth"
bad=0

# must_not RULE FOUND: what was found breaks the rule.
must_not() {
	if [ -n "$2" ]; then
		printf '%s:\n%s\n' "$1" "$2"
		bad=1
	fi
}

# lines PATTERN DIR...: the lines of C files that match, as FILE:LINE:TEXT. A missing directory has none.
lines() {
	grep -rnE --include='*.[ch]' -e "$1" "${@:2}" 2>/dev/null || true
}

# includes WHAT DIR...: the same for the include lines whose target begins so.
includes() {
	lines "^[[:space:]]*#[[:space:]]*include[[:space:]]*$1" "${@:2}"
}

but_for() {
	grep -vE -e "$1" || true
}

must_not "An include climbs out of its directory" "$(includes '"\.\./' $everything)"

# Floors: base < logic, host < run < the API. The compiler keeps this too; here it is said in words.
must_not "core/base includes more than itself" "$(includes '"' core/base | but_for '"base/')"
must_not "core/logic includes more than base" "$(includes '"' core/logic | but_for '"(base|logic)/')"
must_not "core/host includes more than base" "$(includes '"' core/host | but_for '"(base|host)/')"
must_not "core/run includes what is not below it" "$(includes '"' core/run | but_for '"(base|logic|host|run)/')"
must_not "A public header includes what is not installed" "$(includes '"' include)"
must_not "A public header is not among the six" \
	"$(find include -type f | but_for '/outboard/(abi|value|transport|codec|auth|outboard)\.h$')"

# A plugin sees the public headers of its trade and its own library. base/json is the named exception, for the codec json.
must_not "A plugin includes a header of the core" \
	"$(includes '"(base|logic|host|run|core)/' $plugins | but_for '^codecs/json\.c:.*"base/json\.h"')"
must_not "A conformance suite includes more than a plugin sees" \
	"$(includes '"' conformance | but_for '"conformance/')"
must_not "A plugin includes the header for users" "$(includes '<outboard/outboard\.h>' $plugins)"
must_not "An example includes what is not for users" \
	"$(includes '[<"](outboard|base|logic|host|run|core)/' examples | but_for '<outboard/outboard\.h>|^examples/plugin[-/]')"

must_not "libev is included outside core/run/loop.c" \
	"$(includes '[<"]ev(\+\+)?\.h' core cli $plugins | but_for '^core/run/loop\.c:')"
must_not "dlopen is called outside core/host/loader.c" \
	"$(lines '\bdlm?open[[:space:]]*\(' core cli $plugins | but_for '^core/host/loader\.c:')"
must_not "fork() is called" "$(lines '\bv?fork[[:space:]]*\([[:space:]]*\)' core cli examples bench tests $plugins)"

# A test waits for what it waits for.
must_not "A test sleeps" "$(lines '\b(u|nano|clock_nano)?sleep[[:space:]]*\(' tests examples)"

must_not "The first line is not the licence" "$(find $everything -name '*.[ch]' -exec awk \
	'FNR == 1 && $0 != "/* SPDX-License-Identifier: MIT */" { print FILENAME }' {} +)"

[ "$bad" = 0 ] && echo "in order"
