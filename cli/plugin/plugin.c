/* SPDX-License-Identifier: MIT */
/* outboard plugin: its subcommands. */
#include "cli/plugin/plugin.h"

#include <stddef.h>

#include "cli/commands.h"

static const struct obi_command subcommands[] = {
    {"list", "list the plugins of the plugin path", obi_plugin_list},
    {"check", "check that plugin files keep the promises of their headers", obi_plugin_check},
    {"inspect", "show what is in a plugin file", obi_plugin_inspect},
    {"new", "write the skeleton of a plugin", obi_plugin_new_files},
    {"check-worker", NULL, obi_plugin_check_worker},
    {0},
};

int obi_cmd_plugin(int argc, char **argv)
{
	const struct obi_group group = {
	    "plugin", "Works on plugins: transports, codecs and authenticators.", subcommands};
	return obi_group_run(&group, argc, argv);
}
