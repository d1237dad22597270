/* SPDX-License-Identifier: MIT */
/* outboard completion: the completion script of a shell. */
#include "cli/completion/completion.h"

#include <stdio.h>
#include <string.h>

#include "cli/report.h"

static const char letters[] = "abcdefghijklmnopqrstuvwxyz|";

bool obi_has_choices(const char *text)
{
	size_t len = strspn(text, letters);
	return memchr(text, '|', len) != NULL && (text[len] == '\0' || text[len] == ' ');
}

bool obi_print_choices(const char *text)
{
	if (!obi_has_choices(text)) {
		return false;
	}
	for (; *text != '\0' && *text != ' '; text++) {
		putchar(*text == '|' ? ' ' : *text);
	}
	return true;
}

bool obi_is_subcommand(const struct obi_usage *usage)
{
	return strchr(usage->command, ' ') != NULL;
}

static void note_subcommand(void *user, const struct obi_usage *usage)
{
	*(bool *)user = *(bool *)user || obi_is_subcommand(usage);
}

bool obi_has_subcommands(const struct obi_command *command)
{
	bool any = false;
	obi_args_visit(command->run, note_subcommand, &any);
	return any;
}

static void print_subcommand(void *user, const struct obi_usage *usage)
{
	(void)user;
	if (obi_is_subcommand(usage)) {
		printf("%s ", strchr(usage->command, ' ') + 1);
	}
}

void obi_print_subcommands(const struct obi_command *command)
{
	obi_args_visit(command->run, print_subcommand, NULL);
}

void obi_print_quoted(const char *text, const char *special, const char *quote)
{
	for (; *text != '\0'; text++) {
		if (*text == '\'') {
			fputs(quote, stdout);
			continue;
		}
		if (strchr(special, *text) != NULL) {
			putchar('\\');
		}
		putchar(*text);
	}
}

int obi_cmd_completion(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*print)(void);
	} shells[] = {{"bash", obi_completion_bash},
		      {"zsh", obi_completion_zsh},
		      {"fish", obi_completion_fish}};
	const struct obi_option options[] = {{0}};
	const struct obi_usage usage = {
	    .command = "completion",
	    .words = "bash|zsh|fish",
	    .about = "Prints the completion script of a shell. The packages install it.\n",
	    .options = options,
	    .min_words = 1,
	    .max_words = 1,
	};
	struct obi_words words;
	int status;
	if (!obi_args_read(&usage, argc, argv, &words, &status)) {
		return status;
	}
	for (size_t i = 0; i < sizeof shells / sizeof shells[0]; i++) {
		if (strcmp(words.items[0], shells[i].name) == 0) {
			shells[i].print();
			return OBI_EXIT_OK;
		}
	}
	obi_complain("completion: unknown shell \"%s\"; bash, zsh and fish are known",
		     words.items[0]);
	return OBI_EXIT_USAGE;
}
