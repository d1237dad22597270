/* SPDX-License-Identifier: MIT */
/* watched - the command's side of a trial: runs helpers until every promise of a plugin file was
 * tried, whatever they die of. */
#ifndef OBI_CLI_PLUGIN_CHECK_RUNNER_H
#define OBI_CLI_PLUGIN_CHECK_RUNNER_H

#include "cli/args.h"
#include "cli/plugin/check_process.h"

/* What became of one promise. The texts are good for the call. */
struct obi_finding {
	const char *kind; /* empty, as the name and the address: of the file as a whole */
	const char *name;
	const char *address;
	const char *promise;
	const char *verdict; /* "held", "broken" or "skipped" */
	const char *why;
};

struct obi_check_runner {
	const char *mode; /* "check" or "inspect" */
	const char *file; /* as given: a bare name, or a path, relative to the working directory */
	int64_t patience_ms;
	const struct obi_list *listen; /* NULL: none */
	const struct obi_list *dial;   /* as many, or fewer */
	void (*found)(void *user, const struct obi_finding *finding);
	/* A line that is neither of these, or NULL. */
	void (*told)(void *user, const char *const fields[OBI_CHECK_PROCESS_FIELDS]);
	void *user;
};

/* OB_OK: it was tried, and each finding told. Else it could not be tried at all. */
int obi_check_runner_run(const struct obi_check_runner *watched, struct ob_error *reterr);

#endif
