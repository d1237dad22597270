/* SPDX-License-Identifier: MIT */
/* serve - one connection to the child, shared by serve.c (what becomes of it) and accept.c (how it comes in). */
#ifndef OBI_SERVER_CONNECTIONS_H
#define OBI_SERVER_CONNECTIONS_H

#include "server/server.h"

struct obi_connection_in {
	struct obi_connection_in *next;
	struct obi_connection_in **slot;
	struct ob_server *server;
	struct obi_link *link;
	struct obi_source from;
	struct obi_gate_seat seat; /* until it is open */
	bool open;
	bool last; /* when it has ended, shut down */
};

/* Begin to speak on a stream that was let in, and is ours now. */
void obi_serve_stream(struct ob_server *s, struct ob_stream *stream, struct obi_source from);

/* End it, without a word to anybody. */
void obi_serve_drop(struct obi_connection_in *c);

/* Tell, but of each kind not more often than once a second. from may be NULL. */
void obi_serve_warn(struct ob_server *s, enum obi_warn kind, const struct obi_source *from, const char *what,
		    const char *why);

/* Begin and end to take connections from the listener. */
void obi_accept_begin(struct ob_server *s);
void obi_accept_end(struct ob_server *s);

/* A seat is free: whoever waits for one may have it. */
void obi_accept_go_on(struct ob_server *s);

#endif
