#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh KERNEL COMMAND ARGUMENT...: run it in a guest of our own, where there is a real AF_VSOCK that belongs to nobody else and leads to the
# guest alone (vsock_loopback). The guest is user-mode Linux, with this machine's files as its root; where that does not come up (it has no
# room for the registers of some processors), it is an emulated machine with KERNEL. The guest ends with the command, whose status is
# ours; 77, with the reason, when no guest can be booted here.
set -euo pipefail
. "$(dirname "$0")/qemu.sh"
kernel=$1
shift

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# What is ours alone is kept in a tmpfs of the guest, away from the host's files.
in_user_mode() {
	local uml insmod modules module
	uml=$(command -v linux.uml) || return 1
	insmod=$(PATH=$PATH:/sbin:/usr/sbin command -v insmod) || return 1
	modules=$(ls -d /usr/lib/uml/modules/*/kernel/net/vmw_vsock 2>/dev/null | tail -n 1)
	[ -e "$modules/vsock_loopback.ko" ] || return 1
	{
		echo '#!/bin/sh'
		echo 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH'
		echo 'mount -t proc proc /proc && mount -t sysfs sys /sys && mount -t tmpfs tmpfs /mnt && ip link set lo up'
		for module in vsock vmw_vsock_virtio_transport_common vsock_loopback; do
			echo "$insmod $modules/$module.ko && loaded=$module"
		done
		echo "[ \"\$loaded\" = vsock_loopback ] && echo up >$dir/state"
		echo 'TMPDIR=/mnt OB_TEST_GUEST=1; export TMPDIR OB_TEST_GUEST'
		export -p | grep -E '^declare -x (OUTBOARD|OB_TEST)' | sed 's/^declare -x /export /'
		printf 'timeout 200'
		printf " '%s'" "$@"
		printf ' >%s/output 2>&1\n' "$dir"
		echo "echo \$? >$dir/status"
		echo 'poweroff -f || halt -f || kill -9 1'
	} >"$dir/init"
	chmod 755 "$dir/init"

	# Its console is a file; nobody types.
	HOME=$dir TMPDIR=${TMPDIR:-/tmp} timeout 240 "$uml" mem=768M rootfstype=hostfs root=/dev/root rw init="$dir/init" \
		con=null con0=fd:0,fd:1 quiet "uml_dir=$dir" </dev/null >"$dir/console" 2>&1 || true
	[ -e "$dir/state" ]
}

in_an_emulated_machine() {
	need_qemu "$kernel"
	export OB_TEST_GUEST=1 OB_TEST_PATIENCE=5
	{ cat "$here/loopback.init" && order OUTBOARD_PLUGIN_PATH OB_TEST_{BUILD,GUEST,PATIENCE} -- "$@"; } >"$dir/init"
	"$here/image.sh" "$dir/image" "$dir/init" "$kernel" "$1" "$OUTBOARD_PLUGIN_PATH"/*.so \
		"$OB_TEST_BUILD"/{children/*,test-plugins/newer_transport.so}
	local status=0
	emulate 240 "$dir/output" "$kernel" "$dir/image" -m 512 || status=$?
	echo "$status" >"$dir/status"
}

in_user_mode "$@" 2>"$dir/errors" || in_an_emulated_machine "$@"
cat "$dir/output"
exit "$(cat "$dir/status" 2>/dev/null || echo 1)"
