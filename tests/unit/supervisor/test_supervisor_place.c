/* SPDX-License-Identifier: MIT */
/* A supervisor on a place that answers late, in another order, or not before it is back. */
#include "supervisor_bed.h"

/* ---- In order ---- */

static void a_start_and_a_stop_use_the_place_only(void **state)
{
	(void)state;
	static struct waiter start, stop;
	bed.options.ready = OB_READY_NONE;
	bed_make();
	bed_request(&start, OBI_LIFE_START);
	double_expect_calls(&bed.place, "probe ");
	double_answer(&bed.place, DOUBLE_PROBE, NULL);
	double_expect_calls(&bed.place, "prepare ");
	double_answer(&bed.place, DOUBLE_PREPARE, NULL);
	/* What the next parent needs is saved before there is a process. */
	double_expect_calls(&bed.place, "save spawn ");
	assert_int_equal(strlen(bed.place.saved.token), 64);
	assert_string_equal(bed.place.saved.listen, "unix:///inside");
	bed_expect_done(&start, NOT_DONE);
	double_answer(&bed.place, DOUBLE_SPAWN, NULL);
	double_expect_calls(&bed.place, "read save save ");
	bed_expect_events("starting ready ");
	bed_expect_done(&start, OB_OK);
	assert_int_equal(bed_status().pid, 101);
	assert_string_equal(bed.place.saved.record, "double:101");

	bed_request(&stop, OBI_LIFE_STOP);
	double_expect_calls(&bed.place, "signal:2 signal:18 ");
	bed_expect_done(&stop, NOT_DONE);
	double_exit(&bed.place, OB_EXIT_CODE, 0);
	double_expect_calls(&bed.place, "clear save detach ");
	bed_expect_events("stopping exited stopped ");
	bed_expect_done(&stop, OB_OK);
	assert_string_equal(bed.place.saved.record, "");
}

/* A place that answers within its operations leads to the same events as one that answers late. */
static void a_place_may_answer_at_once(void **state)
{
	(void)state;
	static struct waiter start, stop;
	bed.options.ready = OB_READY_NONE;
	bed_make();
	bed.place.prompt = true;
	bed_request(&start, OBI_LIFE_START);
	double_expect_calls(&bed.place, "probe prepare save spawn read save save ");
	bed_expect_events("starting ready ");
	bed_expect_done(&start, OB_OK);
	bed_request(&stop, OBI_LIFE_STOP);
	double_exit(&bed.place, OB_EXIT_CODE, 0);
	bed_expect_events("stopping exited stopped ");
	bed_expect_done(&stop, OB_OK);
}

static void the_address_is_resolved_by_the_place(void **state)
{
	(void)state;
	static struct waiter start;
	bed_make();
	bed_spawn(&start);
	double_ready(&bed.place, "unix:///inside");
	double_expect_calls(&bed.place, "unwatch resolve ");
	assert_int_equal(bed.dials_made, 0);
	snprintf(bed.place.due[0].address, sizeof bed.place.due[0].address, "vsock://7:1");
	double_answer(&bed.place, DOUBLE_RESOLVE, NULL);
	assert_int_equal(bed.dials_made, 1);
	assert_string_equal(bed_status().address, "vsock://7:1");
	assert_int_equal(bed_status().link, OB_LINK_DOWN);
}

static void an_address_that_cannot_be_resolved_fails_the_start(void **state)
{
	(void)state;
	static struct waiter start;
	const struct ob_error err = {.code = OB_ENOENT, .text = "no such port"};
	bed_make();
	bed_spawn(&start);
	double_ready(&bed.place, "unix:///inside");
	double_answer(&bed.place, DOUBLE_RESOLVE, &err);
	double_expect_calls(&bed.place, "unwatch resolve signal:2 signal:18 ");
	double_exit(&bed.place, OB_EXIT_SIGNAL, 2);
	bed_expect_done(&start, OB_ENOENT);
	assert_string_equal(start.text, "no such port");
}

/* ---- Requests while an operation is under way ---- */

static void a_probe_is_canceled_and_its_late_answer_ignored(void **state)
{
	(void)state;
	static struct waiter start, again;
	bed_make();
	bed_request(&start, OBI_LIFE_START);
	obi_supervisor_abort(bed.sup, start.id, OB_ETIMEDOUT);
	bed_expect_done(&start, OB_ETIMEDOUT);
	double_expect_calls(&bed.place, "probe detach ");

	/* The answer to the first probe comes while the second one is due. */
	bed_request(&again, OBI_LIFE_START);
	bed.place.facts.alive = true;
	double_answer(&bed.place, DOUBLE_PROBE, NULL);
	double_expect_calls(&bed.place, "probe ");
	bed.place.facts.alive = false;
	double_answer(&bed.place, DOUBLE_PROBE, NULL);
	double_expect_calls(&bed.place, "prepare ");
	bed_expect_done(&again, NOT_DONE);
}

static void a_stop_while_files_are_made_prevents_the_spawn(void **state)
{
	(void)state;
	static struct waiter start, stop;
	bed_make();
	bed_start_until(&start, DOUBLE_PREPARE);
	bed_request(&stop, OBI_LIFE_STOP);
	bed_expect_done(&start, OB_ECANCELED);
	bed_expect_done(&stop, OB_OK);
	bed_expect_events("stopped ");
	double_expect_calls(&bed.place, "clear save detach ");
	double_answer(&bed.place, DOUBLE_PREPARE, NULL);
	double_expect_calls(&bed.place, "");
}

static void a_spawn_that_succeeds_after_a_stop_is_ended(void **state)
{
	(void)state;
	static struct waiter start, stop, again;
	bed_make();
	bed_start_until(&start, DOUBLE_SPAWN);
	bed_request(&stop, OBI_LIFE_STOP);
	bed_expect_done(&start, OB_ECANCELED);
	bed_expect_done(&stop, NOT_DONE);
	assert_int_equal(bed_status().state, OB_STATE_STOPPING);
	bed_request(&again, OBI_LIFE_START);
	bed_expect_done(&again, OB_EBUSY);
	double_expect_calls(&bed.place, "");

	double_answer(&bed.place, DOUBLE_SPAWN, NULL);
	double_expect_calls(&bed.place, "save signal:2 signal:18 ");
	assert_string_equal(bed.place.saved.record, "double:101");
	bed_expect_done(&stop, NOT_DONE);
	double_exit(&bed.place, OB_EXIT_SIGNAL, 2);
	bed_expect_done(&stop, OB_OK);
	bed_expect_events("starting stopping exited stopped ");
	double_expect_calls(&bed.place, "clear save detach ");
}

static void a_spawn_that_fails_after_a_stop_ends_the_stop(void **state)
{
	(void)state;
	static struct waiter start, stop;
	const struct ob_error err = {.code = OB_EIO, .text = "no"};
	bed_make();
	bed_start_until(&start, DOUBLE_SPAWN);
	bed_request(&stop, OBI_LIFE_DETACH);
	bed_expect_done(&stop, NOT_DONE);
	double_answer(&bed.place, DOUBLE_SPAWN, &err);
	bed_expect_done(&stop, OB_OK);
	double_expect_calls(&bed.place, "clear save detach ");
}

static void a_start_that_times_out_in_the_spawn_ends_at_once(void **state)
{
	(void)state;
	static struct waiter start, again;
	bed.options.stop_timeout_ms = 1;
	bed_make();
	bed_start_until(&start, DOUBLE_SPAWN);
	obi_supervisor_abort(bed.sup, start.id, OB_ETIMEDOUT);
	bed_expect_done(&start, OB_ETIMEDOUT);
	double_answer(&bed.place, DOUBLE_SPAWN, NULL);
	bed_await(bed.place.calls, "end "); /* its stop timeout passes */
	double_exit(&bed.place, OB_EXIT_SIGNAL, 9);
	assert_int_equal(bed_status().state, OB_STATE_STOPPED);
	bed_request(&again, OBI_LIFE_START);
	bed_expect_done(&again, NOT_DONE);
}

static void a_close_waits_for_the_spawn(void **state)
{
	(void)state;
	static struct waiter start, close;
	bed_make();
	bed_start_until(&start, DOUBLE_SPAWN);
	bed_request(&close, OBI_LIFE_CLOSE);
	bed_expect_done(&start, OB_ECANCELED);
	bed_expect_done(&close, NOT_DONE);
	double_answer(&bed.place, DOUBLE_SPAWN, NULL);
	double_exit(&bed.place, OB_EXIT_SIGNAL, 2);
	bed_expect_done(&close, OB_OK);
}

/* A stop that is aborted while the spawn is due ends for its caller; the process is still ended. */
static void a_stop_that_times_out_in_the_spawn_ends_at_once(void **state)
{
	(void)state;
	static struct waiter start, stop;
	bed_make();
	bed_start_until(&start, DOUBLE_SPAWN);
	bed_request(&stop, OBI_LIFE_STOP);
	obi_supervisor_abort(bed.sup, stop.id, OB_ETIMEDOUT);
	bed_expect_done(&stop, OB_ETIMEDOUT);
	double_answer(&bed.place, DOUBLE_SPAWN, NULL);
	double_expect_calls(&bed.place, "save signal:2 signal:18 ");
	double_exit(&bed.place, OB_EXIT_SIGNAL, 2);
	assert_int_equal(bed_status().state, OB_STATE_STOPPED);
}

static void a_start_that_is_never_ready_is_ended(void **state)
{
	(void)state;
	static struct waiter start;
	bed.options.ready_timeout_ms = bed.options.stop_timeout_ms = 1;
	bed_make();
	bed_spawn(&start);
	double_ready(&bed.place, "unix:///inside");
	bed_await(bed.place.calls, "end ");
	double_expect_calls(&bed.place, "unwatch resolve signal:2 signal:18 end ");
	/* An answer that comes now dials nothing that matters, and nothing fails. */
	double_answer(&bed.place, DOUBLE_RESOLVE, &(struct ob_error){.code = OB_EIO});
	double_exit(&bed.place, OB_EXIT_SIGNAL, 9);
	bed_expect_done(&start, OB_ETIMEDOUT);
	bed_expect_events("stopping stopping exited stopped ");
}

static void an_aborted_stop_kills(void **state)
{
	(void)state;
	static struct waiter start, stop;
	bed.options.ready = OB_READY_NONE;
	bed_make();
	bed_run(&start);
	bed_request(&stop, OBI_LIFE_STOP);
	obi_supervisor_abort(bed.sup, stop.id, OB_ECANCELED);
	bed_expect_done(&stop, OB_ECANCELED);
	double_expect_calls(&bed.place, "signal:2 signal:18 end ");
	double_exit(&bed.place, OB_EXIT_SIGNAL, 9);
	bed_expect_events("stopping exited stopped ");
}

/* ---- Adopting ---- */

static void bed_adopt(struct waiter *waiter, enum obi_life_event request)
{
	bed.place.facts = (struct obi_place_facts){true, true, double_child(55)};
	bed_request(waiter, request);
	double_answer(&bed.place, DOUBLE_PROBE, NULL);
}

static void a_child_is_adopted_by_its_record(void **state)
{
	(void)state;
	static struct waiter start;
	struct obi_statefile before = {
	    .restart = {.count = 3, .total = 7}, .was_ready = true, .address = "unix:///before"};
	bed_make();
	bed.place.saved_before = &before;
	bed_adopt(&start, OBI_LIFE_RECONNECT);
	double_expect_calls(&bed.place, "probe-only adopt:double:55 ");
	/* What the child wrote does not matter: an earlier parent saved where it listens. */
	bed.place.has_config = bed.place.config.ready = true;
	assert_int_equal(ob_config_set(&bed.place.config.rpc_addr, "unix:///elsewhere"), OB_OK);
	double_answer(&bed.place, DOUBLE_ADOPT, NULL);
	double_expect_calls(&bed.place, "");
	assert_int_equal(bed.dials_made, 1);
	assert_string_equal(bed_status().address, "unix:///before");
	assert_int_equal(bed_status().pid, 55);
	assert_int_equal(bed_status().restarts, 7);
	bed_expect_done(&start, NOT_DONE);
}

static void a_stop_while_a_child_is_adopted_ends_it(void **state)
{
	(void)state;
	static struct waiter start, stop;
	bed_make();
	bed_adopt(&start, OBI_LIFE_START_OR_RECONNECT);
	bed_request(&stop, OBI_LIFE_STOP);
	bed_expect_done(&start, OB_ECANCELED);
	double_expect_calls(&bed.place, "probe adopt:double:55 signal:2 signal:18 ");
	double_answer(&bed.place, DOUBLE_ADOPT, NULL); /* late */
	double_exit(&bed.place, OB_EXIT_UNKNOWN, 0);
	bed_expect_done(&stop, OB_OK);
	bed_expect_events("stopping exited stopped ");
}

static void fault_80_a_child_that_names_another_address_is_not_dialled_there(void **state)
{
	(void)state;
	static struct waiter start;
	bed_make();
	bed_request(&start, OBI_LIFE_START);
	double_answer(&bed.place, DOUBLE_PROBE, NULL);
	double_answer(&bed.place, DOUBLE_PREPARE, NULL);
	double_answer(&bed.place, DOUBLE_SPAWN, NULL);
	bed.place.has_config = true;
	double_ready(&bed.place, "unix:///elsewhere");
	assert_int_equal(bed.dials_made, 0);
	double_exit(&bed.place, OB_EXIT_SIGNAL, 2);
	bed_expect_done(&start, OB_EPROTO);
	assert_non_null(strstr(start.text, "unix:///elsewhere"));
	assert_non_null(strstr(start.text, "unix:///inside"));
}

static void an_adoption_that_times_out_kills_nothing(void **state)
{
	(void)state;
	static struct waiter start;
	bed_make();
	bed_adopt(&start, OBI_LIFE_RECONNECT);
	obi_supervisor_abort(bed.sup, start.id, OB_ETIMEDOUT);
	bed_expect_done(&start, OB_ETIMEDOUT);
	double_expect_calls(&bed.place, "probe-only adopt:double:55 detach ");
	double_answer(&bed.place, DOUBLE_ADOPT, NULL);
	double_exit(&bed.place, OB_EXIT_CODE, 0); /* neither is ours any more */
	double_expect_calls(&bed.place, "");
	bed_expect_events("");
	assert_int_equal(bed_status().state, OB_STATE_DETACHED);
}

static void a_child_that_dies_before_it_is_adopted_is_replaced(void **state)
{
	(void)state;
	static struct waiter start;
	bed_make();
	bed_adopt(&start, OBI_LIFE_START_OR_RECONNECT);
	double_exit(&bed.place, OB_EXIT_UNKNOWN, 0);
	double_answer(&bed.place, DOUBLE_ADOPT, &(struct ob_error){.code = OB_ENOENT});
	double_expect_calls(&bed.place, "probe adopt:double:55 probe ");
	bed.place.facts = (struct obi_place_facts){.alive = false};
	double_answer(&bed.place, DOUBLE_PROBE, NULL);
	double_expect_calls(&bed.place, "prepare ");
	bed_expect_done(&start, NOT_DONE);
}

/* ---- Holders ---- */

static void leftovers_are_ended_before_the_start(void **state)
{
	(void)state;
	static struct waiter start;
	bed_make();
	bed.place.facts.held = true;
	bed_request(&start, OBI_LIFE_START);
	double_answer(&bed.place, DOUBLE_PROBE, NULL);
	double_expect_calls(&bed.place, "probe end-holders ");
	bed.place.place.events->remains(bed.place.place.user, "x (pid 7) is still running");
	assert_int_equal(bed_status().state, OB_STATE_LINGERING);
	double_gone(&bed.place, NULL);
	double_expect_calls(&bed.place, "prepare ");
	double_gone(&bed.place, NULL); /* once more */
	double_expect_calls(&bed.place, "");
	bed_expect_events("lingering ");
}

static void a_start_fails_while_something_is_left(void **state)
{
	(void)state;
	static struct waiter start;
	bed_make();
	bed.place.facts.held = true;
	bed_request(&start, OBI_LIFE_START);
	double_answer(&bed.place, DOUBLE_PROBE, NULL);
	double_gone(&bed.place, &(struct ob_error){.code = OB_EBUSY, .text = "x still runs"});
	bed_expect_done(&start, OB_EBUSY);
	assert_string_equal(start.text, "x still runs");
	double_expect_calls(&bed.place, "probe end-holders save detach ");
	bed_expect_events("failed ");
	assert_int_equal(bed_status().state, OB_STATE_FAILED);
	assert_string_equal(bed_status().last_error, "x still runs");
}

/* A stop that comes while leftovers are dealt with is done when nothing is left. */
static void a_stop_waits_for_what_an_earlier_start_left(void **state)
{
	(void)state;
	static struct waiter start, stop;
	bed_make();
	bed.place.facts.held = true;
	bed_request(&start, OBI_LIFE_START);
	double_answer(&bed.place, DOUBLE_PROBE, NULL);
	bed_request(&stop, OBI_LIFE_STOP);
	bed_expect_done(&start, OB_ECANCELED);
	bed_expect_done(&stop, NOT_DONE);
	double_expect_calls(&bed.place, "probe end-holders end ");
	double_gone(&bed.place, NULL);
	bed_expect_done(&stop, OB_OK);
	assert_int_equal(bed_status().state, OB_STATE_STOPPED);
}

/* ---- Another order ---- */

static void a_config_that_comes_before_the_spawn_is_answered_is_not_lost(void **state)
{
	(void)state;
	static struct waiter start;
	bed_make();
	bed_start_until(&start, DOUBLE_SPAWN);
	double_ready(&bed.place, "unix:///inside");
	double_expect_calls(&bed.place, "");
	double_answer(&bed.place, DOUBLE_SPAWN, NULL);
	double_expect_calls(&bed.place, "read unwatch resolve save ");
}

static void logs_that_were_lost_are_told(void **state)
{
	(void)state;
	static struct waiter start;
	const struct obi_place_events *events;
	bed_make();
	bed_start_until(&start, DOUBLE_SPAWN);
	events = bed.place.place.events;
	/* Chunks may come before the answer. */
	events->log(bed.place.place.user, 1, ob_bytes_text("one\ntw"), 0);
	double_answer(&bed.place, DOUBLE_SPAWN, NULL);
	events->log(bed.place.place.user, 2, ob_bytes_text("err\n"), 0);
	events->log(bed.place.place.user, 1, ob_bytes_text("o\nthr"), 0);
	assert_int_equal(bed.discarded, 0);
	events->log(bed.place.place.user, 1, ob_bytes_text("ee\nfour\nfi"), 100);
	assert_int_equal(bed.discarded, 102);
	double_exit(&bed.place, OB_EXIT_CODE, 1);
	assert_string_equal(bed.logs, "one|err|two|thr|four|fi|");
}

/* ---- The end of the loop ---- */

static void a_kill_waits_for_the_place(void **state)
{
	(void)state;
	static struct waiter start;
	bed.options.ready = OB_READY_NONE;
	bed_make();
	bed_run(&start);
	bed.place.prompt = true;
	obi_supervisor_kill(bed.sup);
	double_expect_calls(&bed.place, "end-now clear save ");
	assert_string_equal(bed.place.saved.record, "");
}

static void a_kill_that_fails_keeps_the_record(void **state)
{
	(void)state;
	static struct waiter start;
	bed.options.ready = OB_READY_NONE;
	bed_make();
	bed_run(&start);
	obi_supervisor_kill(bed.sup);
	double_expect_calls(&bed.place, "end-now ");
	assert_string_equal(bed.place.saved.record, "double:101");
}

/* ---- Faults of this library ---- */

static sigjmp_buf aborted;

static void on_abort(int number)
{
	(void)number;
	siglongjmp(aborted, 1);
}

/* A build with failpoints aborts after the log record; others go on. */
static void an_impossible_event_is_logged(void **state)
{
	(void)state;
	const char *text = "internal error: event BACKOFF_OVER in phase IDLE";
	bed_make();
	void (*before)(int) = signal(SIGABRT, on_abort);
	if (sigsetjmp(aborted, 1) == 0) {
		obi_machine_raise(&bed.sup->machine, OBI_LIFE_BACKOFF_OVER);
	}
	signal(SIGABRT, before);
	bed.sup->machine.running = false; /* the jump went past its end */
	assert_memory_equal(bed.logs, text, strlen(text));
	assert_string_equal(bed_status().last_error, text);
	assert_int_equal(bed_status().state, OB_STATE_IDLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    BED_TEST(a_start_and_a_stop_use_the_place_only),
	    BED_TEST(a_place_may_answer_at_once),
	    BED_TEST(the_address_is_resolved_by_the_place),
	    BED_TEST(an_address_that_cannot_be_resolved_fails_the_start),
	    BED_TEST(a_probe_is_canceled_and_its_late_answer_ignored),
	    BED_TEST(a_stop_while_files_are_made_prevents_the_spawn),
	    BED_TEST(a_spawn_that_succeeds_after_a_stop_is_ended),
	    BED_TEST(a_spawn_that_fails_after_a_stop_ends_the_stop),
	    BED_TEST(a_start_that_times_out_in_the_spawn_ends_at_once),
	    BED_TEST(a_close_waits_for_the_spawn),
	    BED_TEST(a_stop_that_times_out_in_the_spawn_ends_at_once),
	    BED_TEST(a_start_that_is_never_ready_is_ended),
	    BED_TEST(an_aborted_stop_kills),
	    BED_TEST(a_child_is_adopted_by_its_record),
	    BED_TEST(a_stop_while_a_child_is_adopted_ends_it),
	    BED_TEST(fault_80_a_child_that_names_another_address_is_not_dialled_there),
	    BED_TEST(an_adoption_that_times_out_kills_nothing),
	    BED_TEST(a_child_that_dies_before_it_is_adopted_is_replaced),
	    BED_TEST(leftovers_are_ended_before_the_start),
	    BED_TEST(a_start_fails_while_something_is_left),
	    BED_TEST(a_stop_waits_for_what_an_earlier_start_left),
	    BED_TEST(a_config_that_comes_before_the_spawn_is_answered_is_not_lost),
	    BED_TEST(logs_that_were_lost_are_told),
	    BED_TEST(a_kill_waits_for_the_place),
	    BED_TEST(a_kill_that_fails_keeps_the_record),
	    BED_TEST(an_impossible_event_is_logged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
