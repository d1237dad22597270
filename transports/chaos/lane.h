/* SPDX-License-Identifier: MIT */
/*
 * chaos/lane - a bounded queue for the bytes of one direction of a connection. The schedule decides
 * when and in which pieces they leave it. It uses no descriptors and no clock: the owner passes the
 * time.
 */
#ifndef OB_TRANSPORTS_CHAOS_LANE_H
#define OB_TRANSPORTS_CHAOS_LANE_H

#include "chaos/schedule.h"

enum { OBI_CHAOS_LANE_CAP = 65536, OBI_CHAOS_LANE_MARKS = 256 };

/* The next action for the owner of a lane. */
enum obi_chaos_turn {
	OBI_CHAOS_NOTHING, /* the lane is empty */
	OBI_CHAOS_GIVE,	   /* forward a piece */
	OBI_CHAOS_WAIT,	   /* wait until a time */
	OBI_CHAOS_CUT,	   /* reset the connection */
	OBI_CHAOS_SILENCE, /* stop moving bytes in both directions */
};

struct obi_chaos_lane {
	uint8_t *data; /* a ring */
	/* Total bytes: received, due, and forwarded. */
	uint64_t taken, due, given;
	/* Arrival times: each mark has the time of the bytes before its end. */
	struct {
		uint64_t end;
		int64_t at;
	} marks[OBI_CHAOS_LANE_MARKS];
	uint32_t first_mark, mark_count;
	/* Latency, drawn again for each cell. */
	struct obi_chaos_dice delay_dice;
	struct obi_chaos_range delay;
	uint64_t cell_end;
	int64_t cell_delay;
	int64_t last_due; /* keeps the order */
	struct obi_chaos_chop chop;
	struct obi_chaos_mishap pause, reset, drop;
	struct obi_chaos_dice pause_dice;
	struct obi_chaos_range pause_for;
	int64_t held_until;
};

/* Make an empty lane with the params that apply to this place. false: out of memory. */
bool obi_chaos_lane_init(struct obi_chaos_lane *lane, const struct obi_chaos_params *params,
			 const struct obi_chaos_place *place);
void obi_chaos_lane_free(struct obi_chaos_lane *lane);

/* Get the room for the next bytes (0: the lane is full), and report how many were put there. */
size_t obi_chaos_lane_room(struct obi_chaos_lane *lane, uint8_t **ret_to);
void obi_chaos_lane_took(struct obi_chaos_lane *lane, size_t n, int64_t now);

/* The action that is due now; *ret_piece for GIVE, *ret_when (ms) for WAIT. */
enum obi_chaos_turn obi_chaos_lane_turn(struct obi_chaos_lane *lane, int64_t now,
					struct ob_bytes *ret_piece, int64_t *ret_when);

/* Report how many bytes of the piece were forwarded. */
void obi_chaos_lane_gave(struct obi_chaos_lane *lane, size_t n);

/* The next piece of the remaining bytes, without the schedule; empty at the end. */
struct ob_bytes obi_chaos_lane_rest(const struct obi_chaos_lane *lane);

#endif
