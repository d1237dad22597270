#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every manual page can be made and shown without a warning, and has the words that its reader looks for.
set -euo pipefail
export LC_ALL=C.UTF-8 MANWIDTH=80

for tool in pandoc man; do
	if ! command -v "$tool" >/dev/null; then
		echo "SKIP: $tool is not installed"
		exit 77
	fi
done
cd "${OB_TEST_SOURCE:-$(dirname "$0")/../..}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

declare -A words=([outboard.1]='outboard restart|SIGUSR1|not acceptable' [outboard-run.json.5]='data_root|nofile|client_listen'
	[outboard.json.5]='rpc_addr|OUTBOARD_CONFIG' [outboard-plugin.7]='samegroup|OB_PLUGIN_ENTRY' [outboard-protocol.7]='MessagePack|noise|rpc_addr')
mapfile -t names < <(scripts/man.py --list)
[ "${#names[@]}" = "${#words[@]}" ]
for name in "${names[@]}"; do
	scripts/man 0.1.0 "$name" "$work/$name"
	man --warnings -l "$work/$name" >"$work/text" 2>"$work/warnings"
	[ ! -s "$work/warnings" ] || { cat "$work/warnings" && exit 1; }
	# No link, no table and no list of sections is left.
	if grep -nE '\]\(|^ *\|| · .* · ' "$work/text"; then
		echo "$name: Markdown is left"
		exit 1
	fi
	IFS='|' read -ra wanted <<<"${words[$name]}"
	for word in "${wanted[@]}"; do
		tr -s ' \n' ' ' <"$work/text" | grep -qF "$word" || { echo "$name: nothing about $word" && exit 1; }
	done
	echo "$name: $(wc -l <"$work/text") lines"
done
