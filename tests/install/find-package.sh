#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A CMake project finds outboard with find_package.
set -euo pipefail

. "$(dirname "$0")/run.sh"
build=$OB_TEST_BUILD/consumer-cmake
rm -rf "$build"
"$OB_TEST_CMAKE" -G Ninja -S "$OB_TEST_SOURCE/tests/install/consumer" -B "$build" \
	-DCMAKE_PREFIX_PATH="$OB_TEST_STAGE" -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF >"$OB_TEST_BUILD/consumer-cmake.log"
"$OB_TEST_CMAKE" --build "$build" >>"$OB_TEST_BUILD/consumer-cmake.log"
run_consumer "$build/consumer" "$(cat "$build/plugin-dir")"
