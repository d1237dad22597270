#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Link child-actor as one static file, which needs nothing in its container. glibc makes the linker warn of functions that look
# up names, and of dlopen(): see tests/install/static.sh.
set -euo pipefail
read -ra libs <<<"$OB_TEST_STATIC_FLAGS"
child=$OB_TEST_BUILD/children/child-actor-static
log=$("$CC" -std=c11 -D_GNU_SOURCE -O2 -static -I"$OB_TEST_SOURCE/include" -I"$OB_TEST_SOURCE/tests" -o "$child.new" \
	"$OB_TEST_SOURCE/tests/children/actor.c" "$OB_TEST_BUILD/liboutboard.a" "${libs[@]}" 2>&1) || { printf '%s\n' "$log" && exit 1; }
mv "$child.new" "$child"
