#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every source is as clang-format leaves it. Versions differ in what they do, so it must be the one we write with.
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

differing=$(find include core transports codecs auth conformance cli examples tests bench -name '*.[ch]' -print0 |
	xargs -0 "$formatter" --dry-run 2>&1 | sed -n 's/^\([^:]*\):[0-9:]* warning: code should be clang-formatted.*/\1/p' | sort -u)
if [ -n "$differing" ]; then
	printf 'not as clang-format leaves it (scripts/lint --fix): %s\n' $differing
	exit 1
fi
echo "in order"
