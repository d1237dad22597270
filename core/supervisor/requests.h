/* SPDX-License-Identifier: MIT */
/*
 * supervisor/requests - who waits for a supervisor: requests that are not looked at yet, the one
 * start request that is open, and the stop, detach and close requests that are.
 */
#ifndef OBI_SUPERVISOR_REQUESTS_H
#define OBI_SUPERVISOR_REQUESTS_H

#include <outboard/outboard.h>

#include "supervisor/lifecycle.h"

struct obi_request {
	struct obi_request *next;
	enum obi_life_event event;
	uint64_t id;
	ob_done_fn *done; /* may be NULL */
	void *user;
	bool allocated;
};

struct obi_requests {
	struct obi_request *queue; /* not looked at yet, the oldest first */
	struct obi_request *start; /* start, reconnect or start-or-reconnect */
	struct obi_request *stops; /* stop, detach and close */
	/* The first close needs no memory: a failure would leave the child behind. */
	struct obi_request close;
	uint64_t last_id;
};

/* Queue a request; *ret_id names it. OB_ENOMEM. */
int obi_requests_add(struct obi_requests *requests, enum obi_life_event event, ob_done_fn *done,
		     void *user, uint64_t *ret_id, struct ob_error *reterr);

/* Take the oldest one from the queue; NULL: none. */
struct obi_request *obi_requests_next(struct obi_requests *requests);

/* Take a request out of a list; NULL: it is not there. */
struct obi_request *obi_requests_take(struct obi_request **list, uint64_t id);

/* Call done and free the request. err is NULL when code is OB_OK. */
void obi_request_finish(struct obi_request *request, int code, const struct ob_error *err);

/* Finish every request of a list. Requests that are added meanwhile stay in it. */
void obi_requests_finish_all(struct obi_request **list, int code, const struct ob_error *err);

/* Whether it is a start, reconnect or start-or-reconnect. */
bool obi_request_is_start(enum obi_life_event event);

#endif
