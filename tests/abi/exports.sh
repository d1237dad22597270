# SPDX-License-Identifier: MIT
# exports FILE: the names that a shared object defines for others, sorted.
exports() {
	nm -D --defined-only --format=posix "$1" | cut -d ' ' -f 1 | sort
}
