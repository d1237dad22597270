#!/bin/sh
# SPDX-License-Identifier: MIT
# prints.sh TEXT COMMAND ARGUMENT...: the command must succeed and print TEXT. (PASS_REGULAR_EXPRESSION of CTest ignores the exit status.)
text=$1
shift
output=$("$@" 2>&1)
status=$?
printf '%s\n' "$output"
case $output in
*"$text"*) exit "$status" ;;
*)
	echo "it did not print: $text"
	exit 1
	;;
esac
