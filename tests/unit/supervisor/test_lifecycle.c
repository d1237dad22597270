/* SPDX-License-Identifier: MIT */
/* The life of a child: what must hold for the table as a whole. The table itself is in
 * test_lifecycle_table.c. */
#include "unit/supervisor/lifecycle_pairs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static bool process(int phase)
{
	return obi_lifecycle_has_process((enum obi_phase)phase);
}

static bool start_open(int phase)
{
	return obi_lifecycle_start_open((enum obi_phase)phase);
}

static bool clearing(int phase)
{
	return phase >= OBI_PHASE_CLEAR_START && phase <= OBI_PHASE_CLEAR_CLOSE;
}

static bool is_start(int event)
{
	return event <= OBI_LIFE_START_OR_RECONNECT;
}

/* A process appears with SPAWNED or LOCK_LIVE, is dead with EXITED, and ends with GONE, NOT_GONE or
 * LET_GO. */
static void a_process_appears_and_ends_by_its_events_only(void **unused)
{
	(void)unused;
	EVERY_PAIR(phase, event)
	{
		struct obi_step step = step_of(phase, event);
		bool gone = event == OBI_LIFE_GONE || event == OBI_LIFE_NOT_GONE;
		if (!process(phase) && process(step.next)) {
			assert_true(event == OBI_LIFE_SPAWNED || event == OBI_LIFE_LOCK_LIVE);
		}
		bool lost = process(phase) && !process(step.next);
		bool found_and_left = event == OBI_LIFE_LOCK_LIVE && !process(step.next) &&
				      !(step.actions & OBI_DO(NEVER));
		assert_int_equal((step.actions & OBI_DO(REAP)) != 0,
				 process(phase) && event == OBI_LIFE_EXITED &&
				     !(step.actions & OBI_DO(NEVER)));
		assert_int_equal((step.actions & OBI_DO(LET_GO)) != 0,
				 found_and_left || (lost && !gone));
		assert_int_equal((step.actions & OBI_DO(EMIT_EXITED)) != 0,
				 (step.actions & OBI_DO(REAP)) != 0);
		if (event == OBI_LIFE_EXITED) {
			assert_int_equal(process(phase), process(step.next));
		}
		if (step.actions & (OBI_DO(STOP) | OBI_DO(STOP_NEXT) | OBI_DO(AWAIT_END))) {
			assert_true(process(step.next));
		}
		if (step.actions & OBI_DO(KILL)) {
			assert_true(process(phase) || clearing(phase));
		}
	}
}

/* Faults 12 and 15 of the origin: two copies. */
static void nothing_is_spawned_beside_a_process(void **unused)
{
	(void)unused;
	EVERY_PAIR(phase, event)
	{
		struct obi_step step = step_of(phase, event);
		if (step.actions & OBI_DO(SPAWN)) {
			assert_false(process(phase));
			assert_int_equal(event, OBI_LIFE_LOCK_FREE);
			assert_true(step.next == OBI_PHASE_SPAWN_FIRST ||
				    step.next == OBI_PHASE_SPAWN_AGAIN);
		}
	}
}

/* The one start request that is done at once. */
static bool has_what_it_wants(int phase, int event)
{
	return phase == OBI_PHASE_READY && event == OBI_LIFE_START_OR_RECONNECT;
}

static void start_request_finishes_exactly_when_its_phases_are_left(void **unused)
{
	(void)unused;
	struct obi_step done = step_of(OBI_PHASE_READY, OBI_LIFE_START_OR_RECONNECT);
	assert_true(done.next == OBI_PHASE_READY && done.actions == OBI_DO(START_OK));
	EVERY_PAIR(phase, event)
	{
		struct obi_step step = step_of(phase, event);
		if (has_what_it_wants(phase, event)) {
			continue;
		}
		int finished = ((step.actions & OBI_DO(START_OK)) != 0) +
			       ((step.actions & OBI_DO(START_FAIL)) != 0);
		assert_int_equal(finished, start_open(phase) && !start_open(step.next));
		if (!start_open(phase) && start_open(step.next)) {
			assert_true(is_start(event));
		}
		if (is_start(event) && !start_open(phase)) {
			assert_int_equal(!start_open(step.next),
					 (step.actions & (OBI_DO(REFUSE) | OBI_DO(NEVER))) != 0);
		}
		if (step.actions & OBI_DO(START_OK)) {
			assert_int_equal(step.next, OBI_PHASE_READY);
		}
	}
}

static bool dropping(int phase)
{
	return phase == OBI_PHASE_DROP_ASKED || phase == OBI_PHASE_DROP_CLOSE;
}

static bool stop_open(int phase)
{
	return phase == OBI_PHASE_STOP_ASKED || phase == OBI_PHASE_STOP_CLOSE || dropping(phase) ||
	       phase == OBI_PHASE_CLEAR_STOP || phase == OBI_PHASE_CLEAR_CLOSE ||
	       phase == OBI_PHASE_WAIT_STOP;
}

/* The events with which a stop that is under way can end. */
static bool ends_a_stop(int phase, int event)
{
	if (dropping(phase)) {
		return event == OBI_LIFE_SPAWN_FAILED;
	}
	if (phase == OBI_PHASE_WAIT_STOP) {
		return event == OBI_LIFE_LOCK_FREE || event == OBI_LIFE_LOCK_FAILED ||
		       event == OBI_LIFE_CLOSE;
	}
	return event == OBI_LIFE_NOT_GONE ||
	       (clearing(phase) ? event == OBI_LIFE_LOCK_FREE
				: event == OBI_LIFE_GONE || event == OBI_LIFE_STUCK);
}

/* Faults 1 and 3: a stop that does nothing, a stop that is forgotten. It succeeds when nothing is
 * left, and fails when that cannot be had. */
static void stop_is_done_at_once_or_when_nothing_is_left(void **unused)
{
	(void)unused;
	EVERY_PAIR(phase, event)
	{
		struct obi_step step = step_of(phase, event);
		if (stop_open(phase) && !stop_open(step.next)) {
			bool failed = event == OBI_LIFE_NOT_GONE || event == OBI_LIFE_STUCK ||
				      event == OBI_LIFE_LOCK_FAILED;
			assert_true(ends_a_stop(phase, event));
			assert_true(step.actions &
				    (failed ? OBI_DO(STOP_FAIL) : OBI_DO(STOP_DONE)));
		}
		if (event == OBI_LIFE_STOP && !(step.actions & OBI_DO(NEVER))) {
			assert_true(stop_open(step.next) || (step.actions & OBI_DO(STOP_DONE)));
			assert_int_equal(process(step.next), process(phase));
		}
		if (event == OBI_LIFE_DETACH && !(step.actions & OBI_DO(NEVER))) {
			assert_true(stop_open(step.next) || (step.actions & OBI_DO(STOP_DONE)));
		}
		if (step.actions & (OBI_DO(STOP_DONE) | OBI_DO(STOP_FAIL))) {
			assert_false(process(step.next));
		}
	}
}

static bool resting(int phase)
{
	return phase == OBI_PHASE_IDLE || phase == OBI_PHASE_STOPPED || phase == OBI_PHASE_FAILED ||
	       phase == OBI_PHASE_DONE || phase == OBI_PHASE_DETACHED || phase == OBI_PHASE_CLOSED;
}

static bool spawning(int phase)
{
	return phase == OBI_PHASE_SPAWN_FIRST || phase == OBI_PHASE_SPAWN_AGAIN;
}

static void close_ends_in_closed_from_everywhere(void **unused)
{
	(void)unused;
	for (int phase = 0; phase < OBI_PHASE_CLOSED; phase++) {
		if (phase == OBI_PHASE_DROP_CLOSE || phase == OBI_PHASE_STOP_CLOSE ||
		    phase == OBI_PHASE_CLEAR_CLOSE) {
			continue;
		}
		struct obi_step step = step_of(phase, OBI_LIFE_CLOSE);
		enum obi_phase ended = spawning(phase) || phase == OBI_PHASE_DROP_ASKED
					   ? OBI_PHASE_DROP_CLOSE
				       : clearing(phase) ? OBI_PHASE_CLEAR_CLOSE
							 : OBI_PHASE_CLOSED;
		assert_int_equal(step.next, process(phase) ? OBI_PHASE_STOP_CLOSE : ended);
		assert_int_equal((step.actions & OBI_DO(CLOSE_DONE)) != 0,
				 step.next == OBI_PHASE_CLOSED);
	}
	EVERY_PAIR(phase, event)
	{
		struct obi_step step = step_of(phase, event);
		bool closes = phase != OBI_PHASE_CLOSED && step.next == OBI_PHASE_CLOSED;
		assert_int_equal((step.actions & OBI_DO(CLOSE_DONE)) != 0, closes);
		if (phase == OBI_PHASE_CLOSED) {
			assert_int_equal(step.next, OBI_PHASE_CLOSED);
		}
	}
}

/* Faults 5 and 19: a failed restart ended supervision. Only a request or the policy may end it. */
static void policy_goes_on_until_its_limit_or_a_request(void **unused)
{
	(void)unused;
	const int again[] = {OBI_PHASE_WAIT_AGAIN,     OBI_PHASE_CLEAR_AGAIN,
			     OBI_PHASE_SPAWN_AGAIN,    OBI_PHASE_STARTING_AGAIN,
			     OBI_PHASE_ADOPTING_AGAIN, OBI_PHASE_READY,
			     OBI_PHASE_STOP_RETRY,     OBI_PHASE_STOP_VERSION,
			     OBI_PHASE_LINGER,	       OBI_PHASE_BACKOFF};
	for (size_t i = 0; i < sizeof again / sizeof again[0]; i++) {
		for (int event = 0; event < OBI_LIFE_COUNT; event++) {
			int next = step_of(again[i], event).next;
			bool asked = event == OBI_LIFE_STOP || event == OBI_LIFE_DETACH ||
				     event == OBI_LIFE_CLOSE;
			if (resting(next) || stop_open(next)) {
				bool policy = again[i] == OBI_PHASE_BACKOFF &&
					      (event == OBI_LIFE_GAVE_UP || event == OBI_LIFE_DONE);
				assert_true(asked || policy || event == OBI_LIFE_NOT_GONE ||
					    event == OBI_LIFE_STUCK);
			}
		}
	}
}

/* The phases of a spawn are left by its answer only: no process is forgotten. */
static void a_spawn_is_waited_for(void **unused)
{
	(void)unused;
	EVERY_PAIR(phase, event)
	{
		struct obi_step step = step_of(phase, event);
		bool waits = spawning(phase) || dropping(phase);
		bool answered = event == OBI_LIFE_SPAWNED || event == OBI_LIFE_SPAWN_FAILED;
		if (waits && !answered) {
			assert_true(step.next == phase || dropping(step.next));
		}
		if (dropping(phase) && event == OBI_LIFE_SPAWNED) {
			assert_true(step.actions & OBI_DO(STOP));
		}
	}
}

/* A place that is lost changes what is waited for, and nothing else. */
static void a_lost_place_is_no_death(void **unused)
{
	(void)unused;
	for (int phase = 0; phase < OBI_PHASE_COUNT; phase++) {
		struct obi_step step = step_of(phase, OBI_LIFE_PLACE_LOST);
		assert_int_equal(process(step.next), process(phase));
		assert_int_equal(step.actions & ~OBI_DO(START_FAIL), 0);
	}
}

/* A first start that fails ends in `stopped`; the restart policy does not apply. */
static void first_start_never_becomes_a_restart(void **unused)
{
	(void)unused;
	EVERY_PAIR(phase, event)
	{
		struct obi_step step = step_of(phase, event);
		if (start_open(phase) && !(step.actions & OBI_DO(START_OK))) {
			assert_int_not_equal(step.next, OBI_PHASE_LINGER);
			assert_int_not_equal(step.next, OBI_PHASE_BACKOFF);
			assert_int_not_equal(step.next, OBI_PHASE_READY);
		}
	}
}

/* The phases in which the timer runs, in those of an end until the process is dead. */
static bool armed(int phase)
{
	return phase == OBI_PHASE_BACKOFF ||
	       (process(phase) && phase != OBI_PHASE_READY && phase != OBI_PHASE_LINGER);
}

static void timer_runs_in_the_phases_that_have_one_only(void **unused)
{
	(void)unused;
	const uint64_t arm = OBI_DO(ARM_READY) | OBI_DO(ARM_BACKOFF) | OBI_DO(STOP) |
			     OBI_DO(STOP_NEXT) | OBI_DO(AWAIT_END);
	EVERY_PAIR(phase, event)
	{
		struct obi_step step = step_of(phase, event);
		bool fired = event == OBI_LIFE_READY_TIMEOUT || event == OBI_LIFE_STOP_TIMEOUT ||
			     event == OBI_LIFE_BACKOFF_OVER;
		if (step.actions & OBI_DO(NEVER)) {
			continue;
		}
		if (fired) {
			assert_true(armed(phase));
		}
		bool dead = event == OBI_LIFE_EXITED || phase == OBI_PHASE_LINGER;
		if (dead) {
			assert_true(event != OBI_LIFE_EXITED || (step.actions & OBI_DO(DISARM)));
		} else if (armed(step.next) && !armed(phase)) {
			assert_true(step.actions & arm);
		}
		if (armed(phase) && !armed(step.next)) {
			bool gone = event == OBI_LIFE_GONE || event == OBI_LIFE_NOT_GONE;
			assert_true(fired || gone || (step.actions & OBI_DO(DISARM)));
		}
		if (step.actions & arm) {
			assert_true(armed(step.next));
		}
		if (step.next == OBI_PHASE_BACKOFF && phase != OBI_PHASE_BACKOFF) {
			assert_true(step.actions & OBI_DO(ARM_BACKOFF));
		}
	}
}

/* A stop signal that is ignored, a start that hangs: every timer is handled. */
static void every_armed_phase_answers_its_timer(void **unused)
{
	(void)unused;
	for (int phase = 0; phase < OBI_PHASE_COUNT; phase++) {
		int answers = 0;
		const int timers[] = {OBI_LIFE_READY_TIMEOUT, OBI_LIFE_STOP_TIMEOUT,
				      OBI_LIFE_BACKOFF_OVER};
		for (int i = 0; i < 3; i++) {
			answers += !(step_of(phase, timers[i]).actions & OBI_DO(NEVER));
		}
		assert_int_equal(answers, armed(phase));
	}
}

static void lock_is_released_when_a_resting_phase_is_entered(void **unused)
{
	(void)unused;
	EVERY_PAIR(phase, event)
	{
		struct obi_step step = step_of(phase, event);
		bool to_rest = resting(step.next) && !resting(phase);
		assert_int_equal((step.actions & OBI_DO(RELEASE)) != 0, to_rest);
		/* Never behind the release: it would be another's directory by then. */
		assert_true(OBI_ACT_SAVE < OBI_ACT_RELEASE && OBI_ACT_CLEANUP < OBI_ACT_RELEASE);
		/* The files of a live child stay. */
		if (step.actions & OBI_DO(CLEANUP)) {
			assert_true(!process(phase) || event == OBI_LIFE_GONE);
		}
	}
}

static void refusals_have_their_codes(void **unused)
{
	(void)unused;
	assert_int_equal(obi_lifecycle_refusal(OBI_PHASE_READY, OBI_LIFE_START), OB_EEXIST);
	assert_int_equal(obi_lifecycle_refusal(OBI_PHASE_WAIT_START, OBI_LIFE_RECONNECT),
			 OB_EEXIST);
	assert_int_equal(obi_lifecycle_refusal(OBI_PHASE_BACKOFF, OBI_LIFE_RECONNECT), OB_EDOWN);
	assert_int_equal(obi_lifecycle_refusal(OBI_PHASE_STOP_ASKED, OBI_LIFE_START), OB_EBUSY);
	assert_int_equal(obi_lifecycle_refusal(OBI_PHASE_STOP_VERSION, OBI_LIFE_START), OB_EBUSY);
	assert_int_equal(obi_lifecycle_refusal(OBI_PHASE_DROP_ASKED, OBI_LIFE_START), OB_EBUSY);
	assert_int_equal(obi_lifecycle_refusal(OBI_PHASE_DROP_CLOSE, OBI_LIFE_START), OB_ECLOSED);
	assert_int_equal(obi_lifecycle_refusal(OBI_PHASE_STOP_CLOSE, OBI_LIFE_START), OB_ECLOSED);
	assert_int_equal(obi_lifecycle_refusal(OBI_PHASE_CLOSED, OBI_LIFE_START), OB_ECLOSED);
}

static void names_are_all_there(void **unused)
{
	(void)unused;
	for (uint32_t i = OB_STATE_IDLE; i <= OB_STATE_RECONNECTING; i++) {
		assert_string_not_equal(ob_state_name(i), "?");
	}
	for (uint32_t i = OB_EVENT_STARTING; i <= OB_EVENT_DONE; i++) {
		assert_string_not_equal(ob_event_name(i), "?");
	}
	assert_string_equal(ob_state_name(OB_STATE_DETACHED), "detached");
	assert_string_equal(ob_state_name(OB_STATE_RECONNECTING + 1), "?");
	assert_string_equal(ob_event_name(OB_EVENT_STOPPED), "stopped");
	assert_string_equal(ob_event_name(0), "?");
	assert_string_equal(ob_link_name(OB_LINK_UNRESPONSIVE), "unresponsive");
	for (int event = 0; event < OBI_LIFE_COUNT; event++) {
		assert_non_null(obi_life_event_name((enum obi_life_event)event));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_process_appears_and_ends_by_its_events_only),
	    cmocka_unit_test(nothing_is_spawned_beside_a_process),
	    cmocka_unit_test(start_request_finishes_exactly_when_its_phases_are_left),
	    cmocka_unit_test(stop_is_done_at_once_or_when_nothing_is_left),
	    cmocka_unit_test(close_ends_in_closed_from_everywhere),
	    cmocka_unit_test(policy_goes_on_until_its_limit_or_a_request),
	    cmocka_unit_test(a_spawn_is_waited_for),
	    cmocka_unit_test(a_lost_place_is_no_death),
	    cmocka_unit_test(first_start_never_becomes_a_restart),
	    cmocka_unit_test(timer_runs_in_the_phases_that_have_one_only),
	    cmocka_unit_test(every_armed_phase_answers_its_timer),
	    cmocka_unit_test(lock_is_released_when_a_resting_phase_is_entered),
	    cmocka_unit_test(refusals_have_their_codes),
	    cmocka_unit_test(names_are_all_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
