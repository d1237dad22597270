#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The packages are installed into a root, used as the README says, and removed without remains.
. "$(dirname "$0")/root.sh"

# What was written behind the lower layer, but for the records of dpkg and of the linker.
files() {
	find /tmp/upper ! -type d -printf '%P\n' | grep -vE '^(var/(lib/dpkg|log|cache|lib/man-db)/|etc/ld\.so\.cache$)' | sort
	find /tmp/upper -name '*outboard*' -not -path '*/var/*' | sort
}
files >/tmp/before

# Each needs what it says, and no more: the dependencies of the command are enough to run it.
dpkg -i "$OB_TEST_PACKAGES"/1/liboutboard0_*.deb >/tmp/dpkg.log 2>&1 && fail "the library was installed without the plugins"
grep -q "depends on outboard-plugins" /tmp/dpkg.log || fail "$(cat /tmp/dpkg.log)"
install 1 outboard-plugins liboutboard0 outboard
outboard --version
[ "$(outboard plugin list | grep -c '^[a-z]')" -ge 15 ] || fail "$(outboard plugin list)"
[ ! -e /usr/include/outboard ] || fail "headers without the package for development"
ldconfig -p | grep -q "liboutboard.so.0 .*=> /lib/.*/liboutboard.so.0" || fail "the linker's cache does not know the library"

# The example of the README.
install 1 liboutboard-dev
read -ra flags < <(pkg-config --cflags --libs outboard)
for program in parent child; do
	cc -std=c11 -Wall -Werror -o "hello-$program" "$OB_TEST_SOURCE/examples/hello/$program.c" "${flags[@]}"
done
./hello-parent "$work/hello" "$work/hello-child" >output || fail "$(cat output)"
[ "$(sort output)" = "hello logs: greeted
the child answers: Hello, world!" ] || fail "$(cat output)"
cat output
bash -c '. /usr/share/bash-completion/completions/outboard; COMP_WORDS=(outboard rel); COMP_CWORD=1; _outboard; echo "${COMPREPLY[@]}"' |
	grep -qx reload || fail "no completion"

for package in liboutboard0 liboutboard-dev outboard outboard-plugins; do
	grep -q "Permission is hereby granted" "/usr/share/doc/$package/copyright" || fail "$package: no licence"
done

if command -v pandoc >/dev/null; then
	for page in man1/outboard.1 man5/outboard-run.json.5 man5/outboard.json.5 man7/outboard-plugin.7 man7/outboard-protocol.7; do
		gzip -t "/usr/share/man/$page.gz" || fail "no manual page $page"
	done
fi

dpkg --purge outboard liboutboard-dev liboutboard0 outboard-plugins >/tmp/dpkg.log 2>&1 || fail "$(cat /tmp/dpkg.log)"
files >/tmp/after
diff /tmp/before /tmp/after || fail "a removal leaves files, or takes some"
echo "nothing is left after the removal"
