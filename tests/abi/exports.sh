# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# exports FILE: the names that a shared object defines for others, sorted.
exports() {
	nm -D --defined-only --format=posix "$1" | cut -d ' ' -f 1 | sort
}
