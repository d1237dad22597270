/* SPDX-License-Identifier: MIT */
/* At most so many dials of a runtime at once; the others wait in line, and not for ever. */
#include "supervisor/dial_limiter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "support/clock.h"

enum { MANY = 1000, PATIENCE_MS = 20000 };

static struct obi_loop *loop;
static struct obi_dial_limiter limiter;
static struct obi_dial_turn turns[MANY];
static int called[MANY]; /* in which order */
static int calls;
static int ended[MANY]; /* because its turn was over */

static void on_turn(void *user)
{
	struct obi_dial_turn *turn = user;
	called[turn - turns] = ++calls;
}

static void on_overdue(void *user)
{
	struct obi_dial_turn *turn = user;
	ended[turn - turns]++;
	obi_dial_turn_end(turn);
}

static int setup(void **state)
{
	(void)state;
	limiter = (struct obi_dial_limiter){0};
	calls = 0;
	for (int i = 0; i < MANY; i++) {
		turns[i] =
		    (struct obi_dial_turn){.fn = on_turn, .overdue = on_overdue, .user = &turns[i]};
		called[i] = ended[i] = 0;
	}
	return obi_loop_new(NULL, 0, &loop, NULL);
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < MANY; i++) {
		obi_dial_turn_end(&turns[i]);
	}
	assert_int_equal(limiter.holding, 0);
	assert_null(limiter.waiting.first);
	assert_null(limiter.holders.first);
	obi_loop_close(loop);
	return 0;
}

static int ask_all(void)
{
	int at_once = 0;
	for (int i = 0; i < MANY; i++) {
		at_once += obi_dial_limiter_ask(&limiter, loop, &turns[i]);
	}
	return at_once;
}

static void fault_39_a_hundred_dial_and_the_others_wait(void **state)
{
	(void)state;
	assert_int_equal(ask_all(), OBI_DIAL_LIMITER_MAX);
	assert_int_equal(limiter.holding, OBI_DIAL_LIMITER_MAX);
	obi_loop_turn(loop, false);
	assert_int_equal(calls, 0);
	assert_true(obi_dial_turn_is_wanted(&turns[0]));
	assert_true(obi_dial_turn_is_wanted(&turns[MANY - 1]));
}

static void fault_39_who_is_done_makes_room_for_the_next(void **state)
{
	(void)state;
	(void)ask_all();
	for (int i = 0; i < MANY; i++) {
		obi_dial_turn_end(&turns[i]);
		assert_false(obi_dial_turn_is_wanted(&turns[i]));
		obi_loop_turn(loop, false);
		assert_true(limiter.holding <= OBI_DIAL_LIMITER_MAX);
	}
	/* Each in its order, and only those that had to wait. */
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(called[i],
				 i < OBI_DIAL_LIMITER_MAX ? 0 : i - OBI_DIAL_LIMITER_MAX + 1);
	}
}

static void one_may_leave_the_line(void **state)
{
	(void)state;
	(void)ask_all();
	obi_dial_turn_end(&turns[MANY - 1]);		 /* the last */
	obi_dial_turn_end(&turns[OBI_DIAL_LIMITER_MAX]); /* the first */
	obi_dial_turn_end(&turns[OBI_DIAL_LIMITER_MAX + 5]);
	obi_dial_turn_end(&turns[OBI_DIAL_LIMITER_MAX + 5]);
	for (int i = 0; i < OBI_DIAL_LIMITER_MAX; i++) {
		obi_dial_turn_end(&turns[i]);
	}
	obi_loop_turn(loop, false);
	assert_int_equal(calls, OBI_DIAL_LIMITER_MAX);
	assert_int_equal(called[OBI_DIAL_LIMITER_MAX], 0);
	assert_int_equal(called[OBI_DIAL_LIMITER_MAX + 5], 0);
	assert_int_equal(called[MANY - 1], 0);
	assert_int_equal(called[OBI_DIAL_LIMITER_MAX + 1], 1);
	/* And come again, behind all others. */
	assert_false(obi_dial_limiter_ask(&limiter, loop, &turns[MANY - 1]));
	assert_ptr_equal(limiter.waiting.last, &turns[MANY - 1]);
}

/* It was its turn, but it gave up before the loop could say so. */
static void a_turn_that_is_given_up_is_not_called(void **state)
{
	(void)state;
	(void)ask_all();
	obi_dial_turn_end(&turns[0]);
	obi_dial_turn_end(&turns[OBI_DIAL_LIMITER_MAX]);
	obi_loop_turn(loop, false);
	assert_int_equal(called[OBI_DIAL_LIMITER_MAX], 0);
	assert_int_equal(called[OBI_DIAL_LIMITER_MAX + 1], 1);
	assert_int_equal(limiter.holding, OBI_DIAL_LIMITER_MAX);
}

/* ---- Dials that get no answer ---- */

enum { SILENT = 3 * OBI_DIAL_LIMITER_MAX };

static void turn_until_called(int i)
{
	int64_t end = now_ms() + PATIENCE_MS;
	while (called[i] == 0) {
		assert_true(now_ms() < end);
		obi_loop_turn(loop, true);
		assert_true(limiter.holding <= OBI_DIAL_LIMITER_MAX);
	}
}

/* As if they held their turns for so long. */
static void let_pass(int64_t ms)
{
	for (struct obi_dial_turn *t = limiter.holders.first; t != NULL; t = t->next) {
		t->since -= ms;
	}
}

/* Three hundred that do not answer hold up one that does for three turns, not for their timeouts.
 */
static void fault_39_a_silent_dial_ends_while_others_wait(void **state)
{
	(void)state;
	int64_t begin = now_ms();
	for (int i = 0; i <= SILENT; i++) {
		(void)obi_dial_limiter_ask(&limiter, loop, &turns[i]);
	}
	turn_until_called(SILENT);
	assert_true(now_ms() - begin >= 3 * OBI_DIAL_LIMITER_MS);
	for (int i = 0; i <= SILENT; i++) {
		assert_int_equal(called[i],
				 i < OBI_DIAL_LIMITER_MAX ? 0 : i - OBI_DIAL_LIMITER_MAX + 1);
		assert_int_equal(ended[i], i < SILENT - OBI_DIAL_LIMITER_MAX + 1);
	}
}

/* In the steady state all turns are held by silent ones, and long; a dial that has never been
 * silent waits for none of those. */
static void fault_39_a_silent_dial_waits_behind_the_others(void **state)
{
	(void)state;
	for (int i = 0; i < SILENT; i++) {
		turns[i].silent = 3;
		(void)obi_dial_limiter_ask(&limiter, loop, &turns[i]);
	}
	let_pass(4 * OBI_DIAL_LIMITER_MS);
	obi_loop_turn(loop, false);
	assert_int_equal(ended[0], 0); /* it may take eight */
	assert_false(obi_dial_limiter_ask(&limiter, loop, &turns[SILENT]));
	turn_until_called(SILENT);
	assert_int_equal(called[SILENT], 1);
	assert_int_equal(ended[0], 1);
	assert_int_equal(turns[0].silent, 4);
}

/* While no others wait a dial may take what time it likes. */
static void a_dial_ends_only_for_another(void **state)
{
	(void)state;
	for (int i = 0; i < OBI_DIAL_LIMITER_MAX; i++) {
		assert_true(obi_dial_limiter_ask(&limiter, loop, &turns[i]));
	}
	let_pass(10 * OBI_DIAL_LIMITER_MS);
	obi_loop_turn(loop, false);
	assert_int_equal(ended[0], 0);
	assert_false(obi_dial_limiter_ask(&limiter, loop, &turns[OBI_DIAL_LIMITER_MAX]));
	assert_false(obi_dial_limiter_ask(&limiter, loop, &turns[OBI_DIAL_LIMITER_MAX + 1]));
	turn_until_called(OBI_DIAL_LIMITER_MAX + 1);
	assert_int_equal(ended[0] + ended[1] + ended[2], 2);
	assert_null(limiter.timer.loop); /* none waits */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(fault_39_a_hundred_dial_and_the_others_wait),
	    TEST(fault_39_who_is_done_makes_room_for_the_next),
	    TEST(one_may_leave_the_line),
	    TEST(a_turn_that_is_given_up_is_not_called),
	    TEST(fault_39_a_silent_dial_ends_while_others_wait),
	    TEST(fault_39_a_silent_dial_waits_behind_the_others),
	    TEST(a_dial_ends_only_for_another),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
