/* SPDX-License-Identifier: MIT */
/* api/client_agent - the way of a client to a child behind an agent: the plugins that reach the
 * agent, and the transport `via` over them. */
#ifndef OBI_API_CLIENT_AGENT_H
#define OBI_API_CLIENT_AGENT_H

#include <outboard/client.h>

#include "api/endpoint.h"
#include "rpc/via_stream.h"

/* Which child is meant, and how its agent is reached. Everything is borrowed. */
struct obi_client_way {
	const struct ob_client_options *agent;
	bool any_owner;	      /* a socket of the agent may belong to anyone */
	const char *name;     /* of the agent, for errors */
	const char *child;    /* its name there */
	const char *instance; /* its start; NULL: whichever runs */
};

/* It must not be moved. Zeroed: none. */
struct obi_client_agent {
	struct obi_endpoint endpoint;
	struct obi_arena texts;
	struct obi_via_setup setup;
};

/* Find the plugins. After a failure it must be ended as well. */
int obi_client_agent_begin(struct ob_runtime *rt, const struct obi_client_way *way,
			   struct obi_client_agent *ret, struct ob_error *reterr);

/* Let a connection be made this way. It must be closed before obi_client_agent_end(). */
void obi_client_agent_use(struct obi_client_agent *agent, struct obi_connection_setup *setup);

void obi_client_agent_end(struct obi_client_agent *agent);

/*
 * ob_client_connect() and ob_client_connect_async() by this way; address is then only for errors.
 * way NULL: directly.
 */
int obi_client_connect_by(struct ob_runtime *rt, const struct ob_client_options *options,
			  const struct obi_client_way *way, ob_cancel *cancel,
			  ob_client **ret_client, struct ob_error *reterr);
int obi_client_connect_by_async(struct ob_runtime *rt, const struct ob_client_options *options,
				const struct obi_client_way *way, ob_client_fn *done, void *user,
				struct ob_error *reterr);

#endif
