/* SPDX-License-Identifier: MIT */
/* report - what the command says to people, and how it ends. */
#ifndef OBI_CLI_REPORT_H
#define OBI_CLI_REPORT_H

#include <outboard/outboard.h>
#include <stdio.h>

enum obi_exit_status {
	OBI_EXIT_OK = 0,
	OBI_EXIT_REMOTE = 1,	 /* the remote side answered with an error */
	OBI_EXIT_USAGE = 2,	 /* the command line or a config is not acceptable */
	OBI_EXIT_UNREACHABLE = 3 /* could not connect, or was refused */
};

/* Print "outboard: ", the text and a newline on stderr. Control characters in it are shown, not
 * sent to the terminal. */
void obi_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* How the command ends after this error. */
int obi_exit_of(const struct ob_error *err);

/* Say "outboard: what: why", and return how the command ends. what may be NULL. */
int obi_give_up(const char *what, const struct ob_error *err);

/* Print text that others may have written: nothing in it moves a terminal's cursor. */
void obi_print_safe(FILE *file, struct ob_bytes text);

/* How many columns a terminal needs for it, one a character. */
size_t obi_columns(struct ob_bytes text);

/* Print a value as one line of JSON. OB_EINVAL when it cannot be written so, OB_ENOMEM. */
int obi_print_json(const struct ob_value *value, struct ob_error *reterr);

#endif
