/* SPDX-License-Identifier: MIT */
/*
 * rpc/stream_tickets - streams that a parent has asked its child for, where the child dials: it
 * dials once more for each, and shows the ticket that the parent has made. A ticket is good for one
 * stream, and for as long as somebody waits for it.
 */
#ifndef OBI_RPC_STREAM_TICKETS_H
#define OBI_RPC_STREAM_TICKETS_H

#include "rpc/raw_stream.h"

enum { OBI_TICKET_TEXT = 64, OBI_TICKET_SIZE = OBI_TICKET_TEXT + 1 };

/* The owner sets the last part. Zeroed memory was not issued. */
struct obi_stream_ticket {
	struct obi_stream_ticket *next;
	struct obi_stream_ticket **slot;   /* NULL: not issued, or spent */
	struct obi_stream_ticket **holder; /* whose stream comes; NULL: nobody has shown it */
	char text[OBI_TICKET_SIZE];	   /* hex digits */

	/* Called once, unless it is ended before: with the stream, which the callee takes over by a
	 * copy of *raw; or NULL, it will not come. It may end the ticket, and no other. */
	void (*arrived)(void *user, struct obi_raw_stream *raw);
	void *user;
};

/* Those of one child, which nobody has shown. Zeroed memory has none. */
struct obi_stream_tickets {
	struct obi_stream_ticket *first;
};

/* Make the text, and wait for it. OB_EIO: there are no random numbers. */
int obi_stream_ticket_issue(struct obi_stream_tickets *tickets, struct obi_stream_ticket *ticket,
			    struct ob_error *reterr);

/* Nobody waits any more. In any state. */
void obi_stream_ticket_end(struct obi_stream_ticket *ticket);

/* The connection on which the streams were asked for is lost: none that was not shown comes. */
void obi_stream_tickets_lose(struct obi_stream_tickets *tickets);

/* Somebody shows a ticket. True: it is spent, and *holder is it, until it ends, or
 * obi_stream_ticket_arrived() is called. Who holds one gets no other. */
bool obi_stream_ticket_spend(struct obi_stream_tickets *tickets, struct ob_bytes text,
			     struct obi_stream_ticket **holder);

/* Hand over the stream, or NULL. *holder is NULL afterwards. */
void obi_stream_ticket_arrived(struct obi_stream_ticket **holder, struct obi_raw_stream *raw);

#endif
