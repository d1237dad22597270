#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# reference.sh BUILD: Doxygen makes the reference of the public headers without a warning, and each function has its text there.
set -euo pipefail

if ! command -v doxygen >/dev/null; then
	echo "SKIP: doxygen is not installed"
	exit 77
fi
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
sed "s|^OUTPUT_DIRECTORY .*|OUTPUT_DIRECTORY = $build|" "$1/Doxyfile" >"$build/Doxyfile"
doxygen "$build/Doxyfile"

pages=$build/html
# One word of a comment before a function, of one behind a member, and of a table, which is shown as it is.
for words in "connector_8h:Wait until the child is in a state" "structob__agent__options:bytes of memory" \
	"connector_8h:<pre class=\"fragment\">  *OB_EDOWN  *the state will not come"; do
	grep -q -- "${words#*:}" "$pages/${words%%:*}.html" || { echo "${words%%:*}.html has no \"${words#*:}\"" && exit 1; }
done
for header in "$OB_TEST_SOURCE"/include/outboard/*.h; do
	name=$(basename "$header" .h)
	[ -f "$pages/${name}_8h.html" ] || { echo "there is no page of $name.h" && exit 1; }
done
echo "$(find "$pages" -name '*.html' | wc -l) pages"
