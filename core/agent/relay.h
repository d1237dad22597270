/* SPDX-License-Identifier: MIT */
/*
 * agent/relay - outboard-agent.connect: a connection to the agent becomes a byte stream to the
 * socket of a child.
 */
#ifndef OBI_AGENT_RELAY_H
#define OBI_AGENT_RELAY_H

#include "rpc/stream_tickets.h"
#include "server/dialer.h"

struct obi_agent_relay;

/* All relays of an agent. Zeroed memory has none. */
struct obi_agent_relays {
	struct obi_loop *loop;
	const struct ob_host *host;
	const struct ob_transport_ops *transport; /* of the children: unix */
	struct obi_connections *connections;	  /* of the agent's server */
	struct obi_agent_relay *first;
	uint32_t count;
	struct obi_timer sweep;
};

/* Failures are those of loading the transport. */
int obi_agent_relays_begin(struct obi_agent_relays *relays, struct obi_connections *connections,
			   struct ob_error *reterr);

/* End all of them. The connections must still be there. May be called again. */
void obi_agent_relays_end(struct obi_agent_relays *relays);

/*
 * Dial the child's socket at path, which must belong to uid and be no symbolic link, and answer
 * call: with an error, or with true. Then the connection of the call leaves the server and is a
 * byte stream to that socket. name is for errors. Do not use the call afterwards.
 */
void obi_agent_relay_begin(struct obi_agent_relays *relays, struct ob_call *call, const char *name,
			   const char *path, uint32_t uid);

/*
 * The same for a host that cannot dial: answer call, whose connection goes on, and dial home for
 * the stream, with the ticket.
 */
void obi_agent_relay_begin_home(struct obi_agent_relays *relays, struct ob_call *call,
				const char *name, const char *path, uint32_t uid,
				const struct obi_dialer *dialer,
				const char ticket[OBI_TICKET_SIZE]);

#endif
