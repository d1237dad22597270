#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The layout of the sources: which folder may include which, and what only one file may call.
set -euo pipefail
export LC_ALL=C

cd "${OB_TEST_SOURCE:-$(dirname "$0")/../..}"
mapfile -t everything <tests/source/directories.txt
plugins=(common transports codecs auth)
plugin_headers="abi|value|transport|codec|auth"
user_headers="outboard|agent|cgroup|check|child|client|config|connector|file|json|log|plugin|runtime|server|watch"
core="base|json|loop|plugin|access|process|log|rpc|files|place|supervisor|api|server|agent"
bad=0

# must_not RULE FOUND: report the rule as broken unless FOUND is empty.
must_not() {
	if [ -n "$2" ]; then
		printf '%s:\n%s\n' "$1" "$2"
		bad=1
	fi
}

# lines PATTERN DIR...: print the lines of C files that match, as FILE:LINE:TEXT. A directory may be missing.
lines() {
	grep -rnE --include='*.[ch]' -e "$1" "${@:2}" 2>/dev/null || true
}

# includes WHAT DIR...: print the include lines whose target begins with WHAT.
includes() {
	lines "^[[:space:]]*#[[:space:]]*include[[:space:]]*$1" "${@:2}"
}

# but_for PATTERN: drop the lines that match.
but_for() {
	grep -vE -e "$1" || true
}

must_not "An include climbs out of its directory" "$(includes '"\.\./' "${everything[@]}")"

# The rank of a folder of core/. A folder may include itself and folders of lower rank.
rank_of() {
	case $1 in
	base) echo 0 ;;
	json | loop | plugin | access) echo 1 ;;
	process | log | rpc) echo 2 ;;
	files) echo 3 ;;
	place) echo 4 ;;
	supervisor) echo 5 ;;
	api) echo 6 ;;
	server) echo 7 ;;
	agent) echo 8 ;;
	*) echo 99 ;;
	esac
}

# upward FOLDER: print the includes of core/FOLDER of another folder with the same rank or a higher one.
upward() {
	local line target
	includes '"' "core/$1" | while IFS= read -r line; do
		target=${line#*\"}
		target=${target%%/*}
		if [ "$target" != "$1" ] && [ "$(rank_of "$target")" -ge "$(rank_of "$1")" ]; then
			printf '%s\n' "$line"
		fi
	done
}

for folder in core/*/; do
	folder=$(basename "$folder")
	must_not "core/$folder has no rank in this script" "$([ "$(rank_of "$folder")" != 99 ] || echo "core/$folder")"
	must_not "core/$folder includes a folder that is not below it" "$(upward "$folder")"
done
must_not "Two files of core/ have the same name" "$(find core -name '*.[ch]' -printf '%f\n' | sort | uniq -d)"

# The folders above rpc/ use rpc/connection.h.
must_not "A session is used outside core/rpc" "$(includes '"rpc/(session|answer|authentication|dispatch|receive)\.h"' core cli |
	but_for '^core/rpc/')"

# Pure files: no descriptor, no clock, no libev, no dlopen. Tests run them as tables, and fuzzers drive them.
pure="core/json/*.[ch] core/access/*.[ch] core/base/uri.[ch] core/base/value.[ch] core/base/arena.[ch]
	core/base/buf.[ch] core/base/duration.[ch] core/base/names.[ch] core/base/string_list.[ch] core/base/text.[ch]
	core/base/number_range.[ch] core/base/options.[ch] core/base/placeholders.[ch] core/base/signal_names.[ch] core/log/line.[ch] core/log/render.[ch] core/log/time.[ch]
	core/log/queue.[ch] core/log/ring.[ch] core/process/cgroup_text.[ch] core/process/cgroup_limits.[ch] core/supervisor/exit_reason.[ch]
	core/base/id_map.[ch] core/log/pace.h core/log/printable.h
	core/rpc/session.[ch] core/rpc/answer.[ch] core/rpc/authentication.[ch] core/rpc/dispatch.[ch] core/rpc/receive.[ch]
	core/agent/agent_hosts.[ch] core/agent/agent_spool.[ch]
	core/place/agent_options.[ch] core/place/agent_wire.[ch]
	core/rpc/limits.h core/rpc/hello.h core/rpc/call.[ch] core/rpc/batch.[ch] core/rpc/pending.[ch]
	core/rpc/handshake.[ch] core/rpc/sealed_records.[ch] core/rpc/replay_cache.[ch] core/files/child_config.[ch] core/files/child_address.[ch]
	core/supervisor/lifecycle.[ch] core/supervisor/lifecycle_names.c core/supervisor/machine.[ch] core/supervisor/backoff.[ch]
	core/supervisor/child_run.[ch] core/supervisor/hello_judge.[ch] core/supervisor/give_up.[ch] cli/config/order_graph.[ch] cli/config/where.[ch]"
for file in $pure; do
	[ -e "$file" ] || must_not "The list of pure files names a missing file" "$file"
done
# shellcheck disable=SC2086 # the list is of words
must_not "A pure file uses descriptors, clocks, the loop or dlopen" "$(lines \
	'#[[:space:]]*include[[:space:]]*(<(unistd|fcntl|poll|dlfcn|ev|sys/(socket|stat|epoll|timerfd|inotify|wait)|pthread)\.h>|"(loop/|base/clock))|(^|[^>.[:alnum:]_])(clock_gettime|time|open|read|write|close|dlopen)\(' \
	$pure)"
must_not "A public header includes a file that is not installed" "$(includes '"' include)"
must_not "A public header is not in the list" \
	"$(find include -type f | but_for "/outboard/($plugin_headers|$user_headers)\\.h\$")"

# A plugin includes the public headers for plugins and its own files. The one exception is core/json for the codec json.
must_not "A plugin includes a header of the core" \
	"$(includes "\"($core)/" "${plugins[@]}" | but_for '^codecs/json(_canonical)?\.c:.*"json/json(_skim)?\.h"')"
must_not "What plugins share includes more than a plugin may" "$(includes '"' common | but_for '"common/')"
must_not "A conformance suite includes more than a plugin may" \
	"$(includes '"' conformance | but_for '"conformance/')"
must_not "A plugin includes a header for users" "$(includes "<outboard/($user_headers)\\.h>" "${plugins[@]}")"
must_not "An example includes a header that is not for users" \
	"$(includes "[<\"](outboard|$core)/" examples | but_for '<outboard/outboard\.h>|^examples/plugin[-/]')"

must_not "The command includes more than base/ and json/ of core/, and auth/keys for keys" \
	"$(includes '"' cli | but_for '"(cli|conformance|base|json)/|^cli/key/.*"auth/keys/')"

# A supervisor reaches a process, its files and its pipes through a place only. What a place reports has types of files/.
must_not "core/supervisor reaches past place/place.h" "$(
	includes '"(process|files)/' core/supervisor | but_for '"files/(restart_state|child_address)\.h"'
	includes '"place/' core/supervisor | but_for '"place/place\.h"'
	lines '\bobi_(process|procid|datadir|fifo|spawn|statefile|orphans|child_config|place_local)_[a-z_]+\(' core/supervisor
)"
must_not "libev is included outside core/loop/loop.c" \
	"$(includes '[<"]ev(\+\+)?\.h' core cli "${plugins[@]}" | but_for '^core/loop/loop\.c:')"
must_not "dlopen is called outside core/plugin/loader.c" \
	"$(lines '\bdlm?open[[:space:]]*\(' core cli "${plugins[@]}" | but_for '^core/plugin/loader\.c:')"
must_not "fork() is called" "$(lines '\bv?fork[[:space:]]*\([[:space:]]*\)' core cli examples bench tests "${plugins[@]}")"

# A test waits for an event.
must_not "A test sleeps" "$(lines '\b(u|nano|clock_nano)?sleep[[:space:]]*\(' tests examples)"

must_not "The first line is not the licence" "$(find "${everything[@]}" -name '*.[ch]' -exec awk \
	'FNR == 1 && $0 != "/* SPDX-License-Identifier: MIT */" { print FILENAME }' {} +)"

[ "$bad" = 0 ] && echo "in order"
