/* SPDX-License-Identifier: MIT */
/* The end of a child: the steps of a stop, what a dead process leaves, and what is told of it. */
#include "supervisor_bed.h"

static void make(void)
{
	bed.options.ready = OB_READY_NONE;
	bed_make();
}

/* A child that runs, and whose exit is not the end of all that it started. */
static void make_lingering(struct waiter *start)
{
	bed.place.linger = true;
	make();
	bed_run(start);
}

/* ---- Steps of a stop ---- */

static void fault_99_a_stop_that_is_ignored_kills_and_says_so(void **state)
{
	(void)state;
	static struct waiter start, stop;
	bed.options.stop_timeout_ms = 1;
	make();
	bed_run(&start);
	bed_request(&stop, OBI_LIFE_STOP);
	double_expect_calls(&bed.place, "signal:2 signal:18 ");
	assert_string_equal(bed.causes[OB_EVENT_STOPPING], "sent SIGINT");
	bed_await(bed.place.calls, "end ");
	assert_string_equal(bed.causes[OB_EVENT_STOPPING],
			    "did not end within 1ms (stop.timeout), killed");
	double_exit(&bed.place, OB_EXIT_SIGNAL, 9);
	bed_expect_done(&stop, OB_OK);
	assert_string_equal(bed.causes[OB_EVENT_EXITED],
			    "did not end within 1ms (stop.timeout), killed; process 101 was killed "
			    "by signal 9");
	bed_expect_events("stopping stopping exited stopped ");
}

static void fault_106_a_stop_in_haste_kills_at_once(void **state)
{
	(void)state;
	static struct waiter start, stop;
	make();
	bed_run(&start);
	obi_supervisor_hurry(bed.sup); /* no stop is under way */
	double_expect_calls(&bed.place, "");
	bed_request(&stop, OBI_LIFE_STOP);
	double_expect_calls(&bed.place, "signal:2 signal:18 ");
	obi_supervisor_hurry(bed.sup);
	double_expect_calls(&bed.place, "end ");
	assert_string_equal(bed.causes[OB_EVENT_STOPPING], "killed at once, as asked");
	obi_supervisor_hurry(bed.sup); /* once is enough */
	double_expect_calls(&bed.place, "");
	double_exit(&bed.place, OB_EXIT_SIGNAL, 9);
	bed_expect_done(&stop, OB_OK);
	bed_expect_events("stopping stopping exited stopped ");
}

/* The haste is not forgotten where the process comes only after it. */
static void fault_106_haste_holds_for_a_process_that_is_being_spawned(void **state)
{
	(void)state;
	static struct waiter start, stop;
	make();
	bed_request(&start, OBI_LIFE_START);
	double_answer(&bed.place, DOUBLE_PROBE, NULL);
	double_answer(&bed.place, DOUBLE_PREPARE, NULL);
	bed_request(&stop, OBI_LIFE_STOP);
	obi_supervisor_hurry(bed.sup);
	bed.place.calls[0] = '\0';
	double_answer(&bed.place, DOUBLE_SPAWN, NULL);
	assert_non_null(strstr(bed.place.calls, "end "));
	assert_null(strstr(bed.place.calls, "signal:"));
	double_exit(&bed.place, OB_EXIT_SIGNAL, 9);
	bed_expect_done(&stop, OB_OK);
}

/* Without a connection there is nobody to ask, so the signal is the first step. */
static void a_call_of_shutdown_is_left_out_while_the_link_is_down(void **state)
{
	(void)state;
	static struct waiter start, stop;
	bed.options.stop_rpc_ms = 60000;
	make();
	bed_run(&start);
	bed_request(&stop, OBI_LIFE_STOP);
	double_expect_calls(&bed.place, "signal:2 signal:18 ");
	double_exit(&bed.place, OB_EXIT_CODE, 0);
	bed_expect_done(&stop, OB_OK);
}

static void fault_90_a_process_that_may_not_be_signalled_fails_the_stop(void **state)
{
	(void)state;
	static struct waiter start, stop;
	const struct ob_error err = {.code = OB_EPERM, .text = "sending a signal: not permitted"};
	bed.options.stop_timeout_ms = 1;
	make();
	bed_run(&start);
	bed_request(&stop, OBI_LIFE_STOP);
	bed_await(bed.place.calls, "end ");
	bed.place.place.events->stuck(bed.place.place.user, &err);
	bed_expect_done(&stop, OB_EPERM);
	assert_string_equal(stop.text, err.text);
	assert_int_equal(bed_status().state, OB_STATE_DETACHED);
	assert_non_null(strstr(bed.causes[OB_EVENT_DETACHED], err.text));
}

/* The timer of the step before must not end a step that has none. */
static void a_stop_without_a_timeout_is_not_ended_by_the_ready_timer(void **state)
{
	(void)state;
	static struct waiter start, stop;
	bed.options.ready_timeout_ms = 20;
	bed_make();
	bed_spawn(&start);
	bed_request(&stop, OBI_LIFE_STOP);
	double_expect_calls(&bed.place, "signal:2 signal:18 ");
	struct obi_timer end = {.fn = bed_on_changed};
	obi_timer_set(bed.loop, &end, 60);
	while (end.loop != NULL) {
		obi_loop_turn(bed.loop, true);
	}
	double_expect_calls(&bed.place, ""); /* it is not killed */
	double_exit(&bed.place, OB_EXIT_CODE, 0);
	bed_expect_done(&stop, OB_OK);
}

/* ---- What is left ---- */

/* It lingers already when the stop comes: nothing new is said of it. */
static void a_stop_of_a_failed_start_does_not_wait_for_what_it_left(void **state)
{
	(void)state;
	static struct waiter start, stop;
	bed.place.linger = true;
	bed_make();
	bed_spawn(&start);
	double_exit(&bed.place, OB_EXIT_CODE, 1);
	bed.place.place.events->remains(bed.place.place.user, "x (pid 7) is still running");
	double_expect_calls(&bed.place, "end "); /* a failed start does not wait either */
	bed_request(&stop, OBI_LIFE_STOP);
	bed_expect_done(&start, OB_EEXITED);
	double_gone(&bed.place, NULL);
	bed_expect_done(&stop, OB_OK);
}

static void a_child_is_stopped_only_when_nothing_is_left(void **state)
{
	(void)state;
	static struct waiter start, stop;
	make_lingering(&start);
	bed_request(&stop, OBI_LIFE_STOP);
	bed.place.calls[0] = '\0';
	double_exit(&bed.place, OB_EXIT_CODE, 0);
	bed_expect_done(&stop, NOT_DONE);
	assert_int_equal(bed_status().pid, 0);
	bed.place.place.events->remains(bed.place.place.user, "x (pid 7) is still running");
	assert_int_equal(bed_status().state, OB_STATE_LINGERING);
	assert_string_equal(bed_status().last_error, "x (pid 7) is still running");
	double_expect_calls(&bed.place, "end "); /* a stop does not wait for it */
	double_gone(&bed.place, NULL);
	bed_expect_done(&stop, OB_OK);
	bed_expect_events("stopping exited lingering stopped ");
}

static void fault_93_nothing_is_started_while_something_is_left(void **state)
{
	(void)state;
	static struct waiter start, again;
	make_lingering(&start);
	double_exit(&bed.place, OB_EXIT_CODE, 3);
	bed.place.place.events->remains(bed.place.place.user, "x (pid 7) is still running");
	double_expect_calls(&bed.place, "");
	bed_request(&again, OBI_LIFE_START);
	bed_expect_done(&again, OB_EBUSY);
	double_gone(&bed.place, NULL);
	bed_expect_events("exited lingering restarting ");
	assert_string_equal(bed.causes[OB_EVENT_RESTARTING], "process 101 exited with status 3");
	bed_await(bed.place.calls, "probe ");
}

static void a_child_that_is_not_gone_has_failed(void **state)
{
	(void)state;
	static struct waiter start, stop;
	const struct ob_error err = {.code = OB_EEXITED, .text = "cleanup: exited with status 1"};
	make_lingering(&start);
	double_exit(&bed.place, OB_EXIT_CODE, 3);
	double_gone(&bed.place, &err);
	bed_expect_events("exited failed ");
	assert_int_equal(bed_status().state, OB_STATE_FAILED);
	assert_string_equal(bed_status().last_error,
			    "process 101 exited with status 3; cleanup: exited with status 1");

	/* A stop looks for what is left. */
	bed_request(&stop, OBI_LIFE_STOP);
	bed_expect_done(&stop, NOT_DONE);
	bed.place.facts.held = true;
	double_answer(&bed.place, DOUBLE_PROBE, NULL);
	double_gone(&bed.place, &err);
	bed_expect_done(&stop, OB_EEXITED);
	assert_int_equal(bed_status().state, OB_STATE_FAILED);

	bed_request(&stop, OBI_LIFE_STOP);
	double_answer(&bed.place, DOUBLE_PROBE, NULL);
	double_gone(&bed.place, NULL);
	bed_expect_done(&stop, OB_OK);
	assert_int_equal(bed_status().state, OB_STATE_STOPPED);
}

static void a_stop_of_a_child_that_is_not_gone_fails(void **state)
{
	(void)state;
	static struct waiter start, stop;
	const struct ob_error err = {.code = OB_EEXITED, .text = "cleanup: exited with status 1"};
	make_lingering(&start);
	bed_request(&stop, OBI_LIFE_STOP);
	double_exit(&bed.place, OB_EXIT_CODE, 0);
	double_gone(&bed.place, &err);
	bed_expect_done(&stop, OB_EEXITED);
	assert_string_equal(stop.text, err.text);
	assert_int_equal(bed_status().state, OB_STATE_FAILED);
}

static void a_detach_leaves_alone_what_lingers(void **state)
{
	(void)state;
	static struct waiter start, detach;
	make_lingering(&start);
	double_exit(&bed.place, OB_EXIT_CODE, 3);
	bed_request(&detach, OBI_LIFE_DETACH);
	bed_expect_done(&detach, OB_OK);
	double_expect_calls(&bed.place, "save detach ");
	assert_int_equal(bed_status().state, OB_STATE_DETACHED);
}

/* ---- The restart policy ---- */

static void a_job_that_succeeded_is_done(void **state)
{
	(void)state;
	static struct waiter start;
	bed.options.restart.on = OB_RESTART_ON_FAILURE;
	make();
	bed_run(&start);
	double_exit(&bed.place, OB_EXIT_CODE, 0);
	bed_expect_events("exited done ");
	assert_int_equal(bed_status().state, OB_STATE_DONE);

	bed_request(&start, OBI_LIFE_START); /* once more, on request */
	bed_expect_done(&start, NOT_DONE);
}

static void a_job_that_failed_is_restarted(void **state)
{
	(void)state;
	static struct waiter start;
	bed.options.restart.on = OB_RESTART_ON_FAILURE;
	make();
	bed_run(&start);
	double_exit(&bed.place, OB_EXIT_CODE, 4);
	bed_expect_events("exited restarting ");
}

static void a_child_that_is_never_restarted_keeps_its_reason(void **state)
{
	(void)state;
	static struct waiter start;
	bed.options.restart.on = OB_RESTART_NEVER;
	make();
	bed_run(&start);
	double_exit(&bed.place, OB_EXIT_SIGNAL, 11);
	bed_expect_events("exited failed ");
	assert_string_equal(bed_status().last_error,
			    "not restarted (restart.on): process 101 was killed by signal 11");
}

static void fault_99_giving_up_names_the_last_reason(void **state)
{
	(void)state;
	static struct waiter supervise;
	const struct ob_error err = {.code = OB_EINVAL, .text = "exec /x: Exec format error"};
	bed.options.restart.max_restarts = 1;
	make();
	bed_request(&supervise, OBI_LIFE_SUPERVISE);
	for (int i = 0; i < 2; i++) {
		bed_await(bed.place.calls, "probe ");
		bed.place.calls[0] = '\0';
		double_answer(&bed.place, DOUBLE_PROBE, NULL);
		double_answer(&bed.place, DOUBLE_PREPARE, NULL);
		double_answer(&bed.place, DOUBLE_SPAWN, &err);
	}
	bed_expect_events("restarting failed ");
	assert_string_equal(bed_status().last_error,
			    "gave up after 1 restart; last: exec /x: Exec format error");
}

/* An end that was demanded is told with the demand's reason, not with the signal alone. */
static void fault_99_the_reason_of_a_demanded_end_survives(void **state)
{
	(void)state;
	static struct waiter supervise;
	bed.options.ready_timeout_ms = 1;
	bed_make();
	bed_request(&supervise, OBI_LIFE_SUPERVISE);
	double_answer(&bed.place, DOUBLE_PROBE, NULL);
	double_answer(&bed.place, DOUBLE_PREPARE, NULL);
	double_answer(&bed.place, DOUBLE_SPAWN, NULL);
	bed_await(bed.place.calls, "signal:2 ");
	double_exit(&bed.place, OB_EXIT_SIGNAL, 2);
	assert_string_equal(bed.causes[OB_EVENT_RESTARTING],
			    "not ready within 1ms (ready.timeout); one that is no outboard needs "
			    "ready.mode none; process 101 was killed by "
			    "signal 2");
	assert_string_equal(bed_status().last_error, bed.causes[OB_EVENT_RESTARTING]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    BED_TEST(fault_99_a_stop_that_is_ignored_kills_and_says_so),
	    BED_TEST(fault_106_a_stop_in_haste_kills_at_once),
	    BED_TEST(fault_106_haste_holds_for_a_process_that_is_being_spawned),
	    BED_TEST(a_call_of_shutdown_is_left_out_while_the_link_is_down),
	    BED_TEST(fault_90_a_process_that_may_not_be_signalled_fails_the_stop),
	    BED_TEST(a_stop_without_a_timeout_is_not_ended_by_the_ready_timer),
	    BED_TEST(a_stop_of_a_failed_start_does_not_wait_for_what_it_left),
	    BED_TEST(a_child_is_stopped_only_when_nothing_is_left),
	    BED_TEST(fault_93_nothing_is_started_while_something_is_left),
	    BED_TEST(a_child_that_is_not_gone_has_failed),
	    BED_TEST(a_stop_of_a_child_that_is_not_gone_fails),
	    BED_TEST(a_detach_leaves_alone_what_lingers),
	    BED_TEST(a_job_that_succeeded_is_done),
	    BED_TEST(a_job_that_failed_is_restarted),
	    BED_TEST(a_child_that_is_never_restarted_keeps_its_reason),
	    BED_TEST(fault_99_giving_up_names_the_last_reason),
	    BED_TEST(fault_99_the_reason_of_a_demanded_end_survives),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
