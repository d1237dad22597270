/* SPDX-License-Identifier: MIT */
/* rpc/via_opening - turns a stream to an agent into one to a child of it: the handshake of the
 * agent's transport, the authentication, and the call outboard-agent.connect. */
#ifndef OBI_RPC_VIA_OPENING_H
#define OBI_RPC_VIA_OPENING_H

#include "rpc/raw_stream.h"
#include "rpc/session.h"
#include "rpc/via_stream.h"

struct obi_via_opening {
	const struct obi_via_setup *setup;
	struct ob_stream *stream; /* of setup->transport */
	bool shaken;		  /* its handshake is done */
	bool begun;		  /* there is a session */
	bool connected;		  /* the agent has answered true */
	bool failed;
	bool waits;		/* an authenticator does, for this: */
	struct ob_want waiting; /* what it waits for */
	size_t received;	/* by the session */
	uint8_t binding[OB_BINDING_MAX];
	struct obi_session session;
	struct ob_error err;
};

/* Take one step, as ob_transport_ops.handshake(). */
int obi_via_opening_step(struct obi_via_opening *o, int revents, struct ob_want *ret_want,
			 struct ob_error *reterr);

/* It is done: take what it has made. */
void obi_via_opening_take(struct obi_via_opening *o, struct obi_raw_stream *ret);

/* Wipe and free what it holds, but for the stream. In any state, once. */
void obi_via_opening_end(struct obi_via_opening *o);

#endif
