#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The source archive has the sources and nothing else, and builds where there is no git.
set -euo pipefail
export LC_ALL=C

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$OB_TEST_CPACK" --config "$OB_TEST_BUILD/CPackSourceConfig.cmake" -B "$work/made" >"$work/log" 2>&1 || { cat "$work/log" && exit 1; }
tar -xzf "$work/made/outboard-$OB_TEST_VERSION.tar.gz" -C "$work"
source=$work/outboard-$OB_TEST_VERSION
for path in .git build compile_commands.json; do
	[ ! -e "$source/$path" ] || { echo "in the archive: $path" && exit 1; }
done
if [ -e "$OB_TEST_SOURCE/.git" ] && command -v git >/dev/null; then
	diff <(git -C "$OB_TEST_SOURCE" ls-files --cached --others --exclude-standard | sort) <(cd "$source" && find . ! -type d -printf '%P\n' | sort) ||
		{ echo "the archive is not what git knows" && exit 1; }
fi

# A git that fails stands for one that is missing.
mkdir "$work/bin"
printf '#!/bin/sh\necho "git was called: $*" >&2\nexit 1\n' >"$work/bin/git"
chmod +x "$work/bin/git"
export PATH="$work/bin:$PATH"
cd "$source"
if ! { "$OB_TEST_CMAKE" --preset release -DCMAKE_C_COMPILER="$CC" && "$OB_TEST_CMAKE" --build build/release; } >"$work/log" 2>&1; then
	tail -n 30 "$work/log"
	exit 1
fi
if grep "git was called" "$work/log"; then
	exit 1
fi
[ "$(build/release/bin/outboard --version)" = "outboard $OB_TEST_VERSION" ]
echo "$(find . -path ./build -prune -o -type f -print | wc -l) files, and they build"
