# SPDX-License-Identifier: MIT
# What the scripts share. They run from the root of the source tree.
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

die() {
	printf '%s: %s\n' "$(basename "$0")" "$1" >&2
	exit 1
}

# have WHAT: a command, a file, NAME.pc (pkg-config), NAME.h (the compiler) or NAME.py (Debian's Python).
have() {
	case $1 in
	*.pc) pkg-config --exists "${1%.pc}" ;;
	*.h) echo "#include <$1>" | gcc -E -o /dev/null - ;;
	/*) [ -e "$1" ] ;;
	*.py) /usr/bin/python3 -c "import ${1%.py}" ;;
	*) command -v "$1" ;;
	esac >/dev/null 2>&1
}

# missing WHAT:PACKAGE...: the packages of what is not there, each once.
missing() {
	local pair packages=''
	for pair; do
		if ! have "${pair%%:*}" && [[ " $packages" != *" ${pair#*:} "* ]]; then
			packages+="${pair#*:} "
		fi
	done
	printf '%s' "$packages"
}

# install PACKAGE...: with apt-get, telling in one line what becomes of it. Its output is shown only when it fails.
install() {
	local as_root=() log
	if ! command -v apt-get >/dev/null; then
		echo "not a Debian system (there is no apt-get), so please install the equal of: $*"
		return 1
	fi
	if [ "$(id -u)" != 0 ]; then
		if ! command -v sudo >/dev/null; then
			echo "neither root nor sudo is there, so please run: apt-get install $*"
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
	echo "failed (is this machine offline?)"
	tail -n 8 "$log" | sed 's/^/    /'
	rm -f "$log"
	return 1
}

# need WHAT:PACKAGE...: have all of it, or end here.
need() {
	local packages
	packages=$(missing "$@")
	[ -z "$packages" ] && return
	# shellcheck disable=SC2086 # packages are words
	install $packages || die "cannot go on without: $packages"
	packages=$(missing "$@")
	[ -z "$packages" ] || die "installed, and yet not usable: $packages"
}

# want WHAT:PACKAGE...: go on without what cannot be had; the tests that wanted it are skipped and say so.
want() {
	local packages
	packages=$(missing "$@")
	# shellcheck disable=SC2086 # packages are words
	[ -z "$packages" ] || install $packages || echo "going on without: $packages"
}

# What it takes to build, and what it takes to test all that can be tested.
to_build=(gcc:gcc stdlib.h:libc6-dev cmake:cmake ninja:ninja-build pkg-config:pkg-config ev.h:libev-dev
	msgpack.pc:libmsgpack-dev libsodium.pc:libsodium-dev)
to_test=("${to_build[@]}" cmocka.pc:libcmocka-dev python3:python3 nm:binutils)
to_test_all=(g++:g++ clang:clang clang++:clang clang-format:clang-format msgpack.py:python3-msgpack strace:strace
	faketime:faketime node:nodejs npm:npm /usr/share/i18n/locales/de_DE:locales unshare:util-linux prlimit:util-linux
	libcbor.pc:libcbor-dev dissononce.py:python3-dissononce
	go:golang-go /usr/share/gocode/src/github.com/flynn/noise:golang-github-flynn-noise-dev
	linux.uml:user-mode-linux /sbin/insmod:kmod qemu-system-x86_64:qemu-system-x86 busybox:busybox-static cpio:cpio ip:iproute2)

# build PRESET [TARGET...]: configure and build, quietly; all that was said is in build/PRESET.log.
build() {
	local preset=$1 log=build/$1.log
	shift
	mkdir -p build
	if command -v ccache >/dev/null && [ -z "${CMAKE_C_COMPILER_LAUNCHER:-}" ]; then
		export CMAKE_C_COMPILER_LAUNCHER=ccache
	fi
	cmake --preset "$preset" >"$log" 2>&1 && cmake --build "build/$preset" -j "$(nproc)" ${1:+--target "$@"} >>"$log" 2>&1
}

# show_errors PRESET: what the compiler or CMake said of the last build, or the end of it where that cannot be found.
show_errors() {
	{ grep -E -A 8 'error:|undefined reference|CMake Error' "build/$1.log" || tail -n 12 "build/$1.log"; } |
		head -n 40 | sed 's/^/    /'
	echo "    (all of it is in build/$1.log)"
}
