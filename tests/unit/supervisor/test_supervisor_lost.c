/* SPDX-License-Identifier: MIT */
/* A supervisor on a place that is lost, and comes back. */
#include "supervisor_bed.h"

static void a_lost_place_is_no_death(void **state)
{
	(void)state;
	static struct waiter start, stop;
	bed.options.ready = OB_READY_NONE;
	bed_make();
	bed_run(&start);
	double_lose(&bed.place);
	assert_int_equal(bed_status().state, OB_STATE_READY);
	assert_int_equal(bed_status().pid, 101);
	assert_string_equal(bed_status().last_error, "the double is lost");
	bed_expect_events("");
	double_expect_calls(&bed.place, "");
	bed.place.place.events->back(bed.place.place.user);
	assert_string_equal(bed_status().last_error, "");
	double_expect_calls(&bed.place, "");

	bed_request(&stop, OBI_LIFE_STOP);
	double_exit(&bed.place, OB_EXIT_CODE, 0);
	bed_expect_done(&stop, OB_OK);
}

/* A signal that was sent to a lost place is sent again. */
static void a_stop_goes_on_when_the_place_is_back(void **state)
{
	(void)state;
	static struct waiter start, stop;
	bed.options.ready = OB_READY_NONE;
	bed.options.stop_timeout_ms = 1;
	bed_make();
	bed_run(&start);
	double_lose(&bed.place);
	bed_request(&stop, OBI_LIFE_STOP);
	double_expect_calls(&bed.place, "signal:2 signal:18 ");
	bed_await(bed.place.calls, "end ");
	double_expect_calls(&bed.place, "end ");
	bed_expect_done(&stop, NOT_DONE);
	assert_int_equal(bed_status().state, OB_STATE_STOPPING);
	bed.place.place.events->back(bed.place.place.user);
	double_expect_calls(&bed.place, "end ");
	double_exit(&bed.place, OB_EXIT_SIGNAL, 9);
	bed_expect_done(&stop, OB_OK);
}

/* Who asks twice does not wait for a place that may not come back. */
static void a_stop_in_haste_lets_go_of_a_lost_place(void **state)
{
	(void)state;
	static struct waiter start, stop;
	bed.options.ready = OB_READY_NONE;
	bed_make();
	bed_run(&start);
	double_lose(&bed.place);
	bed_request(&stop, OBI_LIFE_STOP);
	bed_expect_done(&stop, NOT_DONE);
	obi_supervisor_hurry(bed.sup);
	bed_await(bed.events, "detached ");
	bed_expect_done(&stop, OB_ECONNLOST);
	assert_string_equal(stop.text, "not stopped, it may run on: the double is lost");
	assert_int_equal(bed_status().state, OB_STATE_DETACHED);
}

/* Whoever starts a child is not kept waiting for a place; the process is ended all the same. */
static void a_canceled_start_does_not_wait_for_a_lost_place(void **state)
{
	(void)state;
	static struct waiter start;
	bed_make();
	bed_spawn(&start);
	double_lose(&bed.place);
	bed_expect_done(&start, NOT_DONE);
	obi_supervisor_abort(bed.sup, start.id, OB_ETIMEDOUT);
	bed_expect_done(&start, OB_ETIMEDOUT);
	assert_int_equal(bed_status().state, OB_STATE_STOPPING);
	double_expect_calls(&bed.place, "end ");
	bed.place.place.events->back(bed.place.place.user);
	double_expect_calls(&bed.place, "end ");
	double_exit(&bed.place, OB_EXIT_SIGNAL, 9);
	bed_expect_events("exited stopped ");
	assert_int_equal(bed_status().state, OB_STATE_STOPPED);
}

/* The place is lost when the start has failed already, and its process is being ended. */
static void a_failed_start_does_not_wait_for_a_lost_place(void **state)
{
	(void)state;
	static struct waiter start;
	bed.options.ready_timeout_ms = 1;
	bed_make();
	bed_spawn(&start);
	bed_await(bed.place.calls, "signal:2 ");
	bed_expect_done(&start, NOT_DONE);
	double_lose(&bed.place);
	bed_expect_done(&start, OB_ETIMEDOUT);
	double_exit(&bed.place, OB_EXIT_SIGNAL, 2);
	bed_expect_events("stopping exited stopped ");
}

static void probe_and_spawn_that_the_loss_ends_are_tried_again(void **state)
{
	(void)state;
	static struct waiter supervise;
	const struct ob_error lost = {.code = OB_ECONNLOST, .text = "lost"};
	bed_make();
	bed_request(&supervise, OBI_LIFE_SUPERVISE);
	double_lose(&bed.place);
	double_answer(&bed.place, DOUBLE_PROBE, &lost);
	bed_expect_events("restarting ");
	bed.place.calls[0] = '\0';
	bed_await(bed.place.calls, "probe ");
	double_answer(&bed.place, DOUBLE_PROBE, NULL);
	double_answer(&bed.place, DOUBLE_PREPARE, NULL);
	double_answer(&bed.place, DOUBLE_SPAWN, &lost); /* it may have succeeded */
	bed.place.calls[0] = '\0';
	bed_await(bed.place.calls, "probe ");
	bed.place.place.events->back(bed.place.place.user);
	bed.place.facts = (struct obi_place_facts){true, true, double_child(7)};
	bed.place.calls[0] = '\0';
	double_answer(&bed.place, DOUBLE_PROBE, NULL);
	double_expect_calls(&bed.place, "adopt:double:7 "); /* and is not doubled */
}

/* health_action `restart`: silence is the child's only while its place can be reached. */
static void silence_of_a_lost_place_restarts_nothing(void **state)
{
	(void)state;
	static struct waiter start;
	bed.options.ready = OB_READY_NONE;
	bed.options.connect = "tcp://localhost:1";
	bed.options.health_interval_ms = 1;
	bed.options.health_action = OB_HEALTH_RESTART;
	bed_make();
	bed_start_until(&start, DOUBLE_SPAWN);
	double_lose(&bed.place);
	double_answer(&bed.place, DOUBLE_SPAWN, NULL);
	bed.place.calls[0] = '\0';
	bed_await(bed.events, "unresponsive ");
	double_expect_calls(&bed.place, "");
	assert_int_equal(bed_status().state, OB_STATE_READY);
}

static void silence_of_a_child_restarts_it(void **state)
{
	(void)state;
	static struct waiter start;
	bed.options.ready = OB_READY_NONE;
	bed.options.connect = "tcp://localhost:1";
	bed.options.health_interval_ms = 1;
	bed.options.health_action = OB_HEALTH_RESTART;
	bed_make();
	bed_run(&start);
	bed_await(bed.events, "unresponsive ");
	double_expect_calls(&bed.place, "signal:2 signal:18 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    BED_TEST(a_lost_place_is_no_death),
	    BED_TEST(a_stop_goes_on_when_the_place_is_back),
	    BED_TEST(a_stop_in_haste_lets_go_of_a_lost_place),
	    BED_TEST(a_canceled_start_does_not_wait_for_a_lost_place),
	    BED_TEST(a_failed_start_does_not_wait_for_a_lost_place),
	    BED_TEST(probe_and_spawn_that_the_loss_ends_are_tried_again),
	    BED_TEST(silence_of_a_lost_place_restarts_nothing),
	    BED_TEST(silence_of_a_child_restarts_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
