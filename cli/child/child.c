/* SPDX-License-Identifier: MIT */
/* outboard child: its subcommands. */
#include "cli/child/child.h"

#include <stddef.h>

#include "cli/commands.h"

static const struct obi_command subcommands[] = {
    {"check", "check that a program keeps the promises of the protocol", obi_child_check},
    {"launch", NULL, obi_child_launch},
    {0},
};

int obi_cmd_child(int argc, char **argv)
{
	const struct obi_group group = {"child", "Works on programs that are to run as children.",
					subcommands};
	return obi_group_run(&group, argc, argv);
}
