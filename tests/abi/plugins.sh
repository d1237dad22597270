#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# plugins.sh DIR: each plugin exports its entry and nothing else, and depends on no library of ours.
set -euo pipefail
export LC_ALL=C

. "$(dirname "$0")/exports.sh"

bad=0 count=0
for plugin in "$1"/*.so; do
	count=$((count + 1))
	names=$(exports "$plugin" | tr '\n' ' ')
	if [ "$names" != "outboard_plugin_v1 " ]; then
		echo "$plugin exports: $names"
		bad=1
	fi
	if readelf -d "$plugin" | grep 'NEEDED.*liboutboard'; then
		echo "$plugin is linked with liboutboard: a plugin sees headers only"
		bad=1
	fi
done
echo "$count plugins looked at"
[ "$bad" = 0 ] && [ "$count" -gt 0 ]
