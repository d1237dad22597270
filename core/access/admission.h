/* SPDX-License-Identifier: MIT */
/*
 * access/admission - the preauth slots: which connections may authenticate at all. It knows origins
 * (access/origin), slots, and the time that it is passed; it does not know connections.
 *
 * There are three kinds of sources:
 *
 *   trusted    The user this process runs as, root, and the configured user; the host of a virtual
 *              machine; the configured address of the parent; the origin of the last connection
 *              that supervised. They get no penalties, and a quarter of the slots is reserved for
 *              them. Whether they are what they seem to be is decided by authentication, not here.
 *   shared     Loopback and unknown origins, where unrelated peers look alike. They get no
 *              penalties, which would also hit peers that did nothing wrong.
 *   untrusted  All others. After a few failures, connections from there are refused for a time that
 *              doubles with each further failure.
 *
 * When no slot is free, the source with the most slots has to give one up. Connections that have
 * sent nothing, or have stalled, go before those in the middle of an exchange; those that have
 * proved that they know the secret go last. Each connection first gets a grace period, unless its
 * source has more slots than the source of the newcomer would have. During that period an untrusted
 * newcomer is refused, and others wait: they may be the parent.
 */
#ifndef OBI_ACCESS_ADMISSION_H
#define OBI_ACCESS_ADMISSION_H

#include "access/origin.h"

enum { OBI_ADMISSION_SOURCES = 256 };

/* What a connection has done so far. */
enum obi_admission_rank { OBI_ADMISSION_SILENT, OBI_ADMISSION_TALKING, OBI_ADMISSION_PROVEN };

struct obi_admission_source {
	struct obi_origin key;
	bool used;
	uint32_t slots;
	uint32_t failures;     /* in a row, since the last quiet period */
	int64_t failed_at;     /* the last failure */
	int64_t blocked_until; /* INT64_MIN: not blocked */
};

/* Embedded in its connection. */
struct obi_admission_slot {
	struct obi_admission_slot *next;
	struct obi_admission_slot **back; /* what points to this; NULL: not admitted */
	struct obi_admission_source *source;
	bool trusted;
	uint8_t rank;	/* enum obi_admission_rank */
	int64_t since;	/* when it got this rank */
	uint64_t order; /* of admission */
};

struct obi_admission_setup {
	uint32_t slots;	      /* in all; at least 1 */
	uint32_t own_uid;     /* trusted, as are root and allowed_uid */
	uint32_t allowed_uid; /* UINT32_MAX: none */
	const char *parent;   /* an address or context id; NULL: not known */
	/* The parent does not come here: no source is trusted, and no slot is reserved. */
	bool strangers;
};

struct obi_admission {
	struct obi_admission_setup setup;
	struct obi_origin parent; /* configured */
	struct obi_origin learned;
	bool has_parent;
	bool has_learned;
	uint32_t reserved;
	uint32_t admitted;
	uint32_t untrusted; /* of the admitted */
	uint64_t entered;
	struct obi_admission_slot *first;
	struct obi_admission_source overflow; /* all sources that the table has no room for */
	struct obi_admission_source sources[OBI_ADMISSION_SOURCES];
};

/* All slots are free. OB_EINVAL: setup->parent is neither an address nor a context id. setup is
 * copied, except for its text. */
int obi_admission_init(struct obi_admission *a, const struct obi_admission_setup *setup);

enum obi_admission_verdict {
	OBI_ADMISSION_ENTER,   /* a slot is free: call obi_admission_enter() */
	OBI_ADMISSION_EVICT,   /* a slot is free when *victim has left: then ask again */
	OBI_ADMISSION_WAIT,    /* ask again after ms, or when a slot is freed */
	OBI_ADMISSION_BLOCKED, /* refused for ms more: too many failures */
	OBI_ADMISSION_FULL     /* refused: no slot is free, and none may be taken */
};

struct obi_admission_answer {
	enum obi_admission_verdict verdict;
	struct obi_admission_slot *victim; /* also of WAIT and FULL: the next to leave; or NULL */
	int64_t ms;
};

struct obi_admission_answer obi_admission_ask(struct obi_admission *a, struct obi_origin from,
					      int64_t now);

void obi_admission_enter(struct obi_admission *a, struct obi_origin from, int64_t now,
			 struct obi_admission_slot *slot);

/* The connection has this rank now. Returns whether that is more than before. */
bool obi_admission_advance(struct obi_admission_slot *slot, enum obi_admission_rank rank,
			   int64_t now);

enum obi_admission_end {
	OBI_ADMISSION_PASSED, /* authenticated: the failures of its source are forgotten */
	OBI_ADMISSION_FAILED, /* by a fault of the peer */
	OBI_ADMISSION_GONE    /* ended for another reason */
};

/* Free the slot. Returns for how many ms the source is refused from now on; 0: it is not. Does
 * nothing if the slot is not held. */
int64_t obi_admission_leave(struct obi_admission *a, struct obi_admission_slot *slot,
			    enum obi_admission_end end, int64_t now);

static inline bool obi_admission_is_admitted(const struct obi_admission_slot *slot)
{
	return slot->back != NULL;
}

/* A connection from there supervises this process: the parent is there. */
void obi_admission_learn(struct obi_admission *a, struct obi_origin from);

bool obi_admission_trusts(const struct obi_admission *a, struct obi_origin from);

#endif
