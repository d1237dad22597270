/* SPDX-License-Identifier: MIT */
/*
 * rpc/preauth - the connections of a listener that are not authenticated yet: which of them have a
 * preauth slot (access/admission), which has to make room, and how each ends.
 */
#ifndef OBI_RPC_PREAUTH_H
#define OBI_RPC_PREAUTH_H

#include "access/admission.h"
#include "rpc/connection.h"

/* A connection that came in. Embedded in its owner; zeroed memory holds no slot. */
struct obi_preauth {
	struct obi_admission_slot slot;
	struct obi_connection *connection;
	struct obi_origin from;
};

/* All are required. */
struct obi_preauth_events {
	/* It has to make room: close it, and leave. */
	void (*evict)(void *user, struct obi_preauth *who);
	/* A slot is free. */
	void (*slot_free)(void *user);
	void *user;
};

/* The owner sets the first part, and initializes the admission. */
struct obi_preauth_line {
	struct obi_preauth_events events;
	struct obi_admission admission;

	const struct obi_preauth *reading; /* NULL: it has left while it was read */
};

/* Ask for a slot for a connection from there. Connections that are in its way are read from once
 * more, and evicted if they have to make room; this never answers EVICT. */
struct obi_admission_answer obi_preauth_admit(struct obi_preauth_line *line,
					      struct obi_origin from);

/* Take the slot that was granted to a connection from there. */
void obi_preauth_enter(struct obi_preauth_line *line, struct obi_preauth *who,
		       struct obi_origin from);

/* Give the slot back, if it has one. Returns for how many ms connections from there are refused
 * from now on. */
int64_t obi_preauth_leave(struct obi_preauth_line *line, struct obi_preauth *who,
			  enum obi_admission_end how);

/* What is worth a line about a connection that ended before it was let in. */
enum obi_preauth_say {
	OBI_PREAUTH_SAY_NOTHING, /* it has left without a byte, as a port check does */
	OBI_PREAUTH_SAY_LEFT,	 /* the peer went by itself; nothing was refused */
	OBI_PREAUTH_SAY_REFUSED
};

/* It has ended with err: give the slot back. *ret_shown: the reason for the log. */
enum obi_preauth_say obi_preauth_ended(struct obi_preauth_line *line, struct obi_preauth *who,
				       const struct ob_error *err, struct ob_error *ret_shown);

#endif
