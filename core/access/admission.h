/* SPDX-License-Identifier: MIT */
/*
 * access/admission - who gets one of the few seats for connections that have not authenticated yet,
 * and who has to leave one for it. It knows sources (access/origin), seats and the time it is told;
 * not what a connection is.
 *
 * Sources are of three kinds:
 *
 *   trusted    the user we run as, root, and the one that was configured; the host of a virtual
 * machine; the address that was configured as the parent's; and from where a parent supervised us
 * last. No penalties, and a quarter of the seats, which nobody else gets, is theirs. Whether they
 * are who they seem to be is not decided here. shared     loopback, and the unknown: peers that
 * have nothing to do with each other look alike. No penalties, since they would hit the innocent.
 *   strangers  all others. After a few failures what comes from there is refused for a while, twice
 * as long each time.
 *
 * When the seats are taken, the source that has the most of them has to give one up: who has said
 * nothing yet, or nothing more for long, goes before who is in the middle of an exchange; and who
 * has shown that it knows the secret goes last of all. A connection is left in peace for a moment
 * first, unless its source has more seats than the newcomer's would have. Until that is over, a
 * stranger is refused, and others wait: they may be the parent.
 */
#ifndef OBI_ACCESS_ADMISSION_H
#define OBI_ACCESS_ADMISSION_H

#include "access/origin.h"

enum { OBI_ADMISSION_SOURCES = 256 };

/* How far a connection has come. */
enum obi_admission_rank { OBI_ADMISSION_SILENT, OBI_ADMISSION_TALKING, OBI_ADMISSION_PROVEN };

struct obi_admission_source {
	struct obi_origin key;
	bool used;
	uint32_t seats;
	uint32_t failures;     /* in a row, and not forgotten */
	int64_t failed_at;     /* the last one */
	int64_t blocked_until; /* INT64_MIN: not blocked */
};

/* Embedded in its connection. */
struct obi_admission_slot {
	struct obi_admission_slot *next;
	struct obi_admission_slot **slot; /* what points to us; NULL: not seated */
	struct obi_admission_source *source;
	bool trusted;
	uint8_t rank;	/* enum obi_admission_rank */
	int64_t since;	/* it has this rank */
	uint64_t order; /* of entering */
};

struct obi_admission_setup {
	uint32_t seats;	      /* in all; at least 1 */
	uint32_t own_uid;     /* these two are trusted, and 0 */
	uint32_t allowed_uid; /* UINT32_MAX: nobody */
	const char *parent;   /* an address or context id; NULL: not known */
};

struct obi_admission {
	struct obi_admission_setup setup;
	struct obi_origin parent; /* configured */
	struct obi_origin learned;
	bool has_parent;
	bool has_learned;
	uint32_t reserved;
	uint32_t seated;
	uint32_t strangers; /* those of them that are not trusted */
	uint64_t entered;
	struct obi_admission_slot *first;
	struct obi_admission_source rest; /* of those for whom the table has no room */
	struct obi_admission_source sources[OBI_ADMISSION_SOURCES];
};

/* Nobody is there. OB_EINVAL: setup->parent is neither an address nor a context id. setup is
 * copied, but for its text. */
int obi_admission_init(struct obi_admission *gate, const struct obi_admission_setup *setup);

enum obi_admission_verdict {
	OBI_ADMISSION_ENTER,   /* there is a seat: obi_admission_enter() */
	OBI_ADMISSION_EVICT,   /* there is one when *victim has left: then ask again */
	OBI_ADMISSION_WAIT,    /* ask again after ms, or when somebody has left */
	OBI_ADMISSION_BLOCKED, /* refused: too many failures, for ms more */
	OBI_ADMISSION_FULL     /* refused: no seat, and no reason to take one from another */
};

struct obi_admission_answer {
	enum obi_admission_verdict verdict;
	struct obi_admission_slot
	    *victim; /* of WAIT and FULL: the one that will have to leave next; NULL: nobody */
	int64_t ms;
};

struct obi_admission_answer obi_admission_ask(struct obi_admission *gate, struct obi_origin from,
					      int64_t now);

void obi_admission_enter(struct obi_admission *gate, struct obi_origin from, int64_t now,
			 struct obi_admission_slot *seat);

/* It has come so far. Returns whether that is further than before. */
bool obi_admission_rise(struct obi_admission_slot *seat, enum obi_admission_rank rank, int64_t now);

enum obi_admission_end {
	OBI_ADMISSION_PASSED, /* authenticated: the failures of its source are forgiven */
	OBI_ADMISSION_FAILED, /* and it is its own fault */
	OBI_ADMISSION_GONE    /* neither */
};

/* Returns for how many ms its source is refused from now on; 0: it is not. Not seated: nothing. */
int64_t obi_admission_leave(struct obi_admission *gate, struct obi_admission_slot *seat,
			    enum obi_admission_end end, int64_t now);

/* A connection from there supervises us now: that is where the parent is. */
void obi_admission_learn(struct obi_admission *gate, struct obi_origin from);

bool obi_admission_trusts(const struct obi_admission *gate, struct obi_origin from);

#endif
