#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The packages are built twice, as two releases, and lintian has nothing to say that is not explained.
set -euo pipefail
export LC_ALL=C
umask 022

if ! command -v dpkg-shlibdeps >/dev/null; then
	echo "SKIP: dpkg-shlibdeps is not installed (dpkg-dev)"
	exit 77
fi
rm -rf "$OB_TEST_PACKAGES/1" "$OB_TEST_PACKAGES/2"
mkdir -p "$OB_TEST_PACKAGES"
log=$OB_TEST_PACKAGES/build.log
cd "$OB_TEST_SOURCE"
build() {
	"$OB_TEST_CMAKE" --preset package -B "$OB_TEST_PACKAGES/build" && "$OB_TEST_CMAKE" --build "$OB_TEST_PACKAGES/build"
	for release in 1 2; do
		"$OB_TEST_CPACK" -G DEB --config "$OB_TEST_PACKAGES/build/CPackConfig.cmake" -B "$OB_TEST_PACKAGES/$release" \
			-D CPACK_DEBIAN_PACKAGE_RELEASE="$release"
		rm -rf "$OB_TEST_PACKAGES/$release/_CPack_Packages"
	done
}
build >"$log" 2>&1 || { tail -n 30 "$log" && exit 1; }

# expect PACKAGE FIELD PATTERN
expect() {
	local value
	value=$(dpkg-deb -f "$OB_TEST_PACKAGES/1/$1"_*.deb "$2")
	[[ $value =~ $3 ]] || { echo "$1: $2 is \"$value\"" && exit 1; }
	echo "$1: $2: $value"
}
expect liboutboard0 Depends "outboard-plugins \\(= $OB_TEST_VERSION-1\\).*libc6.*libev4.*libsodium23"
expect liboutboard-dev Depends "^liboutboard0 \\(= $OB_TEST_VERSION-1\\)"
expect outboard Depends "liboutboard0 \\(= $OB_TEST_VERSION-1\\).*libsodium23"
expect outboard-plugins Depends "libsodium23.*libssl3"
expect outboard Version "^$OB_TEST_VERSION-1\$"

if ! command -v lintian >/dev/null; then
	echo "lintian is not installed: what it says is not checked"
	exit 0
fi
lintian --allow-root --tag-display-limit 0 "$OB_TEST_PACKAGES"/1/*.deb >"$OB_TEST_PACKAGES/lintian" 2>/dev/null || true
[ ! -s "$OB_TEST_PACKAGES/lintian" ] || { cat "$OB_TEST_PACKAGES/lintian" && exit 1; }
echo "lintian has nothing to say"
