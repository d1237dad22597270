/* SPDX-License-Identifier: MIT */
/*
 * rpc/pending - the calls of ours that wait for a reply. Ids count up; a slot is id modulo the
 * table's size, so that finding one is one look. The table grows with the calls in flight and is
 * kept, so a steady state allocates nothing.
 */
#ifndef OBI_RPC_PENDING_H
#define OBI_RPC_PENDING_H

#include <outboard/client.h>

struct obi_pending {
	ob_reply_fn *fn; /* NULL: a free slot */
	void *user;
	int64_t deadline; /* CLOCK_MONOTONIC ms; INT64_MAX: none */
	uint32_t id;
};

struct obi_pending_table {
	struct obi_pending *slots;
	uint32_t room; /* a power of two, or 0 */
	uint32_t used;
	uint32_t next_id;
	int64_t earliest; /* no deadline is before this; INT64_MAX: none */
};

/* A slot with a new id for a call; NULL when memory ran out. The table owns it; set fn at once. */
struct obi_pending *obi_pending_add(struct obi_pending_table *table, int64_t deadline);

/* Take the call with this id out, into *ret. false: there is none. */
bool obi_pending_take(struct obi_pending_table *table, uint32_t id, struct obi_pending *ret);

/* Take out any call that is due at now; false when none is (then `earliest` is exact again). */
bool obi_pending_take_due(struct obi_pending_table *table, int64_t now, struct obi_pending *ret);

/* Take out any call at all. */
bool obi_pending_take_any(struct obi_pending_table *table, struct obi_pending *ret);

void obi_pending_free(struct obi_pending_table *table);

#endif
