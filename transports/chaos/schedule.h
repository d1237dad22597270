/* SPDX-License-Identifier: MIT */
/*
 * chaos/schedule - what is drawn by lot, and depends on nothing but the seed, the connection and
 * the place in its bytes: not on time, and not on the sizes in which the bytes come. Each thing
 * draws from numbers of its own, so that taking one parameter away leaves the others as they were.
 */
#ifndef OB_TRANSPORTS_CHAOS_SCHEDULE_H
#define OB_TRANSPORTS_CHAOS_SCHEDULE_H

#include "chaos/params.h"

/* Who draws. */
enum obi_chaos_purpose {
	OBI_CHAOS_DELAY,
	OBI_CHAOS_CHOP,
	OBI_CHAOS_PAUSE,
	OBI_CHAOS_PAUSE_FOR,
	OBI_CHAOS_RESET,
	OBI_CHAOS_DROP,
	OBI_CHAOS_NEAR_CHOP, /* of what the program itself reads and writes */
};

/* Which bytes: those of one way, at one side, of the n-th connection. */
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

/* A number of the range. */
uint64_t obi_chaos_roll(struct obi_chaos_dice *dice, struct obi_chaos_range range);

/* ---- Pieces ---- */

struct obi_chaos_chop {
	struct obi_chaos_dice dice;
	struct obi_chaos_range sizes; /* 0: not chopped */
	uint64_t left;		      /* of the current piece */
};

/* Chopped as params say, if they are about this place. */
void obi_chaos_chop_init(struct obi_chaos_chop *chop, const struct obi_chaos_params *params,
			 const struct obi_chaos_place *place, enum obi_chaos_purpose purpose);

/* How many bytes may pass at once; SIZE_MAX when it does not matter. */
size_t obi_chaos_chop_most(struct obi_chaos_chop *chop);
void obi_chaos_chop_pass(struct obi_chaos_chop *chop, size_t n);

/* ---- Mishaps ---- */

struct obi_chaos_mishap {
	struct obi_chaos_dice dice;
	struct obi_chaos_when when;
	uint64_t next; /* after so many bytes; UINT64_MAX: never */
};

void obi_chaos_mishap_init(struct obi_chaos_mishap *mishap, struct obi_chaos_when when,
			   uint64_t seed, const struct obi_chaos_place *place,
			   enum obi_chaos_purpose purpose);

/* It has happened: when is the next? */
void obi_chaos_mishap_again(struct obi_chaos_mishap *mishap);

#endif
