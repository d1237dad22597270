#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh COMMAND ARGUMENT...: run it in a guest of our own, where there is a real AF_VSOCK that belongs to nobody else: user-mode
# Linux, with this machine's files as its root and vsock_loopback. The guest ends with the command, whose status is ours; 77, with
# the reason, when no guest can be booted here.
set -euo pipefail

skip() {
	echo "skipped: $1"
	exit 77
}

[ "$1" != --skip ] || skip "$2"
kernel=$(command -v linux.uml) || skip "there is no linux.uml (package user-mode-linux)"
insmod=$(PATH=$PATH:/sbin:/usr/sbin command -v insmod) || skip "there is no insmod (package kmod)"
modules=$(ls -d /usr/lib/uml/modules/*/kernel/net/vmw_vsock 2>/dev/null | tail -n 1)
[ -e "$modules/vsock_loopback.ko" ] || skip "the guest's kernel has no vsock_loopback"

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# What is ours alone is kept in a tmpfs of the guest, away from the host's files.
{
	echo '#!/bin/sh'
	echo 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH'
	echo 'mount -t proc proc /proc && mount -t sysfs sys /sys && mount -t tmpfs tmpfs /mnt && ip link set lo up'
	for module in vsock vmw_vsock_virtio_transport_common vsock_loopback; do
		echo "$insmod $modules/$module.ko && loaded=$module"
	done
	echo "[ \"\$loaded\" = vsock_loopback ] && echo up >$dir/state"
	echo 'TMPDIR=/mnt OB_TEST_GUEST=1; export TMPDIR OB_TEST_GUEST'
	export -p | grep -E '^declare -x (OUTBOARD|OB_TEST|ASAN|UBSAN|TSAN)' | sed 's/^declare -x /export /'
	printf 'timeout 200'
	printf " '%s'" "$@"
	printf ' >%s/output 2>&1\n' "$dir"
	echo "echo \$? >$dir/status"
	echo 'poweroff -f || halt -f || kill -9 1'
} >"$dir/init"
chmod 755 "$dir/init"

# Its console is a file; nobody types.
HOME=$dir TMPDIR=${TMPDIR:-/tmp} timeout 240 "$kernel" mem=768M rootfstype=hostfs root=/dev/root rw init="$dir/init" \
	con=null con0=fd:0,fd:1 quiet "uml_dir=$dir" </dev/null >"$dir/console" 2>&1 || true
[ -e "$dir/state" ] || { tail -n 5 "$dir/console"; skip "no guest can be booted here"; }
cat "$dir/output"
exit "$(cat "$dir/status" 2>/dev/null || echo 1)"
