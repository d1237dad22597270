/* SPDX-License-Identifier: MIT */
/* report - messages of the command, and its exit status. */
#ifndef OBI_CLI_REPORT_H
#define OBI_CLI_REPORT_H

#include <outboard/outboard.h>
#include <stdio.h>

enum obi_exit_status {
	OBI_EXIT_OK = 0,
	OBI_EXIT_REMOTE = 1,	  /* the remote side answered with an error */
	OBI_EXIT_USAGE = 2,	  /* the command line or a config is not acceptable */
	OBI_EXIT_UNREACHABLE = 3, /* no connection, or refused: nothing was executed */
	OBI_EXIT_UNKNOWN = 4,	  /* a call was sent; whether it was executed is not known */
	OBI_EXIT_UNPRINTED = 5	  /* done, but the output could not be written */
};

/* Print "outboard: ", the text and a newline on stderr. Control characters in it are escaped. */
void obi_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The exit status for an error. */
int obi_exit_of(const struct ob_error *err);

/* The exit status for an error of ob_client_call(): tells what was not executed from what may have
 * been. */
int obi_exit_of_call(const struct ob_error *err);

/* Print "outboard: WHAT: ERROR" and return the exit status. what may be NULL. */
int obi_give_up(const char *what, const struct ob_error *err);

/* The same for an error of ob_client_call(). */
int obi_give_up_call(const char *what, const struct ob_error *err);

/* Print text that is not trusted, with control characters escaped. */
void obi_print_safe(FILE *file, struct ob_bytes text);

/* The number of columns that the text takes on a terminal, one for each character. */
size_t obi_columns(struct ob_bytes text);

/* Print a value as one line of JSON. OB_EINVAL: not representable; OB_ENOMEM. Errors of writing
 * stay in the file. */
int obi_print_json(FILE *file, const struct ob_value *value, struct ob_error *reterr);

#endif
