#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Run one of the tests here, with a Python that has msgpack: Debian's, whatever else is first in the PATH.
set -euo pipefail

for python in /usr/bin/python3 python3; do
	if "$python" -c 'import msgpack' 2>/dev/null; then
		PYTHONDONTWRITEBYTECODE=1 exec "$python" "$(dirname "$0")/$1.py"
	fi
done
echo "skipped: no Python has the module msgpack (Debian: python3-msgpack)"
exit 77
