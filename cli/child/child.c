/* SPDX-License-Identifier: MIT */
/* outboard child: its subcommands. */
#include "cli/child/child.h"

#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/report.h"

static int help(FILE *file, int status)
{
	fputs("Usage: outboard child COMMAND [ARGUMENTS]\n\n"
	      "Works on programs that are to run as children.\n\nCommands:\n"
	      "  check     check that a program keeps the promises of the protocol\n\n"
	      "\"outboard child COMMAND --help\" shows the options of a command.\n",
	      file);
	return status;
}

int obi_cmd_child(int argc, char **argv)
{
	if (argc < 1) {
		return help(stderr, OBI_EXIT_USAGE);
	}
	if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0) {
		return help(stdout, OBI_EXIT_OK);
	}
	if (strcmp(argv[0], "check") == 0) {
		return obi_child_check(argc - 1, argv + 1);
	}
	if (strcmp(argv[0], "launch") == 0) {
		return obi_child_launch(argc - 1, argv + 1);
	}
	obi_complain("child: unknown command \"%s\"; try \"outboard child --help\"", argv[0]);
	return OBI_EXIT_USAGE;
}
