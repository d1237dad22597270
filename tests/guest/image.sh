#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# image.sh OUT INIT KERNEL FILE...: write the initramfs OUT. It contains busybox, first.init and INIT as /init, the modules of
# KERNEL in /modules, and each FILE at its own path with the libraries that it is linked with. All files belong to root.
# Busybox's shell runs /init.
set -euo pipefail
out=$1 init=$2 kernel=$3
shift 3

umask 022 # the loader refuses plugins that others can write to
root=$(mktemp -d)
chmod 755 "$root" # an ordinary user of the guest must get to what is below
trap 'rm -rf "$root"' EXIT

put() {
	mkdir -p "$root$(dirname "$1")"
	[ -e "$root$1" ] || cp -L "$1" "$root$1"
}

mkdir -p "$root"/{bin,dev,proc,sys,run,tmp,root,etc,modules}
cp "$(command -v busybox)" "$root/bin/busybox"
cp "$kernel"/modules/*.ko "$root/modules/"
{ echo '#!/bin/busybox sh' && cat "$(dirname "$0")/first.init" "$init"; } >"$root/init"
chmod 755 "$root/init"
for file; do
	put "$file"
	# The libraries and the dynamic linker, at the paths where they are on this machine.
	while IFS= read -r library; do
		put "$library"
	done < <(ldd "$file" 2>/dev/null | sed -nE 's|^[^/]*(/.*) \(0x[0-9a-f]+\)$|\1|p')
done
(cd "$root" && find . -print0 | cpio --quiet --null -o -H newc -R 0:0) >"$out.new"
mv "$out.new" "$out"
