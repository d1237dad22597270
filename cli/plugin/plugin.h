/* SPDX-License-Identifier: MIT */
/* plugin - the subcommands of `outboard plugin`. Each takes what follows its name, and returns the
 * command's exit status. */
#ifndef OBI_CLI_PLUGIN_PLUGIN_H
#define OBI_CLI_PLUGIN_PLUGIN_H

int obi_plugin_list(int argc, char **argv);
int obi_plugin_check(int argc, char **argv);
int obi_plugin_inspect(int argc, char **argv);
int obi_plugin_new_files(int argc, char **argv);

/* Internal: what `check` and `inspect` run in a process of its own; see check_worker.h. */
int obi_plugin_check_worker(int argc, char **argv);

#endif
