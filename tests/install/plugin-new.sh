#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The files of `outboard plugin new` compile without a warning, pass their check, and work for a child.
. "$(dirname "$0")/plugin.sh"

cd "$work"
for kind in auth transport codec; do
	"$outboard" plugin new "$kind" "my-$kind" >"$work/new"
	expect "files of a new $kind" "$(tr '\n' ' ' <"$work/new")" "my-$kind/my-$kind.c my-$kind/CMakeLists.txt my-$kind/README.md "
	if grep -rnE 'skeleton|@' "$work/my-$kind"; then
		fail "a placeholder was left"
	fi
	build_and_check "$work/my-$kind"
	cp "$built/my-$kind.so" "$work"
done

# Existing files are not changed, and invalid names are refused.
status=0
"$outboard" plugin new codec other my-codec 2>"$work/refusal" || status=$?
expect "status of a directory in use" "$status" 2
expect "its files" "$(cd my-codec && echo *)" "CMakeLists.txt README.md my-codec.c"
for words in "nonsense x" "codec Big" "transport under_score" "codec"; do
	status=0
	# shellcheck disable=SC2086 # words are words
	"$outboard" plugin new $words 2>"$work/refusal" || status=$?
	expect "status of $words" "$status" 2
	[ -s "$work/refusal" ] || fail "nothing is said about $words"
done

built=$work
supervise "\"codec\": \"my-codec\", \"auth\": [\"my-auth\", \"token\"], \"listen\": \"my-transport://$work/socket\""
expect "kv.set" "$("$outboard" call "$kv" kv.set '["colour", "blue"]')" '"blue"'
expect "kv.get" "$("$outboard" call "$kv" kv.get '["colour"]')" '"blue"'
[ -S "$work/socket" ] || fail "it listens elsewhere"
