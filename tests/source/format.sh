#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# format.sh [--fix]: check that every C source is as clang-format leaves it, or format it. The results of clang-format depend
# on its version, so only one version is used.
set -euo pipefail

cd "${OB_TEST_SOURCE:-$(dirname "$0")/../..}"
version=14
for formatter in clang-format-$version clang-format ''; do
	if [ -z "$formatter" ]; then
		echo "SKIP: clang-format $version is not installed"
		exit 77
	fi
	if "$formatter" --version 2>/dev/null | grep -q "version $version\."; then
		break
	fi
done

mapfile -t directories <tests/source/directories.txt
mapfile -t sources < <(find "${directories[@]}" -name '*.[ch]' | sort)
if [ "${1:-}" = --fix ]; then
	exec "$formatter" -i "${sources[@]}"
fi
differing=$("$formatter" --dry-run "${sources[@]}" 2>&1 |
	sed -n 's/^\([^:]*\):[0-9:]* warning: code should be clang-formatted.*/not formatted (scripts\/lint --fix): \1/p' | sort -u)
if [ -n "$differing" ]; then
	echo "$differing"
	exit 1
fi
echo "${#sources[@]} files are formatted"
