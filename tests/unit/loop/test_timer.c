/* SPDX-License-Identifier: MIT */
/* Timers for times that come from files. */
#include "loop/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void count(void *user)
{
	(*(int *)user)++;
}

static void fault_82_a_time_without_end_is_a_long_one(void **unused)
{
	(void)unused;
	struct obi_loop *loop;
	int calls = 0;
	struct obi_timer timer = {.fn = count, .user = &calls};
	assert_int_equal(obi_loop_new(NULL, 0, &loop, NULL), OB_OK);
	obi_timer_set(loop, &timer, INT64_MAX);
	obi_loop_turn(loop, false);
	assert_int_equal(calls, 0);
	assert_true(timer.at > obi_now_ms());
	assert_true(timer.at <= obi_now_ms() + OBI_TIMER_MAX_MS);
	obi_timer_set(loop, &timer, 0);
	obi_loop_turn(loop, true);
	assert_int_equal(calls, 1);
	obi_timer_stop(&timer);
	obi_loop_close(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fault_82_a_time_without_end_is_a_long_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
