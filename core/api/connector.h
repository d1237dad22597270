/* SPDX-License-Identifier: MIT */
/* connector - the parent's object for one child, shared by connector.c and connector_options.c. */
#ifndef OBI_API_CONNECTOR_H
#define OBI_API_CONNECTOR_H

#include "base/arena.h"
#include "api/client.h"
#include "rpc/interfaces.h"
#include "supervisor/supervisor.h"

struct ob_connector {
	struct ob_runtime *rt;
	struct obi_arena arena;		     /* of the copied options */
	struct ob_connector_options options; /* defaults filled in */
	uint32_t child_uid;
	char hash[65]; /* of what matters to a running child */
	struct obi_endpoint endpoint;
	const char
	    *listen_transport; /* the plugin that the child is to listen with; NULL: by scheme */
	struct obi_peer *peer;
	struct ob_client *client;
	struct ob_client *control;
	struct obi_interfaces interfaces;
	struct obi_supervisor *sup;
	bool freeing;
	bool begun; /* a request was made: no more exposing */
	struct obi_task free_task;
	struct ob_connector *next_closing; /* in the runtime's list */
	pthread_mutex_t status_lock;
	struct ob_status status;
	int64_t status_at;
	_Atomic int32_t pid;
};

/* The runtime ends: so do the connectors whose close is still under way, and their children, at
 * once. */
void obi_connectors_end(struct ob_runtime *rt);

/* Check, copy and complete the options; on failure the arena is still to be freed. */
int obi_connector_options(struct ob_connector *c, const struct ob_connector_options *given,
			  struct ob_error *reterr);

#endif
