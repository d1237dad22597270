/* SPDX-License-Identifier: MIT */
/* args - the words and options of a subcommand, and its --help. Options and words may come in any
 * order; "--" ends the options. */
#ifndef OBI_CLI_ARGS_H
#define OBI_CLI_ARGS_H

#include <stdbool.h>
#include <stdint.h>

enum obi_option_kind {
	OBI_OPTION_FLAG = 0, /* bool */
	OBI_OPTION_TEXT,     /* const char *, borrowed from argv */
	OBI_OPTION_DURATION, /* int64_t, in ms */
	OBI_OPTION_LIMIT,    /* the same, but not 0 */
	OBI_OPTION_LIST,     /* struct obi_list: may be repeated */
};

/* The values of an option in their order, borrowed from argv. */
enum { OBI_LIST_MAX = 16 };
struct obi_list {
	const char *items[OBI_LIST_MAX];
	int count;
};

struct obi_option {
	const char *name;  /* "timeout", for --timeout */
	const char *value; /* its placeholder in the help: "D" */
	const char *help;
	enum obi_option_kind kind;
	void *into; /* of the kind's type */
};

struct obi_usage {
	const char *command;		  /* "call" */
	const char *words;		  /* "TARGET METHOD [JSON]" */
	const char *about;		  /* paragraphs, ended by a newline */
	const struct obi_option *options; /* ended by a NULL name */
	int min_words;
	int max_words; /* -1: any number */
};

struct obi_words {
	char **items;
	int count;
};

/*
 * Read the arguments after the name of the subcommand. True: the options are stored, and the words
 * are in *ret. False: help or an error was printed; exit with *ret_exit.
 */
bool obi_args_read(const struct obi_usage *usage, int argc, char **argv, struct obi_words *ret,
		   int *ret_exit);

/*
 * Give fn the usage of a command and of its subcommands, these first, without running them:
 * meanwhile obi_args_read() reads nothing and returns false. A usage is valid during the call. fn
 * may visit.
 */
typedef void (*obi_usage_fn)(void *user, const struct obi_usage *usage);
void obi_args_visit(int (*run)(int argc, char **argv), obi_usage_fn fn, void *user);

/* Whether a visit is going on. */
bool obi_args_visited(void);

#endif
