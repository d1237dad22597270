#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every shell script passes shellcheck.
set -euo pipefail

cd "${OB_TEST_SOURCE:-$(dirname "$0")/../..}"
if ! command -v shellcheck >/dev/null; then
	echo "SKIP: shellcheck is not installed"
	exit 77
fi
mapfile -t scripts < <(find .ci scripts tests examples -name '*.sh' -o -path '.ci/*' -type f -o -path 'scripts/*' -type f ! -name '*.py' | sort)
shellcheck "${scripts[@]}"
echo "${#scripts[@]} scripts"
