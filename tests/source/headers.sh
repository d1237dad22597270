#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# headers.sh COMPILER STANDARD: each public header compiles alone, without a warning and without _GNU_SOURCE.
set -euo pipefail

compiler=$1 standard=$2
include=$OB_TEST_SOURCE/include
language=c
case $standard in c++*) language=c++ ;; esac

if ! command -v "$compiler" >/dev/null; then
	echo "SKIP: $compiler is not installed"
	exit 77
fi
bad=0 count=0
for header in "$include"/outboard/*.h; do
	count=$((count + 1))
	name=outboard/$(basename "$header")
	# Through an include: as an argument of the compiler, a header is compiled in another way.
	if ! printf '#include <%s>\nint main(void) { return 0; }\n' "$name" |
		"$compiler" -std="$standard" -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -I "$include" \
			-fsyntax-only -x "$language" -; then
		echo "$name does not compile alone with $compiler -std=$standard"
		bad=1
	fi
done
echo "$count headers, each alone, with $compiler -std=$standard"
[ "$bad" = 0 ] && [ "$count" -gt 0 ]
