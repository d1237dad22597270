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

find include core transports codecs auth cli examples tests bench -name '*.[ch]' -print0 |
	xargs -0 "$formatter" --dry-run -Werror
