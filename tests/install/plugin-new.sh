#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The files of `outboard plugin new` compile without a warning, pass their check, and work for a child.
. "$(dirname "$0")/plugin.sh"

cd "$work"
for form in auth auth:exchange auth:seal auth:admit transport transport:wrapper codec; do
	kind=${form%:*}
	name=my-${form#*:}
	option=()
	if [ "$kind" != "$form" ]; then
		option=("--${form#*:}")
	fi
	"$outboard" plugin new "$kind" "${option[@]}" "$name" >"$work/new"
	expect "files of a new $form" "$(tr '\n' ' ' <"$work/new")" "$name/$name.c $name/CMakeLists.txt $name/README.md "
	if grep -rnE 'skeleton|@' "$work/$name"; then
		fail "a placeholder was left"
	fi
	build_and_check "$work/$name"
	cp "$built/$name.so" "$work"
	# A plugin may also be compiled as C++.
	if [ "$kind" = auth ] || [ "$form" = transport:wrapper ]; then
		g++ -x c++ -std=c++20 -Wall -Wextra -Wpedantic -Wno-missing-field-initializers -Werror -fsyntax-only \
			-I "$OB_TEST_STAGE/include" "$name/$name.c" || fail "$form is not C++"
	fi
done
cmp my-auth/my-auth.c <(sed 's/my-exchange/my-auth/g' my-exchange/my-exchange.c) || fail "the default is another form"

# Existing files are not changed, and invalid names are refused.
status=0
"$outboard" plugin new codec other my-codec 2>"$work/refusal" || status=$?
expect "status of a directory in use" "$status" 2
expect "its files" "$(cd my-codec && echo *)" "CMakeLists.txt README.md my-codec.c"
for words in "nonsense x" "codec --seal x" "auth --wrapper x" "auth --seal --admit x" "codec Big" "transport under_score" "codec"; do
	status=0
	# shellcheck disable=SC2086 # words are words
	"$outboard" plugin new $words 2>"$work/refusal" || status=$?
	expect "status of $words" "$status" 2
	[ -s "$work/refusal" ] || fail "nothing is said about $words"
done

# Each works for a child. The settings reach both ends.
built=$work
auth='"auth": ["my-admit", {"use": "my-seal", "settings": {"realm": "here"}, "child_settings": "same"},
	{"use": "my-exchange", "settings": {"realm": "there"}, "child_settings": "same"}]'
echo '{"auth": {"my-seal": {"realm": "here"}, "my-exchange": {"realm": "there"}}}' >"$work/settings.json"
supervise "\"codec\": \"my-codec\", $auth, \"listen\": \"my-transport://$work/socket\""
call() {
	"$outboard" call --settings "$work/settings.json" "$kv" "$@"
}
expect "kv.set" "$(call kv.set '["colour", "blue"]')" '"blue"'
expect "kv.get" "$(call kv.get '["colour"]')" '"blue"'
[ -S "$work/socket" ] || fail "it listens elsewhere"
stop_supervisor

rm "$work/log"
supervise "\"listen\": \"my-wrapper+unix://$work/socket\", \"transport\": {\"use\": \"my-wrapper\", \"settings\": {\"piece\": 7}}"
expect "kv.set through the wrapper" "$("$outboard" call "$kv" kv.set '["colour", "red"]')" '"red"'
