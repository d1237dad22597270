/* SPDX-License-Identifier: MIT */
/* agent/agent - the parts of an agent: its hosts, its children, and the calls that wait. */
#ifndef OBI_AGENT_AGENT_H
#define OBI_AGENT_AGENT_H

#include <outboard/agent.h>

#include "agent/agent_allow.h"
#include "agent/agent_child.h"
#include "agent/agent_hosts.h"
#include "agent/relay.h"
#include "server/connections.h"

/* The call of `changes` that waits. */
struct obi_agent_change_wait {
	struct ob_call *call; /* NULL: none */
	uint64_t seen;
	uint32_t max;
	struct obi_timer timer;
	struct obi_task task; /* something has changed */
};

struct ob_agent {
	struct ob_server *server;
	struct obi_connections *connections; /* of the server */
	struct ob_runtime *rt;
	char *root;
	char run[OBI_AGENT_ID_SIZE];
	uint32_t children_max;
	struct obi_agent_allow allow;
	struct obi_agent_hosts hosts;
	uint64_t version; /* number of the last change */
	struct obi_agent_child_setup setup;
	struct obi_agent_child *first; /* in the order in which they became known */
	uint32_t count;
	struct obi_agent_change_wait changes;
	struct obi_agent_relays relays;
	struct {
		bool asked;
		ob_done_fn *done; /* NULL: it was called, or there is none */
		void *user;
		struct obi_task task;
	} ending; /* ob_agent_end_children() */
};

/* ---- Children ---- */

/* A name of a child; not "bin", the directory of what may be started. */
bool obi_agent_name_is_good(const char *name);

/* NULL: it is not known. */
struct obi_agent_child *obi_agent_find(const struct ob_agent *agent, const char *name);

/* The child of this name, which is made if it is not known. What an earlier agent left of it is
 * found. There is room for children_max; one that is absent makes room for another. */
int obi_agent_find_or_make(struct ob_agent *agent, const char *name, struct obi_agent_child **ret,
			   struct ob_error *reterr);

/* ---- Hosts ---- */

/* A host says hello; see obi_agent_hosts_hello(). The calls of the host before it end. */
bool obi_agent_hello(struct ob_agent *agent, const char *id, const char *label);

/* Answer a call: another host has taken over. */
void obi_agent_answer_taken(const struct ob_agent *agent, struct ob_call *call);

/* The methods of the interface, for an ob_agent. */
extern const struct ob_method obi_agent_methods[];

#endif
