/* SPDX-License-Identifier: MIT */
/*
 * chaos/schedule - the random decisions. They depend only on the seed, the connection and the
 * position in its bytes, not on time or on the sizes of reads. Each purpose has its own random
 * numbers: removing one parameter does not change the effect of the others.
 */
#ifndef OB_TRANSPORTS_CHAOS_SCHEDULE_H
#define OB_TRANSPORTS_CHAOS_SCHEDULE_H

#include "chaos/params.h"

/* The purpose of a random number. */
enum obi_chaos_purpose {
	OBI_CHAOS_DELAY,
	OBI_CHAOS_CHOP,
	OBI_CHAOS_PAUSE,
	OBI_CHAOS_PAUSE_FOR,
	OBI_CHAOS_RESET,
	OBI_CHAOS_DROP,
	OBI_CHAOS_NEAR_CHOP, /* of the reads and writes of the program */
};

/* One direction, on one side, of the n-th connection. */
struct obi_chaos_place {
	uint64_t connection;
	enum obi_chaos_side side;
	enum obi_chaos_way way;
};

struct obi_chaos_dice {
	uint64_t state;
};

void obi_chaos_seed(struct obi_chaos_dice *dice, uint64_t seed, const struct obi_chaos_place *place,
		    enum obi_chaos_purpose purpose);

/* A random number in the range. */
uint64_t obi_chaos_roll(struct obi_chaos_dice *dice, struct obi_chaos_range range);

/* ---- Pieces ---- */

struct obi_chaos_chop {
	struct obi_chaos_dice dice;
	struct obi_chaos_range sizes; /* 0 for no limit */
	uint64_t left;		      /* of the current piece */
};

/* Use the params if they apply to this place. */
void obi_chaos_chop_init(struct obi_chaos_chop *chop, const struct obi_chaos_params *params,
			 const struct obi_chaos_place *place, enum obi_chaos_purpose purpose);

/* How many bytes may pass at once; SIZE_MAX for no limit. */
size_t obi_chaos_chop_most(struct obi_chaos_chop *chop);
void obi_chaos_chop_pass(struct obi_chaos_chop *chop, size_t n);

/* ---- Faults ---- */

struct obi_chaos_mishap {
	struct obi_chaos_dice dice;
	struct obi_chaos_when when;
	uint64_t next; /* the position of the next one; UINT64_MAX for never */
};

void obi_chaos_mishap_init(struct obi_chaos_mishap *mishap, struct obi_chaos_when when,
			   uint64_t seed, const struct obi_chaos_place *place,
			   enum obi_chaos_purpose purpose);

/* The fault has happened: draw the position of the next one. */
void obi_chaos_mishap_again(struct obi_chaos_mishap *mishap);

#endif
