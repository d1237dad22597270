#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The example of an authenticator is built out of tree, checked, and used by a config.
. "$(dirname "$0")/plugin.sh"

build_and_check "$OB_TEST_SOURCE/examples/plugin-peeruid"
supervise '"auth": ["peeruid", "token"], "env": {"PEERUID_ALLOW": "65533"}'
expect "kv.set" "$("$outboard" call "$kv" kv.set '["colour", "blue"]')" '"blue"'
expect "its config" "$(grep -o '"auth":"[^"]*"' "$kv/outboard.json")" '"auth":"peeruid,token"'

# as USER ALLOWED: a call by another user who, like root, may read all files: only the plugin can refuse it.
as() {
	PEERUID_ALLOW=$2 setpriv --reuid "$1" --regid "$1" --clear-groups --inh-caps=+dac_override --ambient-caps=+dac_override \
		"$outboard" call "$kv" kv.get '["colour"]'
}
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null && as 65533 0 >/dev/null 2>&1; then
	expect "a user on both lists" "$(as 65533 0)" '"blue"'
	for list in 65532,0 ,0 0x0 ""; do
		status=0
		as 65533 "$list" 2>"$work/refusal" >/dev/null || status=$?
		[ "$list" = 65532,0 ] && expect "status, 0 being second" "$status" 0 && continue
		expect "status of a list \"$list\"" "$status" 3
		expect "refusal" "$(sed 's/.*peeruid/peeruid/' "$work/refusal")" "peeruid: user 0 is not allowed"
	done
	status=0
	as 65532 0 2>"$work/refusal" >/dev/null || status=$?
	expect "status of a user whom the child does not allow" "$status" 3
else
	echo "not root, or no setpriv: no call by another user was tried"
fi
