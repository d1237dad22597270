#!/bin/sh
# SPDX-License-Identifier: MIT
# prints.sh TEXT COMMAND ARGUMENT...: the command must end well, and print TEXT. (CTest's own way to look for a text forgets how it ended.)
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
