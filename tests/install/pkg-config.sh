#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A program that asks for outboard with pkg-config.
set -euo pipefail

. "$(dirname "$0")/run.sh"
export PKG_CONFIG_PATH=$OB_TEST_STAGE/$OB_TEST_LIBDIR/pkgconfig
build=$OB_TEST_BUILD/consumer-pkg-config
rm -rf "$build"
mkdir "$build"

[ "$(pkg-config --modversion outboard)" = "$OB_TEST_VERSION" ]
# shellcheck disable=SC2046 # flags are words
$CC -std=c11 -Wall -Wextra -Werror $(pkg-config --cflags outboard) -o "$build/consumer" \
	"$OB_TEST_SOURCE/tests/install/consumer/consumer.c" $(pkg-config --libs outboard)
export LD_LIBRARY_PATH=$OB_TEST_STAGE/$OB_TEST_LIBDIR
run_consumer "$build/consumer" "$(pkg-config --variable=plugindir outboard)"
