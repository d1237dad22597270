#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# compatible.sh LIBRARY: a program and a plugin of the last release still fit the library, and scripts/abi.py sees what breaks
# them. What it must see is tried on a copy of the headers, and on a copy of the library without one function.
set -euo pipefail
export LC_ALL=C

library=$(realpath "$1")
status=0
"$OB_TEST_SOURCE/scripts/abi.py" "$library" || status=$?
[ "$status" = 0 ] || exit "$status"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/packaging/abi" "$work/scripts"
cp "$OB_TEST_SOURCE/scripts/abi.py" "$work/scripts"
cp "$OB_TEST_SOURCE"/packaging/abi/*.abi "$work/packaging/abi"

# changed WHAT STATUS PATTERN HEADER SED: with a header that was edited so, the status is this, and the output matches.
changed() {
	local status=0
	rm -rf "$work/include"
	cp -R "$OB_TEST_SOURCE/include" "$work/include"
	sed -i -E "$5" "$work/include/outboard/$4"
	! cmp -s "$work/include/outboard/$4" "$OB_TEST_SOURCE/include/outboard/$4" || { echo "$1: nothing was edited" && exit 1; }
	"$work/scripts/abi.py" "${copy[@]}" >"$work/output" 2>&1 || status=$?
	if [ "$status" != "$2" ] || ! grep -qE -e "$3" "$work/output"; then
		printf '%s: status %s instead of %s, or no "%s" in:\n' "$1" "$status" "$2" "$3"
		cat "$work/output"
		exit 1
	fi
	echo "$1: $(grep -m 1 -E -e "$3" "$work/output" | sed 's/^ *//')"
}
copy=()
peer='/^struct ob_peer \{/,/^\};/'
changed "members appended to a struct with a size" 0 "struct ob_peer has new members: more" abi.h "$peer s|^\};|\tuint64_t more;\n};|"
changed "a function, a type and a result more" 0 "^compatible" abi.h \
	's|OB_ECLOSED = -22|OB_ECLOSED = -22, OB_EMORE = -23|; /^struct ob_want \{/ i struct ob_more {int more;};\nvoid ob_more(struct ob_more *more);'
changed "two members in another order, and one appended" 1 "'uint32_t uid' offset changed" abi.h \
	"$peer { /uint32_t uid;/d; s|uint32_t gid;|uint32_t gid;\n\tuint32_t uid;|; s|^\};|\tuint64_t more;\n};| }"
changed "a member of another type" 1 "type of 'uint32_t gid' changed" abi.h "$peer s|uint32_t gid;|float gid;|"
changed "a member appended to a struct without a size" 1 "data member insertion" abi.h '/^struct ob_error \{/,/^\};/ s|^\};|\tint more;\n};|'
changed "two functions of a table in another order" 1 "offset changed" auth.h \
	'/^struct ob_auth_ops \{/,/^\};/ { /^\tvoid \(\*destroy\)/d; s|^\};|\tvoid (*destroy)(struct ob_auth *auth);\n};| }'
changed "a limit with another number" 1 "OB_BINDING_MAX' from value" abi.h 's|OB_BINDING_MAX = 64|OB_BINDING_MAX = 32|'

# A library that does not export one of its functions: its name, which is long enough, is made another in the table of strings.
copy=("$work/liboutboard.so")
cp "$library" "${copy[0]}"
sed -i 's/\x00ob_watch_set_events\x00/\x00ob_watch_set_eventz\x00/g' "${copy[0]}"
changed "a function that was removed" 1 "Removed function" watch.h '1 s|$| |'
