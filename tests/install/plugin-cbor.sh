#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The example of a codec with a packaged library is built out of tree, checked, and used by a config.
. "$(dirname "$0")/plugin.sh"

if ! pkg-config --exists libcbor; then
	echo "SKIP: libcbor is not installed"
	exit 77
fi
build_and_check "$OB_TEST_SOURCE/examples/plugin-cbor"
supervise '"codec": "cbor"'
expect "its config" "$(grep -o '"codec":"[^"]*"' "$kv/outboard.json")" '"codec":"cbor"'
expect "kv.set" "$("$outboard" call "$kv" kv.set '["colour", "bl\u00fce"]')" '"blüe"'
expect "kv.get" "$("$outboard" call "$kv" kv.get '["colour"]')" '"blüe"'
large=$(head -c 60000 /dev/zero | tr '\0' 'x')
expect "a large value" "$("$outboard" call "$kv" kv.set "[\"large\", \"$large\"]" | wc -c)" 60003
