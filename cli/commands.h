/* SPDX-License-Identifier: MIT */
/* commands - the subcommands. Each takes the arguments after its name and returns the exit status
 * (enum obi_exit_status). */
#ifndef OBI_CLI_COMMANDS_H
#define OBI_CLI_COMMANDS_H

#include "cli/group.h"

/* All of them, in the order of the help; ended by a NULL name. */
extern const struct obi_command obi_commands[];

int obi_cmd_run(int argc, char **argv);
int obi_cmd_status(int argc, char **argv);
int obi_cmd_start(int argc, char **argv);
int obi_cmd_stop(int argc, char **argv);
int obi_cmd_restart(int argc, char **argv);
int obi_cmd_reload(int argc, char **argv);
int obi_cmd_call(int argc, char **argv);
int obi_cmd_check(int argc, char **argv);
int obi_cmd_key(int argc, char **argv);
int obi_cmd_plugin(int argc, char **argv);
int obi_cmd_agent(int argc, char **argv);
int obi_cmd_child(int argc, char **argv);
int obi_cmd_completion(int argc, char **argv);

#endif
