# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Shared by the scripts here that start emulated machines.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

skip() {
	echo "skipped: $1"
	exit 77
}

# need_qemu KERNEL: skip the test if no machine can be emulated here.
need_qemu() {
	local pair
	for pair in qemu-system-x86_64:qemu-system-x86 busybox:busybox-static cpio:cpio; do
		command -v "${pair%:*}" >/dev/null || skip "${pair%:*} is not installed (package ${pair#*:})"
	done
	! ldd "$(command -v busybox)" >/dev/null 2>&1 || skip "busybox is not linked statically (package busybox-static)"
	[ -e "$1/vmlinuz" ] || skip "no kernel for a guest: $1/vmlinuz is missing"
}

# order NAME... -- COMMAND...: print lines for an init script that run COMMAND with these variables of this process.
order() {
	while [ "$1" != -- ]; do
		printf 'export %s=%q\n' "$1" "${!1}"
		shift
	done
	shift
	printf 'run'
	printf ' %q' "$@"
	printf '\n'
}

# emulate SECONDS OUTPUT KERNEL IMAGE OPTION...: start a machine and write its output to OUTPUT. The status is that of its
# command; 124 if it did not end in time, or ran no command.
emulate() {
	local seconds=$1 output=$2 kernel=$3 image=$4 status
	shift 4
	timeout "$seconds" qemu-system-x86_64 -M pc -accel tcg -nodefaults -no-user-config -display none -no-reboot \
		-kernel "$kernel/vmlinuz" -initrd "$image" -append "console=ttyS0 quiet panic=-1" -serial stdio "$@" \
		</dev/null >"$output" || true
	status=$(sed -n 's/^exit status \([0-9]*\).*$/\1/p' "$output")
	return "${status:-124}"
}
