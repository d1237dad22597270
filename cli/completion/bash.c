/* SPDX-License-Identifier: MIT */
/* The completion script of bash: a case for each command sets what may follow. */
#include <stdio.h>

#include "cli/completion/completion.h"

static const char head[] =
    "# Completion of outboard for bash. Made by \"outboard completion bash\".\n"
    "_outboard()\n"
    "{\n"
    "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
    "\tlocal first=${COMP_WORDS[1]} second='' at=1 options='--help' choices=''\n"
    "\tCOMPREPLY=()\n"
    "\tif [ \"$COMP_CWORD\" -gt 2 ]; then\n"
    "\t\tsecond=${COMP_WORDS[2]}\n"
    "\tfi\n"
    "\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n"
    "\t\tat=0\n"
    "\t\toptions='--help --version'\n";

/* Without a match nothing is replied: then bash offers files. */
static const char tail[] = "\tesac\n"
			   "\tfi\n"
			   "\tif [[ $cur == -* ]]; then\n"
			   "\t\tchoices=$options\n"
			   "\telif [ \"$COMP_CWORD\" -ne $((at + 1)) ]; then\n"
			   "\t\tchoices=''\n"
			   "\tfi\n"
			   "\tmapfile -t COMPREPLY < <(compgen -W \"$choices\" -- \"$cur\")\n"
			   "}\n"
			   "complete -o default -F _outboard outboard\n";

/* A value is one of its alternatives, or a file. */
static void print_values(const struct obi_option *options)
{
	printf("\t\tcase $prev in\n");
	for (const struct obi_option *o = options; o->name != NULL; o++) {
		if (o->value != NULL) {
			printf("\t\t--%s)\n\t\t\tmapfile -t COMPREPLY < <(compgen -W '", o->name);
			(void)obi_print_choices(o->value);
			printf("' -- \"$cur\")\n\t\t\treturn\n\t\t\t;;\n");
		}
	}
	printf("\t\tesac\n");
}

static void print_usage(void *user, const struct obi_usage *usage)
{
	struct obi_visited *v = user;
	bool sub = obi_is_subcommand(usage);
	v->reads = v->reads || !sub;
	printf("\t'%s%s)\n", usage->command, sub ? "'" : " '*");
	if (usage->options->name != NULL) {
		print_values(usage->options);
	}
	printf("\t\tat=%d\n\t\toptions='", sub ? 2 : 1);
	for (const struct obi_option *o = usage->options; o->name != NULL; o++) {
		printf("--%s ", o->name);
	}
	printf("--help'\n\t\tchoices='");
	if (!sub && obi_has_subcommands(v->command)) {
		obi_print_subcommands(v->command);
	} else {
		(void)obi_print_choices(usage->words);
	}
	printf("'\n\t\t;;\n");
}

void obi_completion_bash(void)
{
	printf("%s\t\tchoices='", head);
	for (const struct obi_command *c = obi_commands; c->name != NULL; c++) {
		printf("%s ", c->name);
	}
	printf("'\n\telse\n\tcase \"$first $second\" in\n");
	for (const struct obi_command *c = obi_commands; c->name != NULL; c++) {
		struct obi_visited v = {.command = c};
		obi_args_visit(c->run, print_usage, &v);
		if (!v.reads) {
			printf("\t'%s '*)\n\t\tchoices='", c->name);
			obi_print_subcommands(c);
			printf("'\n\t\t;;\n");
		}
	}
	fputs(tail, stdout);
}
