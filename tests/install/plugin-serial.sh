#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The example of a transport is built out of tree and checked on a line between two pseudo-terminals. Then a child is
# supervised over such a line.
. "$(dirname "$0")/plugin.sh"

# The check of the build needs a line, too. Its names are known only inside ptys.py.
export -f build_and_check fail
export work OB_TEST_STAGE OB_TEST_CMAKE CC
# shellcheck disable=SC2016 # the inner shell expands it
"$here/ptys.py" bash -euo pipefail -c \
	'build_and_check "$1" "-DSERIAL_ENDS={A};{B}"' bash "$OB_TEST_SOURCE/examples/plugin-serial"
built=$work/build-plugin-serial/plugins
"$outboard" plugin inspect "$built/serial.so" | grep -qE '^  flags +single$' || fail "inspect does not show its flag"

export PKG_CONFIG_PATH=$OB_TEST_STAGE/$OB_TEST_LIBDIR/pkgconfig LD_LIBRARY_PATH=$OB_TEST_STAGE/$OB_TEST_LIBDIR
eval "cflags=($(pkg-config --cflags outboard)) libs=($(pkg-config --libs outboard))"
"$CC" -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror "${cflags[@]}" -o "$work/serial-parent" \
	"$here/serial/parent.c" "${libs[@]}"
export OUTBOARD_PLUGIN_PATH=$shipped:$built
"$here/ptys.py" "$work/serial-parent" "$work/data" "$OB_TEST_BUILD/bin/kv-child" "serial://{A}" "serial://{B}"

# Only one program may use a device: a second one is refused.
cat >"$work/two.sh" <<-'END'
	exec 9<>"$1"
	flock -n 9
	status=0
	"$2" call --address "serial://$1" --auth none kv.list 2>"$3" || status=$?
	[ "$status" = 3 ] && grep -q 'is in use' "$3" && echo "the second: $(cat "$3")"
END
"$here/ptys.py" bash -eu "$work/two.sh" "{A}" "$outboard" "$work/refusal"
