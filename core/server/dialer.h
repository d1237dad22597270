/* SPDX-License-Identifier: MIT */
/*
 * server/dialer - a child that dials its parent: it dials until it is connected, says
 * outboard.hello, and dials again, with backoff, whenever the connection has ended. Nothing that a
 * parent does, or that is not there, ends the child.
 */
#ifndef OBI_SERVER_DIALER_H
#define OBI_SERVER_DIALER_H

#include "server/connections.h"

/* The owner sets the first part. Zeroed memory does not dial. */
struct obi_dialer {
	struct obi_connections *connections;
	struct obi_entry *entry; /* of these connections */
	const char *uri;
	const char *run;       /* of this process */
	const char *instance;  /* that the parent has started */
	uint32_t heartbeat_ms; /* the parent is expected to say something as often */

	bool active;
	bool welcome;			   /* the parent has taken the hello */
	int64_t since;			   /* when it has */
	uint32_t failures;		   /* in a row */
	struct obi_connection *connection; /* that is open; NULL: none */
	struct obi_timer again;
	struct obi_timer beat;
	char reason[256]; /* the parent's, for its refusal; "": none */
	char said[256];	  /* the last failure that was logged */
	int64_t said_at;
};

/* Dial from now on. */
void obi_dialer_start(struct obi_dialer *dialer);
void obi_dialer_stop(struct obi_dialer *dialer);

#endif
