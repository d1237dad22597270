#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The authenticator of the README: compiled as documented, installed, named in a config.
. "$(dirname "$0")/common.sh"

plugins=$data/plugins
mkdir -m 0755 "$plugins"
${CC:-cc} -std=c11 -Wall -Wextra -Werror -shared -fPIC -I"$OB_TEST_SOURCE/include" -o "$plugins/samegroup.so" \
	"$OB_TEST_SOURCE/examples/plugin/samegroup.c"
chmod 0755 "$plugins/samegroup.so"

cat >"$data/config.json" <<END
{
  "data_root": "$data/children",
  "plugin_path": ["${OUTBOARD_PLUGIN_PATH%%:*}", "$plugins"],
  "children": {"kv": {"command": ["$bin/kv-child"], "auth": ["samegroup", "token"], "restart": {"backoff_base": "100ms"}}}
}
END
export OUTBOARD_PLUGIN_PATH=$OUTBOARD_PLUGIN_PATH:$plugins
expect "check" "$("$bin/outboard" check "$data/config.json")" "$data/config.json: fine, 1 child"
expect "plugin list" "$("$bin/outboard" plugin list | awk '$1 == "samegroup" { print $1, $2, $3 }')" "samegroup authenticator 1"

expect "plugin check" "$("$bin/outboard" plugin check "$plugins/samegroup.so" | tail -1)" \
	"$plugins/samegroup.so: 8 held, 0 broken, 4 skipped"

mkfifo "$data/log"
"$bin/outboard" run "$data/config.json" >"$data/log" &
run=$!
trap 'kill "$run" 2>/dev/null || true; wait "$run" || true; rm -rf "$data"' EXIT
exec 5<"$data/log"
while read -r -t 60 line <&5 && [[ $line != *"[kv] ready"* ]]; do :; done
cat <&5 >/dev/null &

kv=$data/children/kv
expect "set" "$("$bin/outboard" call "$kv" kv.set '["colour", "blue"]')" '"blue"'
expect "its config" "$(grep -o '"auth":"[^"]*"' "$kv/outboard.json")" '"auth":"samegroup,token"'

# Root can enter the directory with any group; only the plugin refuses.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	status=0
	setpriv --regid 65533 --clear-groups "$bin/outboard" call "$kv" kv.get '["colour"]' 2>"$data/refusal" || status=$?
	expect "status of another group" "$status" 3
	expect "refusal" "$(sed 's/.*samegroup/samegroup/' "$data/refusal")" "samegroup: group $(id -g) is not allowed"
fi
