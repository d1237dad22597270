/* SPDX-License-Identifier: MIT */
/* findings - the verdicts of a check: printed as they come, or gathered and printed as JSON. */
#ifndef OBI_CLI_FINDINGS_H
#define OBI_CLI_FINDINGS_H

#include "base/arena.h"

#include <outboard/outboard.h>

enum { OBI_HEADING_MAX = 4800 };

/* The outcome of one promise. The texts are valid for the length of a call. */
struct obi_found {
	const char *heading; /* printed above the first finding that has it */
	/* Pairs of key and text that stand first in the JSON object, ended by NULL. */
	const char *const (*fields)[2];
	const char *promise;
	const char *verdict; /* "held", "broken" or "skipped" */
	const char *why;
};

/* Set verbose and json, then call obi_findings_begin(). */
struct obi_findings {
	bool verbose; /* also print what held */
	bool json;
	uint32_t held, broken, skipped; /* since the last sum */
	uint32_t broken_in_all, tried_in_all;
	char heading[OBI_HEADING_MAX]; /* the current one */
	struct obi_arena arena;
	struct ob_builder list;
};

void obi_findings_begin(struct obi_findings *f);

/* Print or keep one. */
void obi_findings_add(struct obi_findings *f, const struct obi_found *found);

/* Print "SUBJECT: N held, N broken, N skipped", and begin to count anew. */
void obi_findings_sum(struct obi_findings *f, const char *subject);

/* Print the JSON, if status is OBI_EXIT_OK, and free. Returns the exit status: OBI_EXIT_REMOTE if a
 * promise was broken. */
int obi_findings_end(struct obi_findings *f, int status);

#endif
