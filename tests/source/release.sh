#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# scripts/release-notes writes and signs the notes of a release, with a key made for this test. What docs/RELEASING.md tells a user to
# do accepts them, and refuses notes, files and keys that are others.
set -euo pipefail
export LC_ALL=C

for tool in ssh-keygen:openssh-client git:git; do
	if ! command -v "${tool%:*}" >/dev/null; then
		echo "SKIP: ${tool%:*} is not installed (${tool#*:})"
		exit 77
	fi
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
	printf '%s\n' "$*"
	exit 1
}

# A copy of what the script reads, so that the real list of keys does not matter.
tree="$work/a tree"
mkdir -p "$tree/packaging" "$work/made"
cp -R "$OB_TEST_SOURCE/scripts" "$tree"
cp "$OB_TEST_SOURCE"/{CMakeLists.txt,CHANGES.md} "$tree"
cp "$OB_TEST_SOURCE/packaging/changelog" "$tree/packaging"
version=$(sed -n 's/^project(outboard VERSION \([0-9.]*\).*/\1/p' "$tree/CMakeLists.txt")
for key in ours another; do
	ssh-keygen -q -t ed25519 -N '' -C '' -f "$work/$key"
done
printf 'outboard-release %s\n' "$(cat "$work/ours.pub")" >"$tree/packaging/release-signers"
cd "$work/made"
for file in "outboard-$version.tar.gz" "liboutboard0_$version-1_amd64.deb" "outboard-$version.spdx.json"; do
	echo "$file" >"$file"
done

# refused PATTERN ARGUMENT...: the script ends with an error that matches, and leaves no signature.
refused() {
	local pattern=$1
	shift
	! "$tree/scripts/release-notes" "$@" >"$work/output" 2>&1 || fail "not refused: $*"
	grep -q -e "$pattern" "$work/output" || fail "$*: $(cat "$work/output")"
	[ -z "$(find "$work/made" -name '*.sig')" ] || fail "$*: it left a signature"
}
refused "usage" "$version"
refused "no such key" "$version" ../none .
refused "the version in CMakeLists.txt is" 99.0.0 ../ours .
refused "does not exist" "$version" ../ours ../none
refused "none of the keys" "$version" ../another .
echo more >"outboard_99.0.0-1_amd64.deb"
refused "is not of version" "$version" ../ours .
rm "outboard_99.0.0-1_amd64.deb"
mv "$tree/CHANGES.md" "$work/CHANGES.md"
printf '# Changes\n\n## %s\n\n## 0.0.1\n\nOld.\n' "$version" >"$tree/CHANGES.md"
refused "CHANGES.md has no section" "$version" ../ours .
printf '# Changes\n\n## %s\n\n* News.\n\n## 0.0.1\n\nOld.\n' "$version" >"$tree/CHANGES.md"

"$tree/scripts/release-notes" "$version" ../ours . || fail "the notes were not made"
notes=outboard-$version.md
grep -qx '\* News\.' "$notes" || fail "$(cat "$notes")"
! grep -q Old "$notes" || fail "$(cat "$notes")"
[ "$(grep -cE '^[0-9a-f]{64}  ' "$notes")" = 3 ] || fail "$(cat "$notes")"

# verify: the commands of the page.
cp "$tree/packaging/release-signers" .
sed -n '/^<!-- verify -->$/,/^```$/p' "$OB_TEST_SOURCE/docs/RELEASING.md" | grep -vE '^(<!--|```)' | sed "s/0\.1\.0/$version/g" >"$work/verify"
[ "$(wc -l <"$work/verify")" = 2 ] || fail "docs/RELEASING.md does not say how to verify"
verify() {
	bash -e "$work/verify" >"$work/output" 2>&1
}
verify || fail "not verified: $(cat "$work/output")"
grep -q 'Good "outboard-release" signature' "$work/output" || fail "$(cat "$work/output")"
[ "$(grep -c ': OK$' "$work/output")" = 3 ] || fail "$(cat "$work/output")"
rm "outboard-$version.spdx.json"
verify || fail "not verified with one file less: $(cat "$work/output")"

echo more >>"outboard-$version.tar.gz"
! verify || fail "a file that was changed is accepted"
echo "outboard-$version.tar.gz" >"outboard-$version.tar.gz"
verify || fail "$(cat "$work/output")"
cp "$notes" "$work/kept"
echo "* More." >>"$notes"
! verify || fail "notes that were changed are accepted"
cp "$work/kept" "$notes"
rm "$notes.sig"
ssh-keygen -q -Y sign -f "$work/another" -n outboard-release "$notes" 2>/dev/null
! verify || fail "the signature of another key is accepted"
rm "$notes.sig"
ssh-keygen -q -Y sign -f "$work/ours" -n file "$notes" 2>/dev/null
! verify || fail "a signature that was made for something else is accepted"

# The tag: signed with the same key, and verified with the same list.
git init -q "$work/repository"
cd "$work/repository"
ssh_git=(git -c gpg.format=ssh -c "user.signingkey=$work/ours" -c "gpg.ssh.allowedSignersFile=$tree/packaging/release-signers"
	-c user.name=test -c user.email=test@localhost)
"${ssh_git[@]}" commit -q --allow-empty --no-gpg-sign -m "test"
"${ssh_git[@]}" tag -s -F "$work/kept" "v$version"
"${ssh_git[@]}" verify-tag "v$version" >"$work/output" 2>&1 || fail "$(cat "$work/output")"
grep -q 'Good "git" signature' "$work/output" || fail "$(cat "$work/output")"
echo "notes and tag of $version are signed and verified"
