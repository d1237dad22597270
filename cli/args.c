/* SPDX-License-Identifier: MIT */
#include "cli/args.h"

#include <stdio.h>
#include <string.h>

#include "cli/report.h"

enum { HELP_COLUMN = 26 };

static struct {
	obi_usage_fn fn;
	void *user;
} visitor;

/* ---- Help ---- */

static void print_option(const char *name, const char *value, const char *help)
{
	char left[64];
	snprintf(left, sizeof left, "--%s%s%s", name, value != NULL ? " " : "",
		 value != NULL ? value : "");
	bool apart = strlen(left) >= HELP_COLUMN - 2;
	printf("  %-*s%s%*s%s\n", HELP_COLUMN - 2, left, apart ? "\n" : "", apart ? HELP_COLUMN : 0,
	       "", help);
}

static void print_help(const struct obi_usage *usage)
{
	printf("Usage: outboard %s%s%s%s\n\n%s\nOptions:\n", usage->command,
	       usage->options[0].name != NULL ? " [OPTIONS]" : "", *usage->words != '\0' ? " " : "",
	       usage->words, usage->about);
	for (const struct obi_option *o = usage->options; o->name != NULL; o++) {
		print_option(o->name, o->value, o->help);
	}
	print_option("help", NULL, "print this text");
}

static bool misused(const struct obi_usage *usage, int *ret_exit)
{
	fprintf(stderr, "Usage: outboard %s%s%s%s\n", usage->command,
		usage->options[0].name != NULL ? " [OPTIONS]" : "",
		*usage->words != '\0' ? " " : "", usage->words);
	fprintf(stderr, "Try \"outboard %s --help\".\n", usage->command);
	*ret_exit = OBI_EXIT_USAGE;
	return false;
}

/* ---- Options ---- */

/* The option that arg ("--name" or "--name=value") means; NULL: none. */
static const struct obi_option *find_option(const struct obi_usage *usage, const char *arg)
{
	size_t len = strcspn(arg + 2, "=");
	for (const struct obi_option *o = usage->options; o->name != NULL; o++) {
		if (strlen(o->name) == len && strncmp(o->name, arg + 2, len) == 0) {
			return o;
		}
	}
	return NULL;
}

static bool set_duration(const struct obi_usage *usage, const struct obi_option *option,
			 const char *value)
{
	struct ob_error err;
	if (ob_duration_parse(value, option->into, &err) < 0) {
		obi_complain("%s: --%s: %s", usage->command, option->name, err.text);
		return false;
	}
	if (option->kind == OBI_OPTION_LIMIT && *(const int64_t *)option->into == 0) {
		obi_complain("%s: --%s: it must be longer than 0", usage->command, option->name);
		return false;
	}
	return true;
}

static bool add_to_list(const struct obi_usage *usage, const struct obi_option *option,
			const char *value)
{
	struct obi_list *list = option->into;
	if (list->count == OBI_LIST_MAX) {
		obi_complain("%s: --%s is given more than %d times", usage->command, option->name,
			     OBI_LIST_MAX);
		return false;
	}
	list->items[list->count++] = value;
	return true;
}

static bool set_option(const struct obi_usage *usage, const struct obi_option *option,
		       const char *value)
{
	switch (option->kind) {
	case OBI_OPTION_FLAG:
		*(bool *)option->into = true;
		return true;
	case OBI_OPTION_TEXT:
		*(const char **)option->into = value;
		return true;
	case OBI_OPTION_DURATION:
	case OBI_OPTION_LIMIT:
		return set_duration(usage, option, value);
	case OBI_OPTION_LIST:
		return add_to_list(usage, option, value);
	}
	return false;
}

/* Read the option at argv[*i], and its value, which may be the next word. */
static bool read_option(const struct obi_usage *usage, int argc, char **argv, int *i)
{
	const char *arg = argv[*i];
	const char *value = strchr(arg, '=');
	const struct obi_option *option =
	    strncmp(arg, "--", 2) == 0 ? find_option(usage, arg) : NULL;
	if (option == NULL) {
		obi_complain("%s: unknown option %s", usage->command, arg);
		return false;
	}
	if (option->kind == OBI_OPTION_FLAG ? value != NULL : value == NULL && *i + 1 == argc) {
		obi_complain("%s: --%s %s", usage->command, option->name,
			     value != NULL ? "takes no value" : "needs a value");
		return false;
	}
	if (option->kind != OBI_OPTION_FLAG) {
		value = value != NULL ? value + 1 : argv[++*i];
	}
	return set_option(usage, option, value);
}

/* ---- Words ---- */

static bool check_words(const struct obi_usage *usage, const struct obi_words *words, int *ret_exit)
{
	if (words->count < usage->min_words) {
		obi_complain("%s: too few arguments", usage->command);
		return misused(usage, ret_exit);
	}
	if (usage->max_words >= 0 && words->count > usage->max_words) {
		obi_complain("%s: too many arguments: %s", usage->command,
			     words->items[usage->max_words]);
		return misused(usage, ret_exit);
	}
	return true;
}

bool obi_args_read(const struct obi_usage *usage, int argc, char **argv, struct obi_words *ret,
		   int *ret_exit)
{
	struct obi_words words = {argv, 0};
	bool options = true;
	if (visitor.fn != NULL) {
		visitor.fn(visitor.user, usage);
		*ret_exit = OBI_EXIT_OK;
		return false;
	}
	for (int i = 0; i < argc; i++) {
		if (options && strcmp(argv[i], "--") == 0) {
			options = false;
		} else if (!options || argv[i][0] != '-' || argv[i][1] == '\0') {
			words.items[words.count++] = argv[i];
		} else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			print_help(usage);
			*ret_exit = OBI_EXIT_OK;
			return false;
		} else if (!read_option(usage, argc, argv, &i)) {
			return misused(usage, ret_exit);
		}
	}
	if (!check_words(usage, &words, ret_exit)) {
		return false;
	}
	*ret = words;
	return true;
}

/* ---- Visits ---- */

void obi_args_visit(int (*run)(int argc, char **argv), obi_usage_fn fn, void *user)
{
	obi_usage_fn fn_before = visitor.fn;
	void *user_before = visitor.user;
	visitor.fn = fn;
	visitor.user = user;
	(void)run(0, NULL);
	visitor.fn = fn_before;
	visitor.user = user_before;
}

bool obi_args_visited(void)
{
	return visitor.fn != NULL;
}
