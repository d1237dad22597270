#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# library.sh LIBRARY LIST: the library exports what the list names: nothing else, and nothing less.
set -euo pipefail
export LC_ALL=C

. "$(dirname "$0")/exports.sh"

if ! diff --label "$2" --label "exported by $(basename "$1")" -u0 "$2" <(exports "$1"); then
	echo "The ABI changed: + is exported and not in the list, - the other way round."
	exit 1
fi
echo "$(wc -l <"$2") functions, each in the list"
