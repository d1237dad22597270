#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh KERNEL COMMAND ARGUMENT...: run the command in a guest that has its own AF_VSOCK, which reaches only the guest itself
# (vsock_loopback). The guest is user-mode Linux with the files of this machine as its root. If that does not start (it has no
# room for the registers of some processors), or if OB_TEST_GUEST_KIND is "machine", the guest is an emulated machine with KERNEL.
# The guest ends with the command. The status is that of the command; 77, with the reason, if no guest can be started.
set -euo pipefail
. "$(dirname "$0")/qemu.sh"
kernel=$1
shift

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# In user-mode Linux the files belong to the users of this machine, and the loader in the guest, as root, refuses plugins of
# other users. So the guest copies plugins and children into a tmpfs, where they belong to root.
in_user_mode() {
	local uml insmod modules module
	uml=$(command -v linux.uml) || return 1
	insmod=$(PATH=$PATH:/sbin:/usr/sbin command -v insmod) || return 1
	modules=$(find /usr/lib/uml/modules -path '*/kernel/net/vmw_vsock' -type d 2>/dev/null | tail -n 1)
	[ -e "$modules/vsock_loopback.ko" ] || return 1
	{
		echo '#!/bin/sh'
		echo 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH'
		echo 'mount -t proc proc /proc && mount -t sysfs sys /sys && mount -t tmpfs tmpfs /mnt && ip link set lo up'
		for module in vsock vmw_vsock_virtio_transport_common vsock_loopback; do
			echo "$insmod $modules/$module.ko && loaded=$module"
		done
		# shellcheck disable=SC2016 # the guest expands it
		printf '[ "$loaded" = vsock_loopback ] && echo up >%q\n' "$dir/state"
		echo 'umask 022; mkdir /mnt/tmp /mnt/build'
		printf 'cp -R %q /mnt/build/plugins\n' "$OUTBOARD_PLUGIN_PATH"
		printf 'cp -R %q %q /mnt/build\n' "$OB_TEST_BUILD/children" "$OB_TEST_BUILD/test-plugins"
		echo 'chmod -R go-w /mnt/build'
		export -p | grep -E '^declare -x (OUTBOARD|OB_TEST)' | sed 's/^declare -x /export /'
		echo 'export TMPDIR=/mnt/tmp OB_TEST_GUEST=1 OB_TEST_BUILD=/mnt/build OUTBOARD_PLUGIN_PATH=/mnt/build/plugins'
		printf 'timeout 200'
		printf ' %q' "$@"
		printf ' >%q 2>&1\n' "$dir/output"
		printf 'echo $? >%q\n' "$dir/status"
		echo 'poweroff -f || halt -f || kill -9 1'
	} >"$dir/init"
	chmod 755 "$dir/init"

	# The console is a file.
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

{ [ "${OB_TEST_GUEST_KIND:-}" != machine ] && in_user_mode "$@" 2>"$dir/errors"; } || in_an_emulated_machine "$@"
cat "$dir/output"
exit "$(cat "$dir/status" 2>/dev/null || echo 1)"
