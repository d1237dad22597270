/* SPDX-License-Identifier: MIT */
/*
 * check_worker - loads a plugin file and tries it, in a process of its own that check_runner
 * starts: `outboard plugin check-worker MODE PARENT FILE FROM DIR ONLY SETTINGS [LISTEN DIAL]...`
 *
 *   MODE    "check" or "inspect"
 *   PARENT  the pid of the process that starts it
 *   FILE    an absolute path, or a bare name
 *   FROM    how many promises to pass over, because an earlier worker tried them
 *   DIR     a directory for files of the check
 *   ONLY    the promise to try; empty: all
 *   SETTINGS  a file (see check_settings.c); empty: none
 *   LISTEN, DIAL   pairs of addresses; a DIAL may be empty
 *
 * It reports lines (see check_process.h):
 *
 *   try      KIND NAME ADDRESS PROMISE   the promise is tried next; the first three are empty for
 *                                        a promise of the file as a whole
 *   verdict  held|broken|skipped WHY     the outcome
 *   plugin   KIND NAME VERSION           (inspect) a plugin of the file
 *   fact     KEY VALUE                   (inspect) about this plugin; one line for each value
 *   end                                  everything was tried; the last promise is that the process
 *                                        now exits with status 0
 */
#ifndef OBI_CLI_PLUGIN_CHECK_WORKER_H
#define OBI_CLI_PLUGIN_CHECK_WORKER_H

#include <outboard/outboard.h>

struct obi_check_worker {
	ob_runtime *rt;
	bool inspect;
	uint32_t from; /* promises to pass over */
	uint32_t at;   /* promises so far */
	const char *dir;
	const char *only;     /* the promise to try; empty: all */
	const char *settings; /* a file; empty: none */
	char **addresses;     /* pairs of LISTEN and DIAL, ended by NULL */
	/* What is being tried. */
	const char *kind;
	const char *name;
	const char *address;
	bool announced; /* the current promise is not passed over */
};

#define OBI_PROMISE_END	     "lets the process exit"
#define OBI_PROMISE_SETTINGS "accepts its settings"

/* Announce a promise. False: it is to be passed over. An obi_begin_fn. */
bool obi_check_worker_try(void *worker, const char *promise);

/* Report the outcome of the promise that was announced. */
void obi_check_worker_verdict(struct obi_check_worker *worker, int verdict, const char *why);

/*
 * What configure() of a plugin made of the settings: for the end that dials, and for the one that
 * listens. They are the same where only one is given.
 */
struct obi_check_settings {
	void *state[2];
	void (*unconfigure)(void *state); /* NULL: there is nothing to unconfigure */
};

/* Read the file of settings and configure the plugin, as a promise. False: it cannot be tried. */
bool obi_check_settings_begin(struct obi_check_worker *worker, const struct ob_plugin_info *plugin,
			      struct obi_check_settings *ret);
void obi_check_settings_end(struct obi_check_settings *settings);

/* Try on one plugin all that the header of its kind promises. */
void obi_check_worker_suite(struct obi_check_worker *worker, const struct ob_plugin_info *plugin);

#endif
