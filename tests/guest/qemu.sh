# SPDX-License-Identifier: MIT
# What the scripts here share that start emulated machines.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

skip() {
	echo "skipped: $1"
	exit 77
}

# need_qemu KERNEL: be skipped where a machine cannot be emulated.
need_qemu() {
	local pair
	for pair in qemu-system-x86_64:qemu-system-x86 busybox:busybox-static cpio:cpio; do
		command -v "${pair%:*}" >/dev/null || skip "there is no ${pair%:*} (package ${pair#*:})"
	done
	! ldd "$(command -v busybox)" >/dev/null 2>&1 || skip "busybox needs libraries (package busybox-static)"
	[ -e "$1/vmlinuz" ] || skip "there is no kernel for a guest"
}

# order NAME... -- COMMAND...: what makes an init script run COMMAND with these variables of ours.
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

# emulate SECONDS OUTPUT KERNEL IMAGE OPTION...: start a machine; what it tells is in OUTPUT. The status is what it ran ended with; 124, when it
# did not end in time, or nothing was run.
emulate() {
	local seconds=$1 output=$2 kernel=$3 image=$4 status
	shift 4
	timeout "$seconds" qemu-system-x86_64 -M pc -accel tcg -nodefaults -no-user-config -display none -no-reboot \
		-kernel "$kernel/vmlinuz" -initrd "$image" -append "console=ttyS0 quiet panic=-1" -serial stdio "$@" \
		</dev/null >"$output" || true
	status=$(sed -n 's/^the status is \([0-9]*\).*$/\1/p' "$output")
	return "${status:-124}"
}
