#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Run one of the tests here with Debian's Python, which has the modules, whatever is first in the PATH.
set -euo pipefail

case $1 in
test_noise_python) module=dissononce ;;
*) module=msgpack ;;
esac
for python in /usr/bin/python3 python3; do
	if "$python" -c "import $module" 2>/dev/null; then
		PYTHONDONTWRITEBYTECODE=1 exec "$python" "$(dirname "$0")/$1.py"
	fi
done
echo "skipped: no Python has the module $module (Debian: python3-$module)"
exit 77
