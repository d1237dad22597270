/* SPDX-License-Identifier: MIT */
/*
 * chaos/lane - the bytes of one way of a connection, on their way: a bounded queue that gives them
 * back when, and as far as, the schedule says. It knows nothing of descriptors and clocks: its
 * owner tells it the time.
 */
#ifndef OB_TRANSPORTS_CHAOS_LANE_H
#define OB_TRANSPORTS_CHAOS_LANE_H

#include "chaos/schedule.h"

enum { OBI_CHAOS_LANE_CAP = 65536, OBI_CHAOS_LANE_MARKS = 256 };

/* What a lane has for its owner. */
enum obi_chaos_turn {
	OBI_CHAOS_NOTHING, /* it is empty */
	OBI_CHAOS_GIVE,	   /* a piece to hand on */
	OBI_CHAOS_WAIT,	   /* nothing before a moment */
	OBI_CHAOS_CUT,	   /* the connection is to be reset */
	OBI_CHAOS_SILENCE, /* nothing moves any more, either way */
};

struct obi_chaos_lane {
	uint8_t *data; /* a ring */
	/* Bytes so far: taken in, due, and given out. */
	uint64_t taken, due, given;
	/* When they came: each mark says so for the bytes before its end. */
	struct {
		uint64_t end;
		int64_t at;
	} marks[OBI_CHAOS_LANE_MARKS];
	uint32_t first_mark, mark_count;
	/* Latency: drawn anew for every few bytes. */
	struct obi_chaos_dice delay_dice;
	struct obi_chaos_range delay;
	uint64_t cell_end;
	int64_t cell_delay;
	int64_t last_due; /* nothing overtakes */
	struct obi_chaos_chop chop;
	struct obi_chaos_mishap pause, reset, drop;
	struct obi_chaos_dice pause_dice;
	struct obi_chaos_range pause_for;
	int64_t held_until;
};

/* An empty lane, following params as far as they are about this place. false: out of memory. */
bool obi_chaos_lane_init(struct obi_chaos_lane *lane, const struct obi_chaos_params *params,
			 const struct obi_chaos_place *place);
void obi_chaos_lane_free(struct obi_chaos_lane *lane);

/* Where the next bytes may be put, and how many; 0: it is full. Then how many were. */
size_t obi_chaos_lane_room(struct obi_chaos_lane *lane, uint8_t **ret_to);
void obi_chaos_lane_took(struct obi_chaos_lane *lane, size_t n, int64_t now);

/* What is to be done now; *ret_piece for GIVE, *ret_when (ms) for WAIT. */
enum obi_chaos_turn obi_chaos_lane_turn(struct obi_chaos_lane *lane, int64_t now,
					struct ob_bytes *ret_piece, int64_t *ret_when);

/* So many bytes of that piece were handed on. */
void obi_chaos_lane_gave(struct obi_chaos_lane *lane, size_t n);

/* All that is left, whatever the schedule says, piece by piece; empty: nothing. */
struct ob_bytes obi_chaos_lane_rest(const struct obi_chaos_lane *lane);

#endif
