/* SPDX-License-Identifier: MIT */
/*
 * supervisor/supervisor - supervises one child: the shell around supervisor/lifecycle. It raises
 * events for what happens to the process (supervisor/instance), the connection
 * (supervisor/link_monitor), the one timer and the requests, and does the actions of each step.
 *
 * Requests are queued and run from the loop, so all callbacks come from the loop.
 */
#ifndef OBI_SUPERVISOR_SUPERVISOR_H
#define OBI_SUPERVISOR_SUPERVISOR_H

#include <outboard/outboard.h>

#include "supervisor/lifecycle.h"
#include "rpc/connection.h"
#include "supervisor/dial_limiter.h"
#include "place/place.h"

struct obi_supervisor;

struct obi_supervisor_events {
	void (*event)(void *user, const struct ob_event *event);
	ob_log_fn *log; /* NULL: logs are read and dropped */
	/* The link is ready for calls, or (NULL) gone. */
	void (*link)(void *user, struct obi_connection *link);
	/* The child has a new token, and runs as this user ((uint32_t)-1: that of the options):
	 * make the link setup's auth use both. */
	int (*token)(void *user, const char *token, uint32_t uid, struct ob_error *reterr);
	/* What obi_supervisor_status() shows has changed. */
	void (*changed)(void *user);
	void *user;
};

struct obi_supervisor_setup {
	struct obi_loop *loop;
	struct obi_dial_limiter *dials;
	struct obi_place
	    *place; /* where the child runs; the supervisor frees it, also on failure */
	const struct ob_connector_options
	    *options;		      /* defaults filled in; must outlive the supervisor */
	const char *config_hash;      /* of the options, 64 hex digits */
	const char *listen_transport; /* what the child is told to listen with; NULL: by scheme */
	struct obi_connection_setup link; /* without events */
	bool local;			  /* the transport cannot break while both ends live */
	struct obi_supervisor_events events;
};

int obi_supervisor_new(const struct obi_supervisor_setup *setup, struct obi_supervisor **ret,
		       struct ob_error *reterr);

/* The CLOSE request must have ended. sup may be NULL. */
void obi_supervisor_free(struct obi_supervisor *sup);

/*
 * Queue a request: OBI_LIFE_START, RECONNECT, START_OR_RECONNECT, SUPERVISE, STOP, DETACH or CLOSE.
 * done (may be NULL) is called exactly once, from the loop. *ret_id (may be NULL) names the request
 * for obi_supervisor_abort().
 */
int obi_supervisor_request(struct obi_supervisor *sup, enum obi_life_event request,
			   ob_done_fn *done, void *user, uint64_t *ret_id, struct ob_error *reterr);

/* End a request with code: a start is undone, a stop kills at once. */
void obi_supervisor_abort(struct obi_supervisor *sup, uint64_t id, int code);

/* Kill the child and wait for its death: for a loop that will not turn again. */
void obi_supervisor_kill(struct obi_supervisor *sup);

void obi_supervisor_status(const struct obi_supervisor *sup, struct ob_status *ret);

#endif
