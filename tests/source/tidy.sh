#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tidy.sh BUILD: every source that BUILD compiles passes clang-tidy with the checks of .clang-tidy.
set -euo pipefail

cd "${OB_TEST_SOURCE:-$(dirname "$0")/../..}"
mapfile -t directories <tests/source/directories.txt
mapfile -t sources < <(find "${directories[@]}" -name '*.c' | grep -xFf <(
	sed -n "s|^  \"file\": \"$PWD/\(.*\)\",\{0,1\}$|\1|p" "$1/compile_commands.json") | sort)
[ "${#sources[@]}" -gt 0 ] || { echo "$1/compile_commands.json names no source" && exit 1; }
printf '%s\0' "${sources[@]}" | xargs -0 -P "$(nproc)" -n 8 clang-tidy -p "$1" --quiet 2>/dev/null
echo "${#sources[@]} files"
