#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Run one of the tests here with Debian's Python, which has the modules, whatever is first in the PATH.
set -euo pipefail

case $1 in
test_noise_python) modules=(dissononce) ;;
test_tls) modules=(ssl) ;;
test_keys_*) modules=(msgpack cryptography) ;;
*) modules=(msgpack) ;;
esac
for python in /usr/bin/python3 python3; do
	if "$python" -c "import $(IFS=, && echo "${modules[*]}")" 2>/dev/null; then
		PYTHONDONTWRITEBYTECODE=1 exec "$python" "$(dirname "$0")/$1.py"
	fi
done
echo "skipped: no Python has the modules ${modules[*]} (Debian: ${modules[*]/#/python3-})"
exit 77
