/* SPDX-License-Identifier: MIT */
/* The completion script of fish: a line for each command, option and alternative. */
#include <stdio.h>

#include "cli/completion/completion.h"

static const char head[] =
    "# Completion of outboard for fish. Made by \"outboard completion fish\".\n"
    "# at: these words, and no others, stand before the cursor. is: this is the command.\n"
    "function __outboard_at\n"
    "\tset -l words (commandline -opc)\n"
    "\ttest \"$words[2..]\" = \"$argv[1]\"\n"
    "end\n"
    "function __outboard_is\n"
    "\tset -l words (commandline -opc)\n"
    "\tset -l pair \"$words[2..3]\"\n"
    "\tif not contains -- \"$pair\" $__outboard_pairs\n"
    "\t\tset pair \"$words[2]\"\n"
    "\tend\n"
    "\ttest \"$pair\" = \"$argv[1]\"\n"
    "end\n"
    "set -g __outboard_pairs\n"
    "complete -c outboard -n '__outboard_at \"\"' -f\n"
    "complete -c outboard -n '__outboard_at \"\"' -l version -d 'print the version'\n"
    "complete -c outboard -l help -d 'print a help'\n";

static const char quote[] = "\\'";

static void print_option(const char *command, const struct obi_option *o)
{
	printf("complete -c outboard -n '__outboard_is \"%s\"' -l %s", command, o->name);
	if (o->value != NULL) {
		fputs(obi_has_choices(o->value) ? " -x -a '" : " -r", stdout);
		fputs(obi_print_choices(o->value) ? "'" : "", stdout);
	}
	printf(" -d '");
	obi_print_quoted(o->help, "\\", quote);
	printf("'\n");
}

static void print_usage(void *user, const struct obi_usage *usage)
{
	(void)user;
	if (obi_is_subcommand(usage)) {
		printf("set -a __outboard_pairs '%s'\n", usage->command);
	}
	for (const struct obi_option *o = usage->options; o->name != NULL; o++) {
		print_option(usage->command, o);
	}
	if (obi_has_choices(usage->words)) {
		printf("complete -c outboard -n '__outboard_at \"%s\"' -f -a '", usage->command);
		(void)obi_print_choices(usage->words);
		printf("'\n");
	}
}

void obi_completion_fish(void)
{
	fputs(head, stdout);
	for (const struct obi_command *c = obi_commands; c->name != NULL; c++) {
		printf("complete -c outboard -n '__outboard_at \"\"' -a %s -d '", c->name);
		obi_print_quoted(c->brief, "\\", quote);
		printf("'\n");
		obi_args_visit(c->run, print_usage, NULL);
		if (obi_has_subcommands(c)) {
			printf("complete -c outboard -n '__outboard_at \"%s\"' -f -a '", c->name);
			obi_print_subcommands(c);
			printf("'\n");
		}
	}
}
