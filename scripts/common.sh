# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Shared by the scripts, which run from the root of the source tree.
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

die() {
	printf '%s: %s\n' "$(basename "$0")" "$1" >&2
	exit 1
}

# have WHAT: whether a command, a file, NAME.pc (pkg-config), NAME.h (the compiler) or NAME.py (Debian's Python) exists.
have() {
	case $1 in
	*.pc) pkg-config --exists "${1%.pc}" ;;
	*.h) echo "#include <$1>" | gcc -E -o /dev/null - ;;
	/*) [ -e "$1" ] ;;
	*.py) /usr/bin/python3 -c "import ${1%.py}" ;;
	*) command -v "$1" ;;
	esac >/dev/null 2>&1
}

# missing WHAT:PACKAGE...: print the packages of what does not exist, each once.
missing() {
	local pair packages=''
	for pair; do
		if ! have "${pair%%:*}" && [[ " $packages" != *" ${pair#*:} "* ]]; then
			packages+="${pair#*:} "
		fi
	done
	printf '%s' "$packages"
}

# can_sudo: whether sudo works here, if need be after a question to the user.
can_sudo() {
	command -v sudo >/dev/null && { sudo -n true 2>/dev/null || { [ -t 0 ] && [ -t 1 ] && sudo true; }; }
}

# install PACKAGE...: install with apt-get and print one line about it. The output of apt-get is shown only if it fails.
install() {
	local as_root=() log
	if ! command -v apt-get >/dev/null; then
		echo "there is no apt-get; please install these packages (names of Debian): $*"
		return 1
	fi
	if [ "$(id -u)" != 0 ]; then
		if ! can_sudo; then
			echo "packages are missing, and only root can install them; please run: apt-get install $*"
			return 1
		fi
		as_root=(sudo)
	fi
	printf 'installing %s ... ' "$*"
	log=$(mktemp)
	if "${as_root[@]}" apt-get update >"$log" 2>&1 &&
		"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
			-o DPkg::Lock::Timeout=300 "$@" >>"$log" 2>&1; then
		echo "done"
		rm -f "$log"
		return 0
	fi
	echo "failed"
	tail -n 8 "$log" | sed 's/^/    /'
	rm -f "$log"
	return 1
}

# need WHAT:PACKAGE...: install what is missing; end if that fails.
need() {
	local packages
	packages=$(missing "$@")
	[ -z "$packages" ] && return
	# shellcheck disable=SC2086 # packages are words
	install $packages || die "required packages are missing: $packages"
	packages=$(missing "$@")
	[ -z "$packages" ] || die "installed, but still not usable: $packages"
}

# want WHAT:PACKAGE...: install what is missing; if that fails, the tests that need it are skipped with a reason.
want() {
	local packages
	packages=$(missing "$@")
	# shellcheck disable=SC2086 # packages are words
	[ -z "$packages" ] || install $packages || echo "continuing without: $packages"
}

# The packages for a build, for the tests, and for the tests with optional packages.
to_build=(gcc:gcc stdlib.h:libc6-dev cmake:cmake ninja:ninja-build pkg-config:pkg-config ev.h:libev-dev
	msgpack.pc:libmsgpack-dev libsodium.pc:libsodium-dev openssl.pc:libssl-dev)
to_lint=(cmocka.pc:libcmocka-dev python3:python3 clang:clang clang-format:clang-format clang-tidy:clang-tidy
	shellcheck:shellcheck)
to_test=("${to_build[@]}" cmocka.pc:libcmocka-dev python3:python3 nm:binutils)
to_test_all=(g++:g++ clang:clang clang++:clang clang-format:clang-format shellcheck:shellcheck msgpack.py:python3-msgpack cryptography.py:python3-cryptography strace:strace
	faketime:faketime node:nodejs npm:npm /usr/share/i18n/locales/de_DE:locales unshare:util-linux prlimit:util-linux
	libcbor.pc:libcbor-dev pam.pc:libpam0g-dev dissononce.py:python3-dissononce
	go:golang-go /usr/share/gocode/src/github.com/flynn/noise:golang-github-flynn-noise-dev
	linux.uml:user-mode-linux /sbin/insmod:kmod qemu-system-x86_64:qemu-system-x86 busybox:busybox-static cpio:cpio ip:iproute2
	bwrap:bubblewrap /usr/sbin/runc:runc podman:podman systemd-nspawn:systemd-container newuidmap:uidmap fuse-overlayfs:fuse-overlayfs
	slirp4netns:slirp4netns jq:jq zsh:zsh fish:fish pandoc:pandoc man:man-db abidw:abigail-tools doxygen:doxygen ssh-keygen:openssh-client)

# build PRESET [TARGET...]: configure and build. The output goes to build/PRESET.log.
build() {
	local preset=$1 log=build/$1.log
	shift
	mkdir -p build
	if command -v ccache >/dev/null && [ -z "${CMAKE_C_COMPILER_LAUNCHER:-}" ]; then
		export CMAKE_C_COMPILER_LAUNCHER=ccache
	fi
	cmake --preset "$preset" >"$log" 2>&1 && cmake --build "build/$preset" -j "$(nproc)" ${1:+--target "$@"} >>"$log" 2>&1
}

# show_errors PRESET: print the errors of the compiler or CMake in the last build, or the end of the log if there are none.
show_errors() {
	{ grep -E -A 8 'error:|undefined reference|CMake Error' "build/$1.log" || tail -n 12 "build/$1.log"; } |
		head -n 40 | sed 's/^/    /'
	echo "    (full log: build/$1.log)"
}
