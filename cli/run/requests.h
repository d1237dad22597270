/* SPDX-License-Identifier: MIT */
/*
 * requests - the interface `run` of a supervisor, which it serves on data_root/run.sock to its own
 * user and to root:
 *
 *   run.status(after)    -> {"children": [{name, state, link, pid, ...}, ...], "next": N}
 *   run.start(names)     -> [{name, ok, error}, ...] when each child is ready or has failed
 *   run.stop(names)      -> the same when each child has stopped
 *   run.restart(names)   -> the same as start
 *   run.reload(restart_changed)
 *                        -> {"children": [{name, ok, error, change}, ...], "unchanged": N} when
 *                           what has changed is ready, ended, or has failed; or
 *                           {"faults": [{file, key, reason}, ...]}, and nothing has changed
 *   run.waiting()        -> {"names": [...], "count": N}: some of the children that requests
 *                           which are not answered yet wait for, and the number of all
 *
 * One answer of run.status is a page: the children behind the cursor `after`, a number, from the
 * first one if it is not given, and as many as fit. `next` is the cursor of the next page, or nil
 * behind the last one. A cursor stays good while children come and go: each has a number of its
 * own, which is not used again. A reload that puts children before others gives those others new
 * numbers: pages may then repeat some, and lack none.
 *
 * Without names every child is meant. If a name is unknown nothing is done. A result of start, stop
 * or restart has a `note` if the config file says something else by now than what was loaded.
 */
#ifndef OBI_CLI_RUN_REQUESTS_H
#define OBI_CLI_RUN_REQUESTS_H

#include "cli/run/reload.h"

struct obi_run_request;

struct obi_run_requests {
	struct obi_members *members;
	struct obi_removed *removed;
	struct obi_reload *reload;
	void (*on_shutdown)(void *user); /* a client wants the supervisor to stop */
	void *user;

	ob_server *server;
	struct obi_run_request *first; /* those that are not answered */
};

int obi_requests_serve(struct obi_run_requests *requests, ob_runtime *rt, const char *address,
		       ob_logger *logger, struct ob_error *reterr);

/* An event of a member, which a request may wait for. */
void obi_requests_event(struct obi_member *member, const struct ob_event *event);

/* Reload the config file; what comes of it is logged. */
void obi_requests_reload(struct obi_run_requests *requests);

/* Answer all requests with an error and stop serving. */
void obi_requests_close(struct obi_run_requests *requests);

#endif
