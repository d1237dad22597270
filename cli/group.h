/* SPDX-License-Identifier: MIT */
/* group - a command that has subcommands, such as `outboard key`. */
#ifndef OBI_CLI_GROUP_H
#define OBI_CLI_GROUP_H

struct obi_command {
	const char *name;
	const char *brief; /* a line for the help; NULL: internal */
	int (*run)(int argc, char **argv);
};

struct obi_group {
	const char *name;		    /* "key" */
	const char *about;		    /* a line */
	const struct obi_command *commands; /* ended by a NULL name */
};

/* The command of this name; NULL: there is none. */
const struct obi_command *obi_command_find(const struct obi_command *commands, const char *name);

/* Run the subcommand that argv[0] names with the arguments after it, or print the help. Returns the
 * exit status. */
int obi_group_run(const struct obi_group *group, int argc, char **argv);

#endif
