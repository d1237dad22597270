/* SPDX-License-Identifier: MIT */
/* check_runner - runs workers until every promise of a plugin file was tried, whatever a worker
 * dies of. */
#ifndef OBI_CLI_PLUGIN_CHECK_RUNNER_H
#define OBI_CLI_PLUGIN_CHECK_RUNNER_H

#include "cli/args.h"
#include "cli/plugin/check_process.h"

/* The outcome of one promise. The texts are valid for the length of the call. */
struct obi_finding {
	const char *kind; /* empty, like name and address, for the file as a whole */
	const char *name;
	const char *address;
	const char *promise;
	const char *verdict; /* "held", "broken" or "skipped" */
	const char *why;
};

struct obi_check_runner {
	const char *mode; /* "check" or "inspect" */
	const char *file; /* a bare name, or a path */
	int64_t patience_ms;
	const char *only;	       /* the promise to try; NULL: all */
	const char *settings;	       /* a file; NULL: none */
	const struct obi_list *listen; /* NULL: none */
	const struct obi_list *dial;   /* as many as listen, or fewer */
	void (*found)(void *user, const struct obi_finding *finding);
	/* Any other line of a worker; may be NULL. */
	void (*reported)(void *user, const char *const fields[OBI_CHECK_PROCESS_FIELDS]);
	void *user;
};

/* OB_OK: the file was tried, and every finding was reported. */
int obi_check_runner_run(const struct obi_check_runner *runner, struct ob_error *reterr);

#endif
