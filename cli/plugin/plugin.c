/* SPDX-License-Identifier: MIT */
/* outboard plugin: finds what is to be done with plugins. */
#include "cli/plugin/plugin.h"

#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/report.h"

static const struct order {
	const char *name;
	const char *brief; /* NULL: not for people */
	int (*run)(int argc, char **argv);
} orders[] = {
    {"list", "list the plugins of the plugin path", obi_plugin_list},
    {"check", "try on plugin files what their headers promise", obi_plugin_check},
    {"inspect", "show what is in a plugin file", obi_plugin_inspect},
    {"new", "write a plugin to begin with", obi_plugin_new_files},
    {"trial", NULL, obi_plugin_trial},
};

enum { ORDERS = sizeof orders / sizeof orders[0] };

static int help(FILE *file, int status)
{
	fputs("Usage: outboard plugin COMMAND [ARGUMENTS]\n\n"
	      "About plugins: transports, codecs and authenticators.\n\nCommands:\n",
	      file);
	for (size_t i = 0; i < ORDERS; i++) {
		if (orders[i].brief != NULL) {
			fprintf(file, "  %-10s%s\n", orders[i].name, orders[i].brief);
		}
	}
	fputs("\n\"outboard plugin COMMAND --help\" says more.\n", file);
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
	for (size_t i = 0; i < ORDERS; i++) {
		if (strcmp(argv[0], orders[i].name) == 0) {
			return orders[i].run(argc - 1, argv + 1);
		}
	}
	obi_complain("plugin: there is no \"%s\"; try \"outboard plugin --help\"", argv[0]);
	return OBI_EXIT_USAGE;
}
