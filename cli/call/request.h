/* SPDX-License-Identifier: MIT */
/* request - a request to a running supervisor, which may take long. */
#ifndef OBI_CLI_CALL_REQUEST_H
#define OBI_CLI_CALL_REQUEST_H

#include "cli/args.h"
#include "cli/call/progress.h"

struct obi_request {
	const char *verb;   /* "start": it calls run.start */
	const char *config; /* of the supervisor, or */
	const char *root;   /* its data_root */
	int64_t timeout_ms; /* of all; 0: none */
	int64_t began_ms;
	/* Build the params: one array. */
	void (*build)(const struct obi_request *req, struct ob_builder *b);
	/* Print the answer and return the exit status. */
	int (*print)(const struct obi_request *req, const struct ob_value *answer);
	const void *user; /* of both */

	struct obi_progress progress;
};

/* The options that all requests have. */
#define OBI_REQUEST_OPTIONS(req)                                                       \
	{"config", "CONFIG", "config file of the supervisor, or ...", OBI_OPTION_TEXT, \
	 &(req)->config},                                                              \
	    {"data-root", "DIR", "... its data_root", OBI_OPTION_TEXT, &(req)->root},  \
	{                                                                              \
		"timeout", "D", "limit for waiting, such as 30s; default none",        \
		    OBI_OPTION_DURATION, &(req)->timeout_ms                            \
	}

/* Send it, print what comes of it, and return the exit status. */
int obi_request_send(struct obi_request *req);

/* Print a line about a child: on stderr what went wrong. Returns whether it went well. */
bool obi_print_result(const struct ob_value *result, const char *done);

#endif
