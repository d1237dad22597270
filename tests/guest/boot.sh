#!/bin/sh
# SPDX-License-Identifier: MIT
# boot.sh KERNEL IMAGE LINE ARGUMENT...: run QEMU as the command of a child that lives in the guest. Standard output is the
# guest's serial line. The guest gets the child's config by fw_cfg. The end of this process ends the guest. LINE is added to
# the kernel's command line; the arguments go to QEMU and say how the guest is reached.
kernel=$1 image=$2 line=$3
shift 3
exec qemu-system-x86_64 -M pc -m 256 -nodefaults -no-user-config -display none -no-reboot \
	-kernel "$kernel" -initrd "$image" -append "console=ttyS0 quiet panic=-1 $line" \
	-serial stdio -fw_cfg "name=opt/outboard/config,file=$OUTBOARD_CONFIG" "$@"
