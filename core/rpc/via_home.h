/* SPDX-License-Identifier: MIT */
/*
 * rpc/via_home - a stream to a child of an agent that dials home. The agent cannot be dialled, so
 * it is asked by a call, outboard-agent.connect_home, to dial once more, with a ticket.
 */
#ifndef OBI_RPC_VIA_HOME_H
#define OBI_RPC_VIA_HOME_H

#include "rpc/call.h"
#include "rpc/stream_tickets.h"
#include "rpc/via_stream.h"

/* How the agent is asked. Borrowed, like struct obi_via_setup. */
struct obi_via_home {
	struct obi_stream_tickets *tickets; /* of the agent */
	/* Call the method. If this returns OB_OK, fn is called once, later. */
	int (*ask)(void *user, const struct ob_value *params, int64_t timeout_ms, ob_reply_fn *fn,
		   void *fn_user, struct ob_error *reterr);
	void *user;
};

struct obi_via_home_asked;

struct obi_via_home_dial {
	int event;	  /* an eventfd: something has happened; -1 */
	int64_t deadline; /* ms */
	struct obi_stream_ticket ticket;
	struct obi_via_home_asked *asked; /* NULL: the call has been answered */
	struct obi_raw_stream raw;	  /* its transport is NULL until it has arrived */
	bool failed;
	struct ob_error err;
};

/* Ask the agent for a stream to setup->child. dial must stay where it is, until it is ended; end it
 * in any case. */
int obi_via_home_begin(struct obi_via_home_dial *dial, const struct obi_via_setup *setup,
		       struct ob_want *ret_want, struct ob_error *reterr);

/* OB_OK: dial->raw is the stream, which the caller takes. OB_EAGAIN: *ret_want says when to call
 * again. */
int obi_via_home_step(struct obi_via_home_dial *dial, struct ob_want *ret_want,
		      struct ob_error *reterr);

void obi_via_home_end(struct obi_via_home_dial *dial);

#endif
