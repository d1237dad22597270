#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# npm.sh NAME: run NAME.cjs, with the packages of package-lock.json. They are installed into the build tree, once.
set -euo pipefail
cd "$(dirname "$0")"

skip() {
	echo "skipped: $1"
	exit 77
}

command -v node >/dev/null || skip "there is no node (Debian: nodejs)"
command -v npm >/dev/null || skip "there is no npm (Debian: npm)"

place=$OB_TEST_BUILD/npm
mkdir -p "$place"
# Tests that run in parallel install one after the other.
exec 9>"$place/lock"
flock 9
if ! cmp -s package-lock.json "$place/installed"; then
	cp package.json package-lock.json "$place"
	status=0
	(cd "$place" && timeout 150 npm ci --ignore-scripts --no-audit --no-fund --fetch-retries=1 --fetch-timeout=30000 \
		>npm.log 2>&1 9>&-) || status=$?
	if [ "$status" = 124 ] || { [ "$status" != 0 ] &&
		grep -qE 'ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|code E5[0-9][0-9]' "$place/npm.log"; }; then
		skip "npm cannot reach its registry"
	elif [ "$status" != 0 ]; then
		tail -n 20 "$place/npm.log"
		exit 1
	fi
	cp package-lock.json "$place/installed"
fi
exec 9>&-

NODE_PATH=$place/node_modules exec node "./$1.cjs"
