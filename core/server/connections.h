/* SPDX-License-Identifier: MIT */
/*
 * server/connections - the connections to a child: which of them may authenticate, which one is the
 * parent, how calls are let through, and how connections end.
 */
#ifndef OBI_SERVER_CONNECTIONS_H
#define OBI_SERVER_CONNECTIONS_H

#include "api/client.h"
#include "rpc/acceptor.h"
#include "rpc/interfaces.h"
#include "rpc/preauth.h"
#include "server/permissions.h"
#include "server/warner.h"

struct obi_server_connection;
struct obi_dialer;

/* A connection that is about to leave the server. It ends at any time, like others. */
struct obi_held_connection {
	struct obi_server_connection *connection; /* NULL: it has ended */
};

/* What becomes of a connection that this process has dialled. */
struct obi_dialed_events {
	void (*opened)(void *user, struct obi_connection *connection);
	void (*ended)(void *user, const struct ob_error *err);
	void *user;
};

/* One of the two listeners of a child, or where it dials its parent: how connections get in there.
 * Each has preauth slots of its own, so that clients cannot take those of the parent. */
struct obi_entry {
	uint32_t kind; /* enum ob_listener_kind; OB_LISTENER_NONE: there is no such listener */
	struct obi_connections *all;
	struct obi_endpoint endpoint;
	struct obi_preauth_line preauth;
	struct obi_replay_cache replays;
	struct obi_dialed_events dialed; /* where it dials; else NULL */
};

enum { OBI_ENTRY_PARENT, OBI_ENTRY_CLIENTS, OBI_ENTRY_HOME, OBI_ENTRIES };

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
	struct obi_server_connection *parent; /* that supervises; NULL: none */
	const struct obi_dialer *dialer;      /* of a child that dials its parent; else NULL */
	bool ending;			      /* the server shuts down: calls are refused */
};

/* Set up the entries: each with `all`, and the events of its preauth line. */
void obi_connections_init_entries(struct obi_connections *cs);

/* The events of the acceptor of this entry. */
struct obi_acceptor_events obi_connections_acceptor_events(struct obi_entry *entry);

/* Dial from this entry. If this returns OB_OK its event `ended` follows, but not before this
 * returns. */
int obi_connections_dial(struct obi_entry *entry, const char *uri, uint32_t heartbeat_ms,
			 struct ob_error *reterr);

/* Close every connection and free what the connections hold. */
void obi_connections_free(struct obi_connections *cs);

/* Whether the caller may end the server. */
bool obi_connections_may_end(const struct obi_connections *cs, const struct ob_call *call);

/* Refuse new calls, and close the connection that carries this call as soon as its output is
 * written. Then the event last_ended follows. */
void obi_connections_end_after(struct obi_connections *cs, const struct ob_call *call);

/*
 * Hold the connection that carries this call, which was deferred: no message behind it is handled,
 * until it is resumed or taken. OB_EBUSY: the call is not the only thing that goes on there, or the
 * connection is that of the parent. *held must stay where it is until then, or be released.
 */
int obi_connections_hold(struct obi_connections *cs, const struct ob_call *call,
			 struct obi_held_connection *held, struct ob_error *reterr);
void obi_connections_resume(struct obi_held_connection *held);

/* Take the stream of the connection, which is not ended. It is in no list any more. */
void obi_connections_take(struct obi_held_connection *held, struct obi_raw_stream *ret);

#endif
