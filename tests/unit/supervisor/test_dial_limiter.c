/* SPDX-License-Identifier: MIT */
/* At most so many dials of a runtime at once; the others wait in line. */
#include "supervisor/dial_limiter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

enum { MANY = 1000 };

static struct obi_loop *loop;
static struct obi_dial_limiter pacer;
static struct obi_dial_turn turns[MANY];
static int called[MANY]; /* in which order */
static int calls;

static void on_turn(void *user)
{
	struct obi_dial_turn *turn = user;
	called[turn - turns] = ++calls;
}

static int setup(void **state)
{
	(void)state;
	pacer = (struct obi_dial_limiter){0};
	calls = 0;
	for (int i = 0; i < MANY; i++) {
		turns[i] = (struct obi_dial_turn){.fn = on_turn, .user = &turns[i]};
		called[i] = 0;
	}
	return obi_loop_new(NULL, 0, &loop, NULL);
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < MANY; i++) {
		obi_dial_turn_end(&turns[i]);
	}
	assert_int_equal(pacer.holding, 0);
	assert_null(pacer.first);
	obi_loop_close(loop);
	return 0;
}

static int ask_all(void)
{
	int at_once = 0;
	for (int i = 0; i < MANY; i++) {
		at_once += obi_dial_limiter_ask(&pacer, loop, &turns[i]);
	}
	return at_once;
}

static void fault_39_a_hundred_dial_and_the_others_wait(void **state)
{
	(void)state;
	assert_int_equal(ask_all(), OBI_DIAL_LIMITER_MAX);
	assert_int_equal(pacer.holding, OBI_DIAL_LIMITER_MAX);
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
		assert_true(pacer.holding <= OBI_DIAL_LIMITER_MAX);
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
	assert_false(obi_dial_limiter_ask(&pacer, loop, &turns[MANY - 1]));
	assert_ptr_equal(pacer.last, &turns[MANY - 1]);
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
	assert_int_equal(pacer.holding, OBI_DIAL_LIMITER_MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(fault_39_a_hundred_dial_and_the_others_wait),
	    TEST(fault_39_who_is_done_makes_room_for_the_next),
	    TEST(one_may_leave_the_line),
	    TEST(a_turn_that_is_given_up_is_not_called),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
