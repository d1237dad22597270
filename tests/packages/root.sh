# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# A root to install packages in: what this machine has, behind a layer that takes all that is written and is gone at the end.
# The rest of the test runs in it, in namespaces of its own.
set -euo pipefail
export LC_ALL=C
umask 022

skip() {
	echo "SKIP: $1"
	exit 77
}

fail() {
	printf '%s\n' "$*"
	exit 1
}

if [ -z "${OB_TEST_ROOT:-}" ]; then
	[ "$(id -u)" = 0 ] || skip "packages are installed by root"
	[ -d "$OB_TEST_PACKAGES/1" ] || skip "the packages were not built"
	command -v unshare >/dev/null || skip "unshare is not installed (util-linux)"
	dpkg -s outboard liboutboard0 liboutboard-dev >/dev/null 2>&1 && skip "packages of outboard are installed on this machine"
	OB_TEST_ROOT=$(mktemp -d)
	export OB_TEST_ROOT
	trap 'rmdir "$OB_TEST_ROOT"' EXIT
	# The processes of the test end with the namespace.
	unshare --mount --pid --fork --kill-child "$0" && status=0 || status=$?
	exit "$status"
fi

if [ ! -e /inside-the-test ]; then
	mount -t tmpfs none "$OB_TEST_ROOT"
	mkdir "$OB_TEST_ROOT"/{upper,work,root}
	mount -t overlay overlay -o "lowerdir=/,upperdir=$OB_TEST_ROOT/upper,workdir=$OB_TEST_ROOT/work" "$OB_TEST_ROOT/root" 2>/dev/null ||
		skip "the root of this machine cannot be the lower layer of an overlay"
	root=$OB_TEST_ROOT/root
	mount -t proc proc "$root/proc"
	mount --rbind /dev "$root/dev"
	mount -t tmpfs none "$root/tmp"
	mkdir "$root/tmp/source" "$root/tmp/packages" "$root/tmp/upper"
	mount --bind "$OB_TEST_ROOT/upper" "$root/tmp/upper"
	mount --bind "$OB_TEST_SOURCE" "$root/tmp/source"
	mount --bind "$OB_TEST_PACKAGES" "$root/tmp/packages"
	touch "$root/inside-the-test"
	exec env -u OUTBOARD_PLUGIN_PATH -u LD_LIBRARY_PATH PATH=/usr/sbin:/usr/bin:/sbin:/bin OB_TEST_SOURCE=/tmp/source OB_TEST_PACKAGES=/tmp/packages \
		chroot "$root" "/tmp/source/tests/packages/${0##*/}"
fi

# install RELEASE [PACKAGE...]: without names, all four. Dependencies must be there: nothing is forced.
install() {
	local release=$1 package files=()
	shift
	[ $# -gt 0 ] || set -- outboard-plugins liboutboard0 liboutboard-dev outboard
	for package; do files+=("$OB_TEST_PACKAGES/$release/${package}_"*.deb); done
	dpkg -i "${files[@]}" >/tmp/dpkg.log 2>&1 || fail "$(cat /tmp/dpkg.log)"
}
work=/tmp/work
mkdir "$work"
cd "$work"
