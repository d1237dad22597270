/* SPDX-License-Identifier: MIT */
/*
 * rpc/via_stream - the transport `via`: a connection to a child that an agent has started, through
 * a connection to the agent. It dials the agent with the agent's transport; its handshake
 * authenticates there and calls outboard-agent.connect; from then on the bytes of the connection
 * are those of the child's socket. rpc/via_opening has the handshake.
 *
 * For its user it is like a unix socket, which is what the child listens at: local, and without a
 * channel binding. What protects the bytes on their way is between this process and the agent.
 */
#ifndef OBI_RPC_VIA_STREAM_H
#define OBI_RPC_VIA_STREAM_H

#include <outboard/transport.h>

#include "rpc/handshake.h"

/*
 * The state of the transport, in ob_dial_params.state: all about the agent. Everything is borrowed,
 * and must stay valid until the last stream of it is closed; what *auth has may be replaced between
 * two dials.
 */
struct obi_via_setup {
	const struct ob_host *host;
	const struct ob_transport_ops *transport; /* that reaches the agent */
	void *transport_state;
	const struct ob_codec_ops *codec; /* of the agent */
	void *codec_state;
	const struct obi_handshake_setup *auth; /* with the agent, and its secret */
	const char *uri;			/* of the agent */
	uint32_t owner;	   /* whom a unix socket at uri must belong to; UINT32_MAX: anyone */
	const char *agent; /* its name, for errors */
	const char *child; /* the name of the child there */
	/* Of this supervisor, see PROTOCOL.md; NULL: this process is no host. */
	const char *host_id;
	const char *instance; /* the start of the child that is meant; NULL: whichever runs */
	const struct obi_via_home *home; /* the agent dials home; NULL: it is dialled */
};

/* Only to dial: listen() and what belongs to it fail. */
const struct ob_transport_ops *obi_via_transport(void);

#endif
