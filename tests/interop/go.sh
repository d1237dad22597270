#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# go.sh NAME: build NAME.go with the Go libraries of the Debian packages, into the build tree, and run it.
set -euo pipefail
cd "$(dirname "$0")"

skip() {
	echo "skipped: $1"
	exit 77
}

packages=/usr/share/gocode
command -v go >/dev/null || skip "there is no go (Debian: golang-go)"
[ -e $packages/src/github.com/flynn/noise ] || skip "there is no flynn/noise (Debian: golang-github-flynn-noise-dev)"

place=$OB_TEST_BUILD/go
mkdir -p "$place"
export GO111MODULE=off GOPATH=$packages GOCACHE=$place/cache GOFLAGS="" GOTOOLCHAIN=local CGO_ENABLED=0
go build -o "$place/$1" "$1.go"
exec "$place/$1"
