/* SPDX-License-Identifier: MIT */
/* The completion script of zsh: a case for each command tells _arguments what may follow. */
#include <stdio.h>

#include "cli/completion/completion.h"

static const char head[] =
    "#compdef outboard\n"
    "# Completion of outboard for zsh. Made by \"outboard completion zsh\".\n"
    "_outboard() {\n"
    "\tlocal -a commands\n"
    "\tlocal command=\"${words[2]} \"\n"
    "\tif (( CURRENT > 3 )); then\n"
    "\t\tcommand+=${words[3]}\n"
    "\tfi\n"
    "\tif (( CURRENT == 2 )); then\n"
    "\t\tcommands=(\n";

/* zsh calls the file as the function when it is found in fpath. */
static const char tail[] = "\tesac\n"
			   "}\n"
			   "if [ \"$funcstack[1]\" = _outboard ]; then\n"
			   "\t_outboard \"$@\"\n"
			   "else\n"
			   "\tcompdef _outboard outboard\n"
			   "fi\n";

static const char quote[] = "'\\''";

static void print_option(const struct obi_option *o)
{
	printf(" \\\n\t\t\t'%s--%s%s[", o->kind == OBI_OPTION_LIST ? "*" : "", o->name,
	       o->value != NULL ? "=" : "");
	obi_print_quoted(o->help, "[]:\\", quote);
	putchar(']');
	if (o->value != NULL) {
		putchar(':');
		obi_print_quoted(o->value, ":\\", quote);
		fputs(obi_has_choices(o->value) ? ":(" : ":_files", stdout);
		fputs(obi_print_choices(o->value) ? ")" : "", stdout);
	}
	putchar('\'');
}

/* The first word, if it is one of some. */
static void print_first(const struct obi_visited *v, const struct obi_usage *usage)
{
	if (!obi_is_subcommand(usage) && obi_has_subcommands(v->command)) {
		printf(" \\\n\t\t\t'1:command:(");
		obi_print_subcommands(v->command);
		printf(")'");
	} else if (obi_has_choices(usage->words)) {
		printf(" \\\n\t\t\t'1:kind:(");
		(void)obi_print_choices(usage->words);
		printf(")'");
	}
}

static void print_usage(void *user, const struct obi_usage *usage)
{
	struct obi_visited *v = user;
	bool sub = obi_is_subcommand(usage);
	v->reads = v->reads || !sub;
	printf("\t'%s%s)\n\t\tshift %d words\n\t\t(( CURRENT -= %d ))\n\t\t_arguments",
	       usage->command, sub ? "'" : " '*", sub ? 2 : 1, sub ? 2 : 1);
	for (const struct obi_option *o = usage->options; o->name != NULL; o++) {
		print_option(o);
	}
	printf(" \\\n\t\t\t'--help[print a help]'");
	print_first(v, usage);
	printf("%s\n\t\t;;\n", usage->max_words != 0 ? " \\\n\t\t\t'*:word:_files'" : "");
}

static void print_group(const struct obi_command *command)
{
	printf("\t'%s '*)\n\t\tshift words\n\t\t(( CURRENT -= 1 ))\n", command->name);
	printf("\t\t_arguments '--help[print a help]' '1:command:(");
	obi_print_subcommands(command);
	printf(")'\n\t\t;;\n");
}

void obi_completion_zsh(void)
{
	fputs(head, stdout);
	for (const struct obi_command *c = obi_commands; c->name != NULL; c++) {
		printf("\t\t\t'%s:", c->name);
		obi_print_quoted(c->brief, ":\\", quote);
		printf("'\n");
	}
	printf("\t\t)\n\t\t_describe command commands\n\t\t_arguments "
	       "'--help[print a help]' '--version[print the version]'\n\t\treturn\n\tfi\n"
	       "\tcase $command in\n");
	for (const struct obi_command *c = obi_commands; c->name != NULL; c++) {
		struct obi_visited v = {.command = c};
		obi_args_visit(c->run, print_usage, &v);
		if (!v.reads) {
			print_group(c);
		}
	}
	fputs(tail, stdout);
}
