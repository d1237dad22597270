/* SPDX-License-Identifier: MIT */
/* api/connector - the object of a parent for one child: the API over supervisor/supervisor. */
#ifndef OBI_API_CONNECTOR_H
#define OBI_API_CONNECTOR_H

#include "api/client.h"
#include "api/connector_numbers.h"
#include "api/connector_wait.h"
#include "place/agent_hub.h"
#include "rpc/interfaces.h"
#include "rpc/via_home.h"
#include "rpc/via_stream.h"
#include "supervisor/reason.h"
#include "supervisor/supervisor.h"

struct ob_connector {
	struct ob_runtime *rt;
	struct obi_connector_settings settings;
	struct obi_connector_numbers numbers;
	struct obi_endpoint endpoint;
	struct obi_replay_cache *replays; /* where the child dials; else NULL */
	/* The plugin that the child listens with, or dials; NULL: by scheme. */
	const char *listen_transport;
	struct obi_peer *peer;
	struct obi_orphan_count *orphans; /* of the connections to the child */
	struct ob_client *client;
	struct ob_client *control;
	struct obi_interfaces interfaces;
	struct obi_supervisor *supervisor;
	struct obi_waits waits;
	bool freeing;
	bool begun; /* a request was made: interfaces can no longer be exposed */
	struct obi_task free_task;
	struct obi_leftover leftover; /* while it is being closed */
	pthread_mutex_t status_lock;
	struct ob_status status;
	int64_t status_at;
	_Atomic int32_t pid;
	/* Of an agent: api/connector_via. */
	struct obi_agent_hub *hub; /* NULL: no child is behind it */
	uint32_t via_children;
	void (*via_last)(struct ob_connector *agent); /* when the last of them is freed; or NULL */
	/* Where it is dialled, OBI_ADDRESS_SIZE bytes; NULL: no child was behind it. */
	char *via_uri;
	struct obi_stream_tickets tickets; /* of streams, if it dials home */
	struct obi_via_home via_home;
	/* Of a child behind an agent. */
	bool counted; /* in via_children */
	struct obi_via_setup via;
};

#endif
