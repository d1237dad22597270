#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Install the build into the stage, under a umask that would make files which the loader refuses.
set -euo pipefail

umask 002
rm -rf "$OB_TEST_STAGE"
"$OB_TEST_CMAKE" --install "$OB_TEST_BUILD" --prefix "$OB_TEST_STAGE" >"$OB_TEST_BUILD/stage.log"

library=$OB_TEST_STAGE/$OB_TEST_LIBDIR
bad=0
for header in "$OB_TEST_SOURCE"/include/outboard/*.h; do
	cmp -s "$header" "$OB_TEST_STAGE/include/outboard/${header##*/}" || { echo "not installed: $header" && bad=1; }
done
for file in "$library"/liboutboard.a "$library"/cmake/outboard/outboardConfig.cmake \
	"$library"/cmake/outboard/outboardConfigVersion.cmake "$library"/cmake/outboard/OutboardPlugin.cmake "$library"/pkgconfig/outboard.pc \
	"$library"/outboard/plugins/{unix,msgpack,token,bearer,peercred,noise,keys,certificate,tls}.so "$OB_TEST_STAGE"/bin/outboard; do
	[ -e "$file" ] || { echo "not installed: ${file#"$OB_TEST_STAGE"/}" && bad=1; }
done
# Others may write nothing that was installed, and no run path leads to the build tree: only the command has one, to its library.
writable=$(find "$OB_TEST_STAGE" ! -type l -perm /022 -printf '%P ')
[ -z "$writable" ] || { echo "others may write: $writable" && bad=1; }
rpath=$(find "$OB_TEST_STAGE" -type f \( -name '*.so*' -o -path '*/bin/*' \) -exec readelf -d {} + |
	grep -E 'R(UN)?PATH' | grep -vF "[\$ORIGIN/" || true)
[ -z "$rpath" ] || { echo "a run path is left: $rpath" && bad=1; }
[ "$bad" = 0 ] && find "$OB_TEST_STAGE" ! -type d -printf '%M %P\n' | sort -k 2
