/* SPDX-License-Identifier: MIT */
/*
 * requests - the interface `run` of a supervisor, which it serves on data_root/run.sock to its own
 * user and to root:
 *
 *   run.status(after)    -> {"children": [{name, state, link, pid, ...}, ...], "next": N}
 *   run.start(names)     -> [{name, ok, error}, ...] when each child is ready or has failed
 *   run.stop(names)      -> the same when each child has stopped
 *   run.restart(names)   -> the same as start
 *
 * One answer of run.status is a page: the children behind the cursor `after`, a number, from the
 * first one if it is not given, and as many as fit. `next` is the cursor of the next page, or nil
 * behind the last one. A cursor stays good while children come and go: each has a number of its
 * own, which is not used again.
 *
 * Without names every child is meant. If a name is unknown nothing is done.
 */
#ifndef OBI_CLI_RUN_REQUESTS_H
#define OBI_CLI_RUN_REQUESTS_H

#include "cli/run/members.h"

struct obi_run_request;

struct obi_run_requests {
	struct obi_members *members;
	void (*on_shutdown)(void *user); /* a client wants the supervisor to stop */
	void *user;

	ob_server *server;
	struct obi_run_request *first; /* those that are not answered */
};

int obi_requests_serve(struct obi_run_requests *requests, ob_runtime *rt, const char *address,
		       ob_logger *logger, struct ob_error *reterr);

/* An event of a member, which a request may wait for. */
void obi_requests_event(struct obi_member *member, const struct ob_event *event);

/* Answer all requests with an error and stop serving. */
void obi_requests_close(struct obi_run_requests *requests);

#endif
