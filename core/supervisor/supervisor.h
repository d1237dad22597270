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
#include "supervisor/setup.h"

struct obi_supervisor;

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

/* Shorten the stop or close that was asked for: SIGKILL at once. Without one it does nothing. */
void obi_supervisor_hurry(struct obi_supervisor *sup);

/* In backoff: take back the restart that was counted last. False: there is none. */
bool obi_supervisor_uncount(struct obi_supervisor *sup);

uint32_t obi_supervisor_state(const struct obi_supervisor *sup); /* enum ob_state */

/* Whether requests wait to be run, which may change the state. */
bool obi_supervisor_has_requests(const struct obi_supervisor *sup);

/* Kill the child and wait for its death: for a loop that will not turn again. */
void obi_supervisor_kill(struct obi_supervisor *sup);

/* Make the state of the child anew, where somebody removed it. */
int obi_supervisor_renew(struct obi_supervisor *sup, bool *ret_renewed, struct ob_error *reterr);

void obi_supervisor_status(const struct obi_supervisor *sup, struct ob_status *ret);

/* Where the child is dialled; NULL: not known yet. Valid until the next turn of the loop. */
const char *obi_supervisor_address(const struct obi_supervisor *sup);

#endif
