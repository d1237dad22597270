/* SPDX-License-Identifier: MIT */
/* serve - one connection to the child, shared by serve.c (what becomes of it) and accept.c (how it
 * comes in). */
#ifndef OBI_SERVER_CONNECTIONS_H
#define OBI_SERVER_CONNECTIONS_H

#include "server/server.h"

struct obi_server_connection {
	struct obi_server_connection *next;
	struct obi_server_connection **slot;
	struct ob_server *server;
	struct obi_connection *link;
	struct obi_origin from;
	struct obi_admission_slot seat; /* until it is open */
	bool open;
	bool last; /* when it has ended, shut down */
};

/* Begin to speak on a stream that was let in, and is ours now. */
void obi_connections_stream(struct ob_server *s, struct ob_stream *stream, struct obi_origin from);

/* End it, without a word to anybody. */
void obi_connections_drop(struct obi_server_connection *c);

/* Tell, but of each kind not more often than once a second. from may be NULL. */
void obi_connections_warn(struct ob_server *s, enum obi_warn kind, const struct obi_origin *from,
			  const char *what, const char *why);

/* Begin and end to take connections from the listener. */
void obi_accept_begin(struct ob_server *s);
void obi_accept_end(struct ob_server *s);

/* A seat is free: whoever waits for one may have it. */
void obi_accept_go_on(struct ob_server *s);

#endif
