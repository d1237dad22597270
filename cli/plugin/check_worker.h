/* SPDX-License-Identifier: MIT */
/*
 * trial - a plugin file, loaded and tried in a helper process. `outboard plugin trial MODE PARENT
 *FILE FROM DIR [LISTEN DIAL]...`
 *
 * MODE is "check" or "inspect", PARENT the pid of the command, FILE an absolute path or a bare
 *name. The first FROM promises are passed over, since an earlier helper tried them. DIR is for
 *files of the trial. A DIAL may be empty. What it tells, line by line:
 *
 *	try      KIND NAME ADDRESS PROMISE   it is about to try that; all but the promise empty: of
 *the file as a whole verdict  held|broken|skipped WHY     what became of it plugin   KIND NAME
 *VERSION           (inspect) a plugin of the file fact     KEY VALUE                   (inspect) of
 *it; one line for each value end                                  all was tried. The process then
 *exits with 0, which is the last promise
 */
#ifndef OBI_CLI_PLUGIN_CHECK_WORKER_H
#define OBI_CLI_PLUGIN_CHECK_WORKER_H

#include "plugin/loader.h"
#include "plugin/descriptor.h"

struct obi_registry;

struct obi_check_worker_run {
	bool inspect;
	uint32_t from; /* promises to pass over */
	uint32_t at;   /* promises that have come by */
	const char *dir;
	char **addresses; /* pairs of LISTEN and DIAL, ended by NULL */
	struct obi_registry *registry;
	/* What is being tried. */
	const char *kind;
	const char *name;
	const char *address;
	bool told; /* the promise in hand was announced */
};

#define OBI_PROMISE_END "lets its process end"

/* Announce; false: it is to be passed over. An obi_begin_fn. */
bool obi_check_worker_try(void *run, const char *promise);

/* Tell; an obi_verdict_fn. */
void obi_check_worker_verdict(void *run, const char *promise, int verdict, const char *why);

/* Try everything that is promised by its header on one registered plugin. */
void obi_check_worker_plugin(struct obi_check_worker_run *run, const struct obi_plugin *plugin);

#endif
