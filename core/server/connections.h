/* SPDX-License-Identifier: MIT */
/*
 * server/connections - the connections to a child: which of them may authenticate, which one is the
 * parent, how calls are let through, and how connections end.
 */
#ifndef OBI_SERVER_CONNECTIONS_H
#define OBI_SERVER_CONNECTIONS_H

#include "access/admission.h"
#include "api/client.h"
#include "rpc/interfaces.h"
#include "server/permissions.h"
#include "server/warner.h"

struct obi_server_connection;

/* One of the two listeners of a child: how connections get in there. Each has preauth slots of its
 * own, so that clients cannot take those of the parent. */
struct obi_entry {
	uint32_t kind; /* enum ob_listener_kind; OB_LISTENER_NONE: there is no such listener */
	struct obi_endpoint endpoint;
	struct obi_admission admission;
	struct obi_replay_cache replays;
};

enum { OBI_ENTRY_PARENT, OBI_ENTRY_CLIENTS, OBI_ENTRIES };

struct obi_connections_events {
	/* A preauth slot of this entry is free. */
	void (*slot_free)(void *user, struct obi_entry *entry);
	/* A connection has ended, and its descriptor is free. */
	void (*dropped)(void *user);
	/* The connection of obi_connections_end_after() has ended. */
	void (*last_ended)(void *user);
	void *user;
};

/* The owner sets the first part. */
struct obi_connections {
	struct ob_runtime *rt;
	struct obi_connections_events events;
	struct obi_warner warner;
	struct obi_permissions permissions;
	struct obi_interfaces interfaces;
	struct obi_rpc_limits limits;
	int64_t auth_timeout_ms;
	const char *instance;		  /* the one that a parent has to name; NULL: any */
	struct obi_peer *parent_peer;	  /* gets the connection of the parent */
	struct obi_orphan_count *orphans; /* for all connections */

	struct obi_entry entries[OBI_ENTRIES];
	struct obi_server_connection *first;
	struct obi_server_connection *parent;  /* that supervises; NULL: none */
	struct obi_server_connection *reading; /* NULL: it has opened or ended while it was read */
	bool ending;			       /* the server shuts down: calls are refused */
};

/* Ask the admission of the entry for a preauth slot for a connection from there. Connections that
 * are in its way are read from once more, and closed if they have to make room; this never answers
 * EVICT. */
struct obi_admission_answer obi_connections_admit(struct obi_connections *cs,
						  struct obi_entry *entry, struct obi_origin from);

/* Serve a stream that was admitted. The stream belongs to the connection from here on. */
void obi_connections_add(struct obi_connections *cs, struct obi_entry *entry,
			 struct ob_stream *stream, struct obi_origin from);

/* Close every connection and free what the connections hold. */
void obi_connections_free(struct obi_connections *cs);

/* Whether the caller may end the server. */
bool obi_connections_may_end(const struct obi_connections *cs, const struct ob_call *call);

/* Refuse new calls, and close the connection that carries this call as soon as its output is
 * written. Then the event last_ended follows. */
void obi_connections_end_after(struct obi_connections *cs, const struct ob_call *call);

#endif
