/* SPDX-License-Identifier: MIT */
/* completion - what the scripts for the shells have in common. They are made from the tables of
 * options that the commands read their arguments with. */
#ifndef OBI_CLI_COMPLETION_H
#define OBI_CLI_COMPLETION_H

#include "cli/args.h"
#include "cli/commands.h"

void obi_completion_bash(void);
void obi_completion_zsh(void);
void obi_completion_fish(void);

/* Print the alternatives that the text begins with, separated by spaces: "a b" of "a|b NAME".
 * Returns whether there are any. */
bool obi_print_choices(const char *text);

/* The same, without printing. */
bool obi_has_choices(const char *text);

bool obi_has_subcommands(const struct obi_command *command);

/* Print the names of the subcommands, each with a space behind it. */
void obi_print_subcommands(const struct obi_command *command);

/* The command whose usage is visited, and whether it reads arguments of its own. */
struct obi_visited {
	const struct obi_command *command;
	bool reads;
};

/* Whether the usage is that of a subcommand. */
bool obi_is_subcommand(const struct obi_usage *usage);

/* Print the text between single quotes, with a backslash before each of the special characters.
 * A single quote is printed as `quote`. */
void obi_print_quoted(const char *text, const char *special, const char *quote);

#endif
