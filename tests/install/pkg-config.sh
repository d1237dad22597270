#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A program finds outboard with pkg-config.
set -euo pipefail

. "$(dirname "$0")/run.sh"
export PKG_CONFIG_PATH=$OB_TEST_STAGE/$OB_TEST_LIBDIR/pkgconfig
build=$OB_TEST_BUILD/consumer-pkg-config
rm -rf "$build"
mkdir "$build"

[ "$(pkg-config --modversion outboard)" = "$OB_TEST_VERSION" ]
eval "cflags=($(pkg-config --cflags outboard)) libs=($(pkg-config --libs outboard))"
"$CC" -std=c11 -Wall -Wextra -Werror "${cflags[@]}" -o "$build/consumer" \
	"$OB_TEST_SOURCE/tests/install/consumer/consumer.c" "${libs[@]}"
export LD_LIBRARY_PATH=$OB_TEST_STAGE/$OB_TEST_LIBDIR
run_consumer "$build/consumer" "$(pkg-config --variable=plugindir outboard)"
