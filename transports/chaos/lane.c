/* SPDX-License-Identifier: MIT */
#include "chaos/lane.h"

#include <stdlib.h>

enum { CELL = 64 }; /* bytes with the same latency */

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

bool obi_chaos_lane_init(struct obi_chaos_lane *lane, const struct obi_chaos_params *params,
			 const struct obi_chaos_place *place)
{
	bool ours = (params->sides & place->side) != 0 && (params->ways & place->way) != 0;
	const struct obi_chaos_params nothing = {.seed = params->seed};
	const struct obi_chaos_params *p = ours ? params : &nothing;
	*lane = (struct obi_chaos_lane){
	    .data = malloc(OBI_CHAOS_LANE_CAP), .delay = p->delay, .pause_for = p->pause_for};
	obi_chaos_seed(&lane->delay_dice, p->seed, place, OBI_CHAOS_DELAY);
	obi_chaos_seed(&lane->pause_dice, p->seed, place, OBI_CHAOS_PAUSE_FOR);
	obi_chaos_chop_init(&lane->chop, params, place, OBI_CHAOS_CHOP);
	obi_chaos_mishap_init(&lane->pause, p->pause, p->seed, place, OBI_CHAOS_PAUSE);
	obi_chaos_mishap_init(&lane->reset, p->reset, p->seed, place, OBI_CHAOS_RESET);
	obi_chaos_mishap_init(&lane->drop, p->drop, p->seed, place, OBI_CHAOS_DROP);
	return lane->data != NULL;
}

void obi_chaos_lane_free(struct obi_chaos_lane *lane)
{
	free(lane->data);
	lane->data = NULL;
}

/* ---- In ---- */

size_t obi_chaos_lane_room(struct obi_chaos_lane *lane, uint8_t **ret_to)
{
	uint64_t begin = lane->taken % OBI_CHAOS_LANE_CAP;
	uint64_t free_bytes = OBI_CHAOS_LANE_CAP - (lane->taken - lane->given);
	*ret_to = lane->data + begin;
	return (size_t)least(free_bytes, OBI_CHAOS_LANE_CAP - begin);
}

/* Bytes of the same millisecond share a mark. If all marks are used, the last one is shared and
 * takes the later time. */
void obi_chaos_lane_took(struct obi_chaos_lane *lane, size_t n, int64_t now)
{
	uint32_t last =
	    (lane->first_mark + lane->mark_count + OBI_CHAOS_LANE_MARKS - 1) % OBI_CHAOS_LANE_MARKS;
	bool shares = lane->mark_count > 0 &&
		      (lane->marks[last].at == now || lane->mark_count == OBI_CHAOS_LANE_MARKS);
	lane->taken += n;
	if (!shares) {
		last = (last + 1) % OBI_CHAOS_LANE_MARKS;
		lane->mark_count++;
	}
	lane->marks[last].end = lane->taken;
	lane->marks[last].at = now;
}

/* ---- Out ---- */

static void pass_marks(struct obi_chaos_lane *lane)
{
	while (lane->mark_count > 0 && lane->marks[lane->first_mark].end <= lane->due) {
		lane->first_mark = (lane->first_mark + 1) % OBI_CHAOS_LANE_MARKS;
		lane->mark_count--;
	}
}

static int64_t when_due(struct obi_chaos_lane *lane)
{
	if (lane->due == lane->cell_end) {
		lane->cell_delay = (int64_t)obi_chaos_roll(&lane->delay_dice, lane->delay);
		lane->cell_end += CELL;
	}
	int64_t when = lane->marks[lane->first_mark].at + lane->cell_delay;
	return when > lane->last_due ? when : lane->last_due;
}

/* Advance `due` over the bytes that are due now. *ret_when: the time of the first one that is not.
 */
static void advance(struct obi_chaos_lane *lane, int64_t now, int64_t *ret_when)
{
	while (lane->due < lane->taken) {
		*ret_when = when_due(lane);
		if (*ret_when > now) {
			return;
		}
		lane->last_due = *ret_when;
		lane->due = least(lane->cell_end, lane->marks[lane->first_mark].end);
		pass_marks(lane);
	}
}

static void begin_pause(struct obi_chaos_lane *lane, int64_t now)
{
	lane->held_until = now + (int64_t)obi_chaos_roll(&lane->pause_dice, lane->pause_for);
	obi_chaos_mishap_again(&lane->pause);
}

/* The bytes from `given` to the end of the ring, of the piece, or to the next fault. */
static struct ob_bytes piece(struct obi_chaos_lane *lane)
{
	uint64_t begin = lane->given % OBI_CHAOS_LANE_CAP;
	uint64_t end = least(lane->due, lane->given + OBI_CHAOS_LANE_CAP - begin);
	end = least(end, least(lane->pause.next, least(lane->reset.next, lane->drop.next)));
	return ob_bytes_of(lane->data + begin,
			   (size_t)least(end - lane->given, obi_chaos_chop_most(&lane->chop)));
}

enum obi_chaos_turn obi_chaos_lane_turn(struct obi_chaos_lane *lane, int64_t now,
					struct ob_bytes *ret_piece, int64_t *ret_when)
{
	if (lane->given == lane->reset.next || lane->given == lane->drop.next) {
		return lane->given == lane->reset.next ? OBI_CHAOS_CUT : OBI_CHAOS_SILENCE;
	}
	if (lane->given == lane->pause.next) {
		begin_pause(lane, now);
	}
	if (now < lane->held_until) {
		*ret_when = lane->held_until;
		return OBI_CHAOS_WAIT;
	}
	advance(lane, now, ret_when);
	if (lane->given == lane->due) {
		return lane->due < lane->taken ? OBI_CHAOS_WAIT : OBI_CHAOS_NOTHING;
	}
	*ret_piece = piece(lane);
	return OBI_CHAOS_GIVE;
}

void obi_chaos_lane_gave(struct obi_chaos_lane *lane, size_t n)
{
	obi_chaos_chop_pass(&lane->chop, n);
	lane->given += n;
}

struct ob_bytes obi_chaos_lane_rest(const struct obi_chaos_lane *lane)
{
	uint64_t begin = lane->given % OBI_CHAOS_LANE_CAP;
	return ob_bytes_of(lane->data + begin,
			   (size_t)least(lane->taken - lane->given, OBI_CHAOS_LANE_CAP - begin));
}
