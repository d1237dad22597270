/* SPDX-License-Identifier: MIT */
/* The parameters, the schedule and the lanes of the chaos transport, without sockets, threads and
 * time. */
#include "chaos/lane.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- Parameters ---- */

static struct obi_chaos_params parsed(const char *query)
{
	struct obi_chaos_params params;
	char why[OBI_CHAOS_WHY] = "";
	if (!obi_chaos_parse(ob_bytes_text(query), &params, why)) {
		fail_msg("%s: %s", query, why);
	}
	return params;
}

static void all_parameters_are_read(void **state)
{
	struct obi_chaos_params p =
	    parsed("seed=18446744073709551615&delay=0..20ms&chop=1..7&pause=1/200:50ms&reset=1/"
		   "5000&drop=@300&side=dialer&way=in");
	(void)state;
	assert_true(p.seed == UINT64_MAX);
	assert_true(p.delay.least == 0 && p.delay.most == 20);
	assert_true(p.chop.least == 1 && p.chop.most == 7);
	assert_true(p.pause.kind == OBI_CHAOS_OFTEN && p.pause.bytes == 200);
	assert_true(p.pause_for.least == 50 && p.pause_for.most == 50);
	assert_true(p.reset.kind == OBI_CHAOS_OFTEN && p.reset.bytes == 5000);
	assert_true(p.drop.kind == OBI_CHAOS_ONCE && p.drop.bytes == 300);
	assert_int_equal(p.sides, OBI_CHAOS_DIALER);
	assert_int_equal(p.ways, OBI_CHAOS_IN);
}

static void an_empty_query_has_no_faults(void **state)
{
	struct obi_chaos_params p = parsed("");
	(void)state;
	assert_true(p.seed == 0 && p.delay.most == 0 && p.chop.most == 0);
	assert_true(p.pause.kind == OBI_CHAOS_NEVER && p.reset.kind == OBI_CHAOS_NEVER &&
		    p.drop.kind == OBI_CHAOS_NEVER);
	assert_int_equal(p.sides, OBI_CHAOS_DIALER | OBI_CHAOS_ACCEPTOR);
	assert_int_equal(p.ways, OBI_CHAOS_OUT | OBI_CHAOS_IN);
}

static void times_have_units(void **state)
{
	static const struct {
		const char *query;
		uint64_t least, most;
	} cases[] = {{"delay=0", 0, 0},
		     {"delay=5ms", 5, 5},
		     {"delay=2s", 2000, 2000},
		     {"delay=10m", 600000, 600000},
		     {"delay=500ms..2s", 500, 2000},
		     {"delay=0..0", 0, 0}};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct obi_chaos_params p = parsed(cases[i].query);
		assert_true(p.delay.least == cases[i].least && p.delay.most == cases[i].most);
	}
}

static const char *const bad[][2] = {
    {"delya=5ms", "unknown parameter 'delya'"},
    {"=5", "unknown parameter ''"},
    {"seed=1&", "unknown parameter ''"},
    {"&seed=1", "unknown parameter ''"},
    {"seed=1&&chop=2", "unknown parameter ''"},
    {"seed=1&seed=1", "parameter seed is given twice"},
    {"seed", "parameter seed: expected a number"},
    {"seed=", "parameter seed=: expected a number"},
    {"seed=-1", "parameter seed=-1: expected a number"},
    {"seed=1 ", "parameter seed=1 : expected a number"},
    {"seed=18446744073709551616", "parameter seed=18446744073709551616"},
    {"seed=99999999999999999999999", "parameter seed=99999999999999999999999"},
    {"delay=5", "parameter delay=5: expected a time"},
    {"delay=5..10ms", "parameter delay=5..10ms"},
    {"delay=20ms..5ms", "parameter delay=20ms..5ms"},
    {"delay=11m", "parameter delay=11m"},
    {"delay=5ms..", "parameter delay=5ms.."},
    {"delay=5msx", "parameter delay=5msx"},
    {"delay=1h", "parameter delay=1h"},
    {"delay=%35ms", "parameter delay=%35ms"},
    {"chop=0", "parameter chop=0: expected a number of bytes"},
    {"chop=65537", "parameter chop=65537"},
    {"chop=7..1", "parameter chop=7..1"},
    {"pause=50ms", "parameter pause=50ms: expected how often"},
    {"pause=1/200", "parameter pause=1/200"},
    {"pause=1/0:5ms", "parameter pause=1/0:5ms"},
    {"reset=5000", "parameter reset=5000: expected how often or where"},
    {"reset=2/5000", "parameter reset=2/5000"},
    {"reset=@", "parameter reset=@"},
    {"drop=1/", "parameter drop=1/"},
    {"drop=@4611686018427387904", "parameter drop=@4611686018427387904"},
    {"side=server", "parameter side=server: expected dialer, acceptor or both"},
    {"way=inout", "parameter way=inout: expected in, out or both"},
    {"way=", "parameter way="},
};

static void a_mistake_names_its_parameter(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct obi_chaos_params p;
		char why[OBI_CHAOS_WHY] = "";
		if (obi_chaos_parse(ob_bytes_text(bad[i][0]), &p, why) ||
		    strstr(why, bad[i][1]) == NULL) {
			fail_msg("%s: \"%s\" and not \"%s\"", bad[i][0], why, bad[i][1]);
		}
	}
}

/* ---- A lane ---- */

enum { BYTES = 20000, EVENTS = 4000 };

/* A fault and its position. */
struct story {
	size_t count;
	struct {
		char what;
		uint64_t at;
	} events[EVENTS];
};

static void note(struct story *story, char what, uint64_t at)
{
	if (story->count < EVENTS) {
		story->events[story->count].what = what;
		story->events[story->count++].at = at;
	}
}

static uint8_t byte_at(uint64_t place)
{
	return (uint8_t)(place * 131 ^ place >> 11);
}

static void put_some(struct obi_chaos_lane *lane, size_t most, int64_t now)
{
	uint8_t *to;
	size_t room = obi_chaos_lane_room(lane, &to);
	size_t n = room < most ? room : most;
	n = n < BYTES - lane->taken ? n : BYTES - (size_t)lane->taken;
	for (size_t i = 0; i < n; i++) {
		to[i] = byte_at(lane->taken + i);
	}
	if (n > 0) {
		obi_chaos_lane_took(lane, n, now);
	}
}

/* Forward the piece, at most as much of it as the sink takes. */
static void take_some(struct obi_chaos_lane *lane, struct ob_bytes piece, size_t most,
		      struct story *story)
{
	size_t n = piece.len < most ? piece.len : most;
	assert_true(n > 0);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(piece.data[i], byte_at(lane->given + i));
	}
	obi_chaos_lane_gave(lane, n);
	if (lane->chop.sizes.most > 0 && lane->chop.left == 0) {
		note(story, 'c', lane->given);
	}
}

/* Move all bytes through a lane; the source gives `in` at a time, the sink takes `out`. Returns the
 * time that it took. */
static int64_t tell(const char *query, uint64_t connection, size_t in, size_t out,
		    struct story *ret)
{
	struct obi_chaos_params params = parsed(query);
	struct obi_chaos_place place = {connection, OBI_CHAOS_DIALER, OBI_CHAOS_OUT};
	struct obi_chaos_lane lane;
	int64_t now = 0;
	ret->count = 0;
	assert_true(obi_chaos_lane_init(&lane, &params, &place));
	while (lane.given < BYTES) {
		struct ob_bytes piece;
		int64_t when = 0, held = lane.held_until;
		put_some(&lane, in, now);
		enum obi_chaos_turn turn = obi_chaos_lane_turn(&lane, now, &piece, &when);
		if (lane.held_until != held) {
			note(ret, 'p', lane.given);
		}
		if (turn == OBI_CHAOS_GIVE) {
			take_some(&lane, piece, out, ret);
		} else if (turn == OBI_CHAOS_WAIT) {
			assert_true(when > now);
			now = in == SIZE_MAX ? when : now + 1;
		} else if (turn == OBI_CHAOS_CUT || turn == OBI_CHAOS_SILENCE) {
			note(ret, turn == OBI_CHAOS_CUT ? 'r' : 'd', lane.given);
			break;
		}
	}
	obi_chaos_lane_free(&lane);
	return now;
}

static bool is_same(const struct story *a, const struct story *b)
{
	bool same = a->count == b->count;
	for (size_t i = 0; same && i < a->count; i++) {
		same = a->events[i].what == b->events[i].what && a->events[i].at == b->events[i].at;
	}
	return same;
}

static size_t count_of(const struct story *story, char what)
{
	size_t n = 0;
	for (size_t i = 0; i < story->count; i++) {
		n += story->events[i].what == what;
	}
	return n;
}

static const char all[] = "seed=42&delay=0..20ms&chop=1..70&pause=1/500:30ms..50ms&reset=1/15000";

static void the_same_seed_gives_the_same_faults(void **state)
{
	static struct story first, again;
	static const size_t sizes[] = {1, 2, 7, 64, 1000, 4096, SIZE_MAX};
	(void)state;
	(void)tell(all, 1, SIZE_MAX, SIZE_MAX, &first);
	assert_true(count_of(&first, 'c') > 10 && count_of(&first, 'p') > 1);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
			(void)tell(all, 1, sizes[i], sizes[k], &again);
			assert_true(is_same(&first, &again));
		}
	}
}

static void another_seed_or_connection_gives_other_faults(void **state)
{
	static struct story first, other;
	(void)state;
	(void)tell("seed=1&chop=1..70", 1, SIZE_MAX, SIZE_MAX, &first);
	(void)tell("seed=2&chop=1..70", 1, SIZE_MAX, SIZE_MAX, &other);
	assert_false(is_same(&first, &other));
	(void)tell("seed=1&chop=1..70", 2, SIZE_MAX, SIZE_MAX, &other);
	assert_false(is_same(&first, &other));
}

/* This allows to find the parameters that a failure does not need. */
static void removing_one_parameter_changes_no_other(void **state)
{
	static struct story with, without;
	size_t k = 0;
	(void)state;
	(void)tell("seed=9&chop=1..70&pause=1/500:30ms", 1, SIZE_MAX, SIZE_MAX, &with);
	(void)tell("seed=9&pause=1/500:30ms", 1, SIZE_MAX, SIZE_MAX, &without);
	assert_true(without.count > 10);
	for (size_t i = 0; i < with.count; i++) {
		if (with.events[i].what == 'p') {
			assert_true(without.events[k++].at == with.events[i].at);
		}
	}
	assert_int_equal(k, without.count);
}

static void the_rate_is_the_mean(void **state)
{
	static struct story story;
	size_t pauses = 0;
	(void)state;
	for (uint64_t connection = 0; connection < 100; connection++) {
		(void)tell("pause=1/200:1ms", connection, SIZE_MAX, SIZE_MAX, &story);
		pauses += count_of(&story, 'p');
	}
	/* 100 times 20000 bytes: 10000, give or take. */
	assert_in_range(pauses, 9500, 10500);
}

static void a_position_is_exact(void **state)
{
	static struct story story;
	static const uint64_t places[] = {0, 1, 63, 64, 65, 300, 19999};
	char query[64];
	(void)state;
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		for (size_t k = 0; k < 2; k++) {
			snprintf(query, sizeof query, "delay=0..3ms&%s=@%llu",
				 k == 0 ? "reset" : "drop", (unsigned long long)places[i]);
			(void)tell(query, 1, 100, 50, &story);
			assert_int_equal(story.count, 1);
			assert_int_equal(story.events[0].what, k == 0 ? 'r' : 'd');
			assert_true(story.events[0].at == places[i]);
		}
	}
}

static void a_delay_is_latency_and_not_a_speed(void **state)
{
	static struct story story;
	(void)state;
	assert_int_equal(tell("delay=20ms", 1, SIZE_MAX, SIZE_MAX, &story), 20);
	int64_t took = tell("delay=5ms..20ms", 1, SIZE_MAX, SIZE_MAX, &story);
	assert_in_range(took, 5, 20);
	/* A pause delays all bytes behind it. */
	assert_int_equal(tell("pause=@100:50ms", 1, SIZE_MAX, SIZE_MAX, &story), 50);
}

static void sides_and_ways_are_kept(void **state)
{
	static struct story story;
	(void)state;
	(void)tell("chop=3&side=acceptor", 1, SIZE_MAX, SIZE_MAX, &story);
	assert_int_equal(story.count, 0);
	(void)tell("reset=@5&way=in", 1, SIZE_MAX, SIZE_MAX, &story);
	assert_int_equal(story.count, 0);
	(void)tell("chop=3&side=dialer&way=out", 1, SIZE_MAX, SIZE_MAX, &story);
	assert_true(story.count > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_parameters_are_read),
	    cmocka_unit_test(an_empty_query_has_no_faults),
	    cmocka_unit_test(times_have_units),
	    cmocka_unit_test(a_mistake_names_its_parameter),
	    cmocka_unit_test(the_same_seed_gives_the_same_faults),
	    cmocka_unit_test(another_seed_or_connection_gives_other_faults),
	    cmocka_unit_test(removing_one_parameter_changes_no_other),
	    cmocka_unit_test(the_rate_is_the_mean),
	    cmocka_unit_test(a_position_is_exact),
	    cmocka_unit_test(a_delay_is_latency_and_not_a_speed),
	    cmocka_unit_test(sides_and_ways_are_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
