/* SPDX-License-Identifier: MIT */
/* outboard plugin: its subcommands. */
#include "cli/plugin/plugin.h"

#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/report.h"

static const struct subcommand {
	const char *name;
	const char *brief; /* NULL: internal */
	int (*run)(int argc, char **argv);
} subcommands[] = {
    {"list", "list the plugins of the plugin path", obi_plugin_list},
    {"check", "check that plugin files keep the promises of their headers", obi_plugin_check},
    {"inspect", "show what is in a plugin file", obi_plugin_inspect},
    {"new", "write the skeleton of a plugin", obi_plugin_new_files},
    {"check-worker", NULL, obi_plugin_check_worker},
};

enum { SUBCOMMANDS = sizeof subcommands / sizeof subcommands[0] };

static int help(FILE *file, int status)
{
	fputs("Usage: outboard plugin COMMAND [ARGUMENTS]\n\n"
	      "Works on plugins: transports, codecs and authenticators.\n\nCommands:\n",
	      file);
	for (size_t i = 0; i < SUBCOMMANDS; i++) {
		if (subcommands[i].brief != NULL) {
			fprintf(file, "  %-10s%s\n", subcommands[i].name, subcommands[i].brief);
		}
	}
	fputs("\n\"outboard plugin COMMAND --help\" shows the options of a command.\n", file);
	return status;
}

int obi_cmd_plugin(int argc, char **argv)
{
	if (argc < 1) {
		return help(stderr, OBI_EXIT_USAGE);
	}
	if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0) {
		return help(stdout, OBI_EXIT_OK);
	}
	for (size_t i = 0; i < SUBCOMMANDS; i++) {
		if (strcmp(argv[0], subcommands[i].name) == 0) {
			return subcommands[i].run(argc - 1, argv + 1);
		}
	}
	obi_complain("plugin: unknown command \"%s\"; try \"outboard plugin --help\"", argv[0]);
	return OBI_EXIT_USAGE;
}
