/* SPDX-License-Identifier: MIT */
/*
 * A supervisor on a place that does anything at any time: random requests, aborts, answers in any
 * order, deaths, losses. No impossible event may be raised (that aborts), there are never two
 * processes, every request ends once, and a close at the end always succeeds.
 */
#include "supervisor_bed.h"

enum { SEEDS = 400, STEPS = 120, WAITERS = 128, CLOSE_STEPS = 64 };

static struct waiter waiters[WAITERS];
static size_t waiter_count;
static uint32_t random_state;

static uint32_t pick(uint32_t below)
{
	random_state = random_state * 1664525U + 1013904223U;
	return (random_state >> 8) % below;
}

static void request(enum obi_life_event event)
{
	if (waiter_count < WAITERS) {
		bed_request(&waiters[waiter_count++], event);
	}
}

static void request_any(void)
{
	const enum obi_life_event events[] = {
	    OBI_LIFE_START,	OBI_LIFE_RECONNECT, OBI_LIFE_START_OR_RECONNECT,
	    OBI_LIFE_SUPERVISE, OBI_LIFE_STOP,	    OBI_LIFE_DETACH};
	request(events[pick(6)]);
}

static void abort_any(void)
{
	if (waiter_count > 0) {
		obi_supervisor_abort(bed.sup, waiters[pick((uint32_t)waiter_count)].id,
				     pick(2) == 0 ? OB_ETIMEDOUT : OB_ECANCELED);
	}
}

/* What a probe finds is what is there, or what held the lock of a dead one. */
static void answer_any(void)
{
	const struct ob_error err = {.code = OB_ECONNLOST, .text = "lost"};
	if (bed.place.due_count == 0) {
		return;
	}
	size_t i = pick((uint32_t)bed.place.due_count);
	bed.place.facts.alive = bed.place.running;
	bed.place.facts.held = bed.place.running || pick(4) == 0;
	bed.place.facts.child = double_child(bed.place.running ? bed.place.next_pid : 0);
	double_answer_due(&bed.place, i, pick(4) == 0 ? &err : NULL);
}

/* Something is left, nothing is left, or it cannot be ended. */
static void report_remains(void)
{
	const struct ob_error err = {.code = OB_EBUSY, .text = "still there"};
	if (bed.place.running) {
		return;
	}
	if (pick(2) == 0) {
		bed.place.place.events->remains(bed.place.place.user, "still there");
	} else {
		double_gone(&bed.place, pick(3) == 0 ? &err : NULL);
	}
}

/* A spawn that is due would be answered first. */
static void exit_if_running(void)
{
	if (bed.place.running) {
		double_exit(&bed.place, OB_EXIT_CODE, (int)pick(2));
	}
}

static void do_anything(void)
{
	bed.place.calls[0] = bed.events[0] = bed.logs[0] = '\0';
	switch (pick(12)) {
	case 0:
	case 1:
		request_any();
		break;
	case 2:
		abort_any();
		break;
	case 3:
	case 4:
	case 5:
	case 6:
		answer_any();
		break;
	case 7:
		exit_if_running();
		break;
	case 8:
		double_ready(&bed.place, pick(2) == 0 ? "unix:///inside" : NULL);
		break;
	case 9:
		report_remains();
		break;
	case 10:
		double_lose(&bed.place);
		break;
	default:
		bed.place.place.events->back(bed.place.place.user);
		break;
	}
	bed_turn();
}

static void close_at_last(void)
{
	static struct waiter close;
	bed_request(&close, OBI_LIFE_CLOSE);
	for (int i = 0; close.result == NOT_DONE; i++) {
		assert_true(i < CLOSE_STEPS);
		bed.place.calls[0] = '\0';
		while (bed.place.due_count > 0) {
			double_answer_due(&bed.place, 0, NULL);
		}
		exit_if_running();
		double_gone(&bed.place, NULL);
		bed_turn();
	}
	assert_int_not_equal(close.result, NOT_DONE);
	for (size_t i = 0; i < waiter_count; i++) {
		assert_int_equal(waiters[i].calls, 1);
	}
}

/* A process that was let go lives on, and is found by the next probe. */
static void run_seed(uint32_t seed)
{
	random_state = seed;
	waiter_count = 0;
	assert_int_equal(bed_setup(NULL), 0);
	bed.options.ready = (uint32_t[]){OB_READY_CONFIG, OB_READY_RPC, OB_READY_NONE}[pick(3)];
	bed.options.ready_timeout_ms = pick(2) == 0 ? 0 : -1;
	bed.options.stop_timeout_ms = pick(2) == 0 ? 0 : -1;
	bed.options.restart.max_restarts = (int32_t)pick(3);
	bed.place.running = pick(2) == 0; /* a child of an earlier parent */
	bed.place.linger = pick(2) == 0;
	bed.options.restart.on = pick(3);
	bed_make();
	for (int i = 0; i < STEPS; i++) {
		do_anything();
	}
	close_at_last();
	assert_int_equal(bed_teardown(NULL), 0);
}

static void anything_may_happen_at_any_time(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= SEEDS; seed++) {
		run_seed(seed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(anything_may_happen_at_any_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
