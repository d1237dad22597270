/* SPDX-License-Identifier: MIT */
/*
 * rpc/pending - the calls of ours that wait for a reply.
 *
 * Ids count up. A slot is the id modulo the size of the table, so a lookup is one access. The table
 * grows with the number of calls in flight. It and the entries are kept for reuse, so that a call
 * allocates nothing in the steady state.
 */
#ifndef OBI_RPC_PENDING_H
#define OBI_RPC_PENDING_H

#include <outboard/client.h>

/* One call. It is the only record of the call: its owner keeps no other. */
struct obi_pending {
	ob_reply_fn *fn; /* may be NULL */
	void *user;
	const void *owner; /* what obi_pending_take_owned() compares; may be NULL */
	int64_t deadline;  /* CLOCK_MONOTONIC ms; INT64_MAX: none */
	uint32_t id;
	int code;		  /* for the use of the code that took the call out */
	struct obi_pending *next; /* the same; while not in use: the next spare entry */
};

struct obi_pending_table {
	struct obi_pending **slots;
	struct obi_pending *spare;
	uint32_t room; /* a power of two, or 0 */
	uint32_t used;
	uint32_t next_id;
	int64_t earliest; /* no deadline is before this; INT64_MAX: none */
};

void obi_pending_init(struct obi_pending_table *table);

/* Free everything. No call may be left in the table. */
void obi_pending_free(struct obi_pending_table *table);

/* Add a call with a new id; the caller sets fn, user and owner. NULL: out of memory. */
struct obi_pending *obi_pending_add(struct obi_pending_table *table, int64_t deadline);

/* The call with this id, which stays in the table; or NULL. */
struct obi_pending *obi_pending_find(const struct obi_pending_table *table, uint32_t id);

/* Each of these takes one call out of the table, or returns NULL if there is none: the one with
 * this id; one that is due at now (if there is none, `earliest` is exact again); one of this owner;
 * any. The caller gives the entry back or frees it. */
struct obi_pending *obi_pending_take(struct obi_pending_table *table, uint32_t id);
struct obi_pending *obi_pending_take_due(struct obi_pending_table *table, int64_t now);
struct obi_pending *obi_pending_take_owned(struct obi_pending_table *table, const void *owner);
struct obi_pending *obi_pending_take_any(struct obi_pending_table *table);

/* Give back the entry of a call that was taken out. */
void obi_pending_give_back(struct obi_pending_table *table, struct obi_pending *call);

/* Give back the entry, then call the fn that it had. */
void obi_pending_end(struct obi_pending_table *table, struct obi_pending *call, int code,
		     const struct ob_value *value, const struct ob_error *err);

#endif
