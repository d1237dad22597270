/* SPDX-License-Identifier: MIT */
/* The query of a chaos address: accepted values are within bounds, and bytes pass a lane with
 * these values complete and in order. */
#include "chaos/lane.h"

#include <stdlib.h>

enum { BYTES = 1000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool promise)
{
	if (!promise) {
		abort();
	}
}

static void check_range(struct obi_chaos_range range, uint64_t most)
{
	must(range.least <= range.most && range.most <= most);
}

static void check_when(struct obi_chaos_when when)
{
	must(when.kind <= OBI_CHAOS_ONCE && when.bytes <= INT64_MAX / 2);
	must(when.kind != OBI_CHAOS_OFTEN || when.bytes > 0);
}

static void check_bounds(const struct obi_chaos_params *p)
{
	check_range(p->delay, OBI_CHAOS_TIME_MAX);
	check_range(p->chop, OBI_CHAOS_CHOP_MAX);
	check_range(p->pause_for, OBI_CHAOS_TIME_MAX);
	check_when(p->pause);
	check_when(p->reset);
	check_when(p->drop);
	must(p->sides >= 1 && p->sides <= 3 && p->ways >= 1 && p->ways <= 3);
}

static void feed(struct obi_chaos_lane *lane, int64_t now)
{
	uint8_t *to;
	size_t n = obi_chaos_lane_room(lane, &to), most = lane->taken % 97 + 1;
	n = n < most ? n : most;
	n = n < BYTES - lane->taken ? n : BYTES - (size_t)lane->taken;
	for (size_t i = 0; i < n; i++) {
		to[i] = (uint8_t)(lane->taken + i);
	}
	if (n > 0) {
		obi_chaos_lane_took(lane, n, now);
	}
}

static void check_piece(const struct obi_chaos_lane *lane, struct ob_bytes piece)
{
	must(piece.len > 0 && lane->given + piece.len <= lane->taken);
	for (size_t i = 0; i < piece.len; i++) {
		must(piece.data[i] == (uint8_t)(lane->given + i));
	}
}

static void carry(const struct obi_chaos_params *params)
{
	const struct obi_chaos_place place = {1, OBI_CHAOS_ACCEPTOR, OBI_CHAOS_IN};
	struct obi_chaos_lane lane;
	int64_t now = 0;
	must(obi_chaos_lane_init(&lane, params, &place));
	for (uint32_t turns = 0; lane.given < BYTES; turns++) {
		struct ob_bytes piece;
		int64_t when = now;
		must(turns < 20 * BYTES);
		feed(&lane, now);
		enum obi_chaos_turn turn = obi_chaos_lane_turn(&lane, now, &piece, &when);
		if (turn == OBI_CHAOS_CUT || turn == OBI_CHAOS_SILENCE) {
			break;
		}
		if (turn == OBI_CHAOS_GIVE) {
			check_piece(&lane, piece);
			obi_chaos_lane_gave(&lane, piece.len);
		}
		must(turn != OBI_CHAOS_WAIT || when > now);
		now = when;
	}
	obi_chaos_lane_free(&lane);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct obi_chaos_params params;
	char why[OBI_CHAOS_WHY] = "";
	if (!obi_chaos_parse(ob_bytes_of(data, size), &params, why)) {
		must(strncmp(why, "chaos: ", 7) == 0 && memchr(why, '\0', sizeof why) != NULL);
		return 0;
	}
	check_bounds(&params);
	carry(&params);
	return 0;
}
