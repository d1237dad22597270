#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What an installation wrote is removed again, with the directories that are only outboard's, and nothing else.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix="$work/a prefix"
mkdir -p "$prefix/bin" "$prefix/include"
echo kept >"$prefix/bin/other"
"$OB_TEST_CMAKE" --install "$OB_TEST_BUILD" --prefix "$prefix" >"$work/install.log"
cp "$OB_TEST_BUILD/install_manifest.txt" "$work/manifest"
[ -x "$prefix/bin/outboard" ] && [ -d "$prefix/include/outboard" ]

"$OB_TEST_CMAKE" "-DMANIFEST=$work/manifest" -P "$OB_TEST_SOURCE/cmake/Uninstall.cmake" >"$work/uninstall.log"
left=$(cd "$prefix" && find . ! -type d)
[ "$left" = ./bin/other ] || { echo "left: $left" && exit 1; }
left=$(cd "$prefix" && find . -type d -name '*outboard*')
[ -z "$left" ] || { echo "directories are left: $left" && exit 1; }

# A second time nothing is left to do; without a manifest it says so.
"$OB_TEST_CMAKE" "-DMANIFEST=$work/manifest" -P "$OB_TEST_SOURCE/cmake/Uninstall.cmake"
if "$OB_TEST_CMAKE" "-DMANIFEST=$work/none" -P "$OB_TEST_SOURCE/cmake/Uninstall.cmake" 2>"$work/refusal"; then
	echo "no manifest, and no error"
	exit 1
fi
grep -q "does not exist" "$work/refusal"
echo "$(wc -l <"$work/manifest") files were installed and removed"
