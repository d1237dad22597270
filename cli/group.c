/* SPDX-License-Identifier: MIT */
#include "cli/group.h"

#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "cli/report.h"

static int help(const struct obi_group *group, FILE *file, int status)
{
	fprintf(file, "Usage: outboard %s COMMAND [ARGUMENTS]\n\n%s\n\nCommands:\n", group->name,
		group->about);
	for (const struct obi_command *c = group->commands; c->name != NULL; c++) {
		if (c->brief != NULL) {
			fprintf(file, "  %-10s%s\n", c->name, c->brief);
		}
	}
	fprintf(file, "\n\"outboard %s COMMAND --help\" shows the options of a command.\n",
		group->name);
	return status;
}

const struct obi_command *obi_command_find(const struct obi_command *commands, const char *name)
{
	for (const struct obi_command *c = commands; c->name != NULL; c++) {
		if (strcmp(name, c->name) == 0) {
			return c;
		}
	}
	return NULL;
}

static int visit(const struct obi_group *group)
{
	for (const struct obi_command *c = group->commands; c->name != NULL; c++) {
		if (c->brief != NULL) {
			(void)c->run(0, NULL);
		}
	}
	return OBI_EXIT_OK;
}

int obi_group_run(const struct obi_group *group, int argc, char **argv)
{
	if (obi_args_visited()) {
		return visit(group);
	}
	if (argc < 1) {
		return help(group, stderr, OBI_EXIT_USAGE);
	}
	if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0) {
		return help(group, stdout, OBI_EXIT_OK);
	}
	const struct obi_command *command = obi_command_find(group->commands, argv[0]);
	if (command != NULL) {
		return command->run(argc - 1, argv + 1);
	}
	obi_complain("%s: unknown command \"%s\"; try \"outboard %s --help\"", group->name, argv[0],
		     group->name);
	return OBI_EXIT_USAGE;
}
