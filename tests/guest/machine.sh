#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# machine.sh tcp|vsock KERNEL PROGRAM CHILD PLUGINS: run PROGRAM (vm.c) with CHILD in a virtual machine, which is emulated, so that it needs no
# hardware and no rights.
#
#   tcp    the machine is started by PROGRAM, and its port is forwarded to it
#   vsock  a machine plays the host: it has a vhost-vsock of its own, and in it PROGRAM starts the machine of CHILD, which is 42. The
#          AF_VSOCK of this machine is not touched. The outer machine emulates AMD's virtualisation, so the inner one is run by KVM, or
#          else by emulation
#
# The status is PROGRAM's; 77, with the reason, where there is nothing to do it with.
set -euo pipefail
how=$1 kernel=$2 program=$3 child=$4 plugins=$5
. "$(dirname "$0")/qemu.sh"
need_qemu "$kernel"

dir=$(mktemp -d)
# A program that was killed leaves its machine behind.
leave() {
	[ ! -e "$dir/pid" ] || kill -KILL "$(cat "$dir/pid")" 2>/dev/null || true
	rm -rf "$dir"
}
trap leave EXIT

loaded=("$plugins"/{tcp,vsock,msgpack,noise}.so)
"$here/image.sh" "$dir/image" "$here/child.init" "$kernel" "$child" "${loaded[@]}"

# boot LINE OPTION...: the words of the command that starts the machine of the child.
boot() {
	printf '%s\n' "$here/boot.sh" "$kernel/vmlinuz" "$dir/image" "$1 CHILD=$child PLUGINS=$plugins" "${@:2}"
}

export OB_TEST_LISTEN OB_TEST_CONNECT OB_TEST_BOOT OB_TEST_PATIENCE=15
if [ "$how" = tcp ]; then
	OB_TEST_LISTEN=tcp://0.0.0.0:%d OB_TEST_CONNECT=tcp://127.0.0.1:%d
	OB_TEST_BOOT=$(boot NETWORK=tcp -accel tcg -pidfile "$dir/pid" \
		-netdev user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:%d-:%d -device virtio-net-pci,netdev=net,romfile=)
	timeout 500 "$program"
	exit
fi

# What the host needs to start a machine of its own, and how it starts the program.
qemu=$(command -v qemu-system-x86_64)
parts=("$qemu" "$program" "$here/boot.sh" "$kernel/vmlinuz" "$dir/image" "${loaded[@]}")
for part in /usr/share/seabios/bios-256k.bin /usr/share/qemu/{linuxboot_dma,kvmvapic}.bin /usr/lib/*/qemu/accel-tcg-x86_64.so; do
	[ -e "$part" ] || skip "QEMU's $(basename "$part") is not where Debian has it"
	parts+=("$part")
done
OB_TEST_LISTEN=vsock://any:5252 OB_TEST_CONNECT=vsock://42:5252 OUTBOARD_PLUGIN_PATH=$plugins

# in_a_host SECONDS OPTION...: run the program in a machine that plays the host; 124, when that does not end in time.
in_a_host() {
	OB_TEST_BOOT=$(boot NETWORK=vsock "${@:2}" -device vhost-vsock-pci,guest-cid=42)
	{ cat "$here/host.init" && order OUTBOARD_PLUGIN_PATH OB_TEST_{BUILD,LISTEN,CONNECT,BOOT,PATIENCE} -- "$program"; } >"$dir/init"
	"$here/image.sh" "$dir/host" "$dir/init" "$kernel" "${parts[@]}"
	emulate "$1" "$dir/output" "$kernel" "$dir/host" -cpu qemu64,+svm,+npt -smp 2 -m 1024 -pidfile "$dir/pid"
}

# Emulated virtualisation stands still now and then, the whole host with it; emulating twice takes four times as long, and does not.
status=0
in_a_host 180 -accel kvm -accel tcg || status=$?
if [ "$status" = 124 ]; then
	echo "it did not end with KVM in the emulated host; once more, without. So far it told:"
	tail -n 5 "$dir/output" | tr '[]' '()'
	status=0
	in_a_host 390 -accel tcg || status=$?
fi
cat "$dir/output"
exit "$status"
