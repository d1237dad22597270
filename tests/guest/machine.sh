#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# machine.sh tcp|vsock KERNEL PROGRAM CHILD PLUGINS: run PROGRAM (vm.c) with CHILD in a virtual machine. The machine is
# emulated: it needs no hardware and no privileges.
#
#   tcp    PROGRAM starts the machine; a port of this machine is forwarded to it. The child's log is the console
#   vsock  an outer machine is the host. It has its own vhost-vsock, and in it PROGRAM starts the machine of CHILD, with CID 42,
#          by the recipe of docs/VMS.md; CHILD is one static file. The AF_VSOCK of this machine is not used. The outer machine
#          emulates AMD's virtualisation: KVM runs the inner one, or else QEMU emulates it
#
# The status is that of PROGRAM; 77, with the reason, if something that it needs is missing.
set -euo pipefail
how=$1 kernel=$2 program=$3 child=$4 plugins=$5
. "$(dirname "$0")/qemu.sh"
need_qemu "$kernel"

dir=$(mktemp -d)
# The machine may still run when the program was killed.
leave() {
	[ ! -e "$dir/pid" ] || kill -KILL "$(cat "$dir/pid")" 2>/dev/null || true
	rm -rf "$dir"
}
trap leave EXIT

loaded=("$plugins"/{tcp,vsock,msgpack,noise}.so)

# boot LINE OPTION...: print the words of the command that starts the machine of the child, one per line.
boot() {
	printf '%s\n' "$here/boot.sh" "$kernel/vmlinuz" "$dir/image" "$1 CHILD=\"$child\" PLUGINS=\"$plugins\"" "${@:2}"
}

export OB_TEST_LISTEN OB_TEST_CONNECT OB_TEST_BOOT OB_TEST_PATIENCE=15
if [ "$how" = tcp ]; then
	"$here/image.sh" "$dir/image" "$here/child.init" "$kernel" "$child" "${loaded[@]}"
	OB_TEST_LISTEN=tcp://0.0.0.0:%d OB_TEST_CONNECT=tcp://127.0.0.1:%d
	OB_TEST_BOOT=$(boot NETWORK=tcp -accel tcg -pidfile "$dir/pid" \
		-netdev user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:%d-:%d -device virtio-net-pci,netdev=net,romfile=)
	timeout 500 "$program"
	exit
fi

# The files that the outer machine needs for the program and the inner machine.
"$OB_TEST_SOURCE/scripts/make-guest" --kernel "$kernel" "$dir/guest" "$child"
qemu=$(command -v qemu-system-x86_64)
parts=("$qemu" "$program" "$dir/guest/vmlinuz" "$dir/guest/initrd" "${loaded[@]}")
for part in /usr/share/seabios/bios-256k.bin /usr/share/qemu/{linuxboot_dma,kvmvapic}.bin /usr/lib/*/qemu/accel-tcg-x86_64.so; do
	[ -e "$part" ] || skip "QEMU: $part is missing (package qemu-system-x86)"
	parts+=("$part")
done
OB_TEST_LISTEN=vsock://any:5252 OB_TEST_CONNECT=vsock://42:5252 OUTBOARD_PLUGIN_PATH=$plugins
export OB_TEST_AGAIN=1

# in_a_host SECONDS ACCELERATORS: run the program in the outer machine; 124 if it did not end in time. ACCELERATORS replaces
# those of the recipe.
in_a_host() {
	# shellcheck disable=SC2016 # it is the page's text
	OB_TEST_BOOT=$("$here/recipe.py" "$OB_TEST_SOURCE/docs/VMS.md" qemu-vsock /usr/local/share/example="$dir" '${cid}=42' \
		'"-accel", "kvm", "-accel", "tcg"'="$2")
	{ cat "$here/host.init" && order OUTBOARD_PLUGIN_PATH OB_TEST_{BUILD,LISTEN,CONNECT,BOOT,PATIENCE,AGAIN} -- "$program"; } >"$dir/init"
	"$here/image.sh" "$dir/host" "$dir/init" "$kernel" "${parts[@]}"
	emulate "$1" "$dir/output" "$kernel" "$dir/host" -cpu qemu64,+svm,+npt -smp 2 -m 1024 -pidfile "$dir/pid"
}

# With KVM in the emulated host, the whole host sometimes stands still. Emulating twice takes four times as long and does not.
status=0
in_a_host 300 '"-accel", "kvm", "-accel", "tcg"' || status=$?
if [ "$status" = 124 ]; then
	echo "timeout with KVM in the emulated host; next try without KVM. The last output was:"
	tail -n 5 "$dir/output" | tr '[]' '()'
	status=0
	in_a_host 600 '"-accel", "tcg"' || status=$?
fi
cat "$dir/output"
exit "$status"
