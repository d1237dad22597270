/* SPDX-License-Identifier: MIT */
/* plugin - the subcommands of `outboard plugin`. Each takes what follows its name, and returns the
 * command's exit status. */
#ifndef OBI_CLI_PLUGIN_PLUGIN_H
#define OBI_CLI_PLUGIN_PLUGIN_H

int obi_plugin_list(int argc, char **argv);
int obi_plugin_check(int argc, char **argv);
int obi_plugin_inspect(int argc, char **argv);
int obi_plugin_new_files(int argc, char **argv);

/* Not for people: what `check` and `inspect` run in a process of its own. The words are those of
 * trial.h. */
int obi_plugin_trial(int argc, char **argv);

#endif
