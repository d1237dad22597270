#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The picture of the README is the one that is drawn from its text, and the README is short.
set -euo pipefail

cd "${OB_TEST_SOURCE:-$(dirname "$0")/../..}"
drawn=$(mktemp)
trap 'rm -f "$drawn"' EXIT
scripts/picture.py docs/picture.txt "$drawn"
cmp docs/picture.svg "$drawn" || { echo "run: scripts/picture.py docs/picture.txt docs/picture.svg" && exit 1; }
python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' "$drawn"
lines=$(wc -l <README.md)
[ "$lines" -le 120 ] || { echo "README.md has $lines lines; 120 is the most" && exit 1; }
echo "README.md has $lines lines"
