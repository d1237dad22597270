#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A child that is one static file is linked with `pkg-config --static` and supervised by a parent that loads plugin files.
. "$(dirname "$0")/plugin.sh"

if [ "$OB_TEST_BUILTIN_PLUGINS" != ON ]; then
	echo "SKIP: OUTBOARD_BUILTIN_PLUGINS is off"
	exit 77
fi
export PKG_CONFIG_PATH=$OB_TEST_STAGE/$OB_TEST_LIBDIR/pkgconfig

# link_static PROGRAM SOURCE...: glibc makes the linker warn of functions that look up names, and of dlopen().
link_static() {
	local log=$work/link.log cflags libs
	eval "cflags=($(pkg-config --static --cflags outboard)) libs=($(pkg-config --static --libs outboard))"
	"$CC" -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -static "${cflags[@]}" -o "$@" "${libs[@]}" 2>"$log" || { cat "$log" && fail "$1 cannot be linked"; }
	if grep 'warning:' "$log" | grep -vE "warning: Using '(getaddrinfo|getgrouplist|get(pw|gr)(nam|uid|gid)(_r)?|dlopen)' in statically linked"; then
		fail "unexpected warnings of the linker"
	fi
	if readelf -lW "$1" | grep -qE 'INTERP|DYNAMIC'; then
		fail "$1 is not static"
	fi
}

link_static "$work/kv-static" "$OB_TEST_SOURCE"/examples/kv/{child,store}.c
supervise '"env": {"OUTBOARD_PLUGIN_PATH": "/nonexistent"}' "$work/kv-static"
expect "kv.set" "$("$outboard" call "$kv" kv.set '["colour", "blue"]')" '"blue"'
expect "kv.get" "$("$outboard" call "$kv" kv.get '["colour"]')" '"blue"'
stop_supervisor
for line in '\[kv[] ].*set key=colour' '\[kv\] stopped'; do
	grep -E "$line" "$work/output" || fail "no line \"$line\" in: $(cat "$work/output")"
done

# Every shipped plugin is built in, needs no file, and no file can be loaded beside them.
link_static "$work/consumer" "$OB_TEST_SOURCE/tests/install/consumer/consumer.c"
OUTBOARD_PLUGIN_PATH=/nonexistent "$work/consumer" >"$work/listed"
for name in unix tcp vsock hvsock chaos chaos-local msgpack json peercred token noise bearer keys certificate; do
	grep -xE "$name [0-9.]+ from built in" "$work/listed" || fail "$name is not built in: $(cat "$work/listed")"
done
expect "number of plugins" "$(grep -c ' from ' "$work/listed")" 15
status=0
"$work/consumer" "$shipped/json.so" 2>"$work/refusal" || status=$?
expect "status of a file in a static program" "$status" 1
expect "refusal" "$(cat "$work/refusal")" \
	"consumer: plugin json ($shipped/json.so): this program is linked statically: it can use built-in plugins only"

# The same with find_package.
"$OB_TEST_CMAKE" -G Ninja -S "$here/consumer" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$OB_TEST_STAGE" \
	-DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF -DCMAKE_C_COMPILER="$CC" >"$work/cmake.log"
"$OB_TEST_CMAKE" --build "$work/cmake" --target consumer-static >>"$work/cmake.log" || fail "$(cat "$work/cmake.log")"
expect "the list with find_package" "$(OUTBOARD_PLUGIN_PATH=/nonexistent "$work/cmake/consumer-static")" "$(cat "$work/listed")"
