/* SPDX-License-Identifier: MIT */
/* child - the subcommands of `outboard child`. */
#ifndef OBI_CLI_CHILD_CHILD_H
#define OBI_CLI_CHILD_CHILD_H

/* outboard child check: whether a program keeps the promises of PROTOCOL.md. */
int obi_child_check(int argc, char **argv);

/* Internal: see cli/child/launch.c. */
int obi_child_launch(int argc, char **argv);

#endif
