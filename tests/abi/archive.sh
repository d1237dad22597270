#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# archive.sh ARCHIVE: every name that the archive defines begins with ob_ or obi_, and is defined once, so that it cannot
# collide with a name of the program.
set -euo pipefail
export LC_ALL=C

names=$(nm --defined-only --extern-only --format=posix "$1" 2>/dev/null | awk '$2 ~ /^[A-Za-z]$/ { print $1 }' | sort)
bad=$(grep -vE '^obi?_' <<<"$names" | sed 's/$/ does not begin with ob_ or obi_/'
	uniq -d <<<"$names" | sed 's/$/ is defined twice/')
echo "$(wc -l <<<"$names") names"
[ -z "$bad" ] || { echo "$bad" && exit 1; }
