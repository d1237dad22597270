/* SPDX-License-Identifier: MIT */
/* The runner of the lifecycle table: the order of events that are raised while a step runs. */
#include "supervisor/machine.h"

#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct obi_machine machine;
static char done[1024]; /* "EVENT:action ", for each action */
static int steps;
/* What a handler raises when its action is done; the entry of an action is used once. */
static enum obi_life_event raises[OBI_ACT_COUNT][OBI_LIFE_COUNT];
static int raise_count[OBI_ACT_COUNT];

static void note(int act, enum obi_life_event event)
{
	size_t len = strlen(done);
	snprintf(done + len, sizeof done - len, "%s:%d ", obi_life_event_name(event), act);
	int count = raise_count[act];
	raise_count[act] = 0;
	for (int i = 0; i < count; i++) {
		obi_machine_raise(&machine, raises[act][i]);
	}
}

/* A handler for each action, so that it is known which one ran. */
#define HANDLER(act)                                                    \
	static void handle_##act(void *user, enum obi_life_event event) \
	{                                                               \
		assert_ptr_equal(user, &machine);                       \
		note(OBI_ACT_##act, event);                             \
	}
HANDLER(NEVER)
HANDLER(REFUSE)
HANDLER(FORGIVE)
HANDLER(DISARM)
HANDLER(END_LEFTOVERS)
HANDLER(REAP)
HANDLER(LET_GO)
HANDLER(EMIT_EXITED)
HANDLER(EMIT_RESTARTING)
HANDLER(PROBE)
HANDLER(SPAWN)
HANDLER(ADOPT)
HANDLER(ARM_READY)
HANDLER(DROP_SPAWN)
HANDLER(STOP)
HANDLER(STOP_NEXT)
HANDLER(KILL)
HANDLER(AWAIT_END)
HANDLER(ARM_BACKOFF)
HANDLER(CLEANUP)
HANDLER(SAVE)
HANDLER(RELEASE)
HANDLER(EMIT_STARTING)
HANDLER(EMIT_READY)
HANDLER(EMIT_ADOPTED)
HANDLER(EMIT_DETACHED)
HANDLER(EMIT_FAILED)
HANDLER(EMIT_DONE)
HANDLER(EMIT_STOPPED)
HANDLER(START_OK)
HANDLER(START_FAIL)
HANDLER(STOP_FAIL)
HANDLER(STOP_DONE)
HANDLER(CLOSE_DONE)

#define ENTRY(act) [OBI_ACT_##act] = handle_##act
static obi_life_handler *const handlers[OBI_ACT_COUNT] = {
    ENTRY(NEVER),	 ENTRY(REFUSE),	       ENTRY(FORGIVE),
    ENTRY(DISARM),	 ENTRY(END_LEFTOVERS), ENTRY(REAP),
    ENTRY(LET_GO),	 ENTRY(EMIT_EXITED),   ENTRY(EMIT_RESTARTING),
    ENTRY(PROBE),	 ENTRY(SPAWN),	       ENTRY(ADOPT),
    ENTRY(ARM_READY),	 ENTRY(DROP_SPAWN),    ENTRY(STOP),
    ENTRY(STOP_NEXT),	 ENTRY(KILL),	       ENTRY(AWAIT_END),
    ENTRY(ARM_BACKOFF),	 ENTRY(CLEANUP),       ENTRY(SAVE),
    ENTRY(RELEASE),	 ENTRY(EMIT_STARTING), ENTRY(EMIT_READY),
    ENTRY(EMIT_ADOPTED), ENTRY(EMIT_DETACHED), ENTRY(EMIT_FAILED),
    ENTRY(EMIT_DONE),	 ENTRY(EMIT_STOPPED),  ENTRY(START_OK),
    ENTRY(START_FAIL),	 ENTRY(STOP_FAIL),     ENTRY(STOP_DONE),
    ENTRY(CLOSE_DONE),
};

static void on_stepped(void *user)
{
	(void)user;
	steps++;
}

static int setup(void **state)
{
	(void)state;
	memset(raise_count, 0, sizeof raise_count);
	done[0] = '\0';
	steps = 0;
	obi_machine_init(&machine, &(struct obi_machine_setup){handlers, on_stepped, &machine});
	return 0;
}

static void raise_in(enum obi_life_action act, enum obi_life_event event)
{
	raises[act][raise_count[act]++] = event;
}

/* What a handler ran, as "EVENT:action". */
static void expect_done(const char *const *events, const enum obi_life_action *acts, size_t count)
{
	char want[sizeof done] = "";
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(want);
		snprintf(want + len, sizeof want - len, "%s:%d ", events[i], (int)acts[i]);
	}
	assert_string_equal(done, want);
}

static void actions_run_in_the_order_of_their_bits(void **state)
{
	(void)state;
	machine.phase = OBI_PHASE_STARTING_FIRST;
	obi_machine_raise(&machine, OBI_LIFE_BECAME_READY);
	const char *events[] = {"BECAME_READY", "BECAME_READY", "BECAME_READY", "BECAME_READY"};
	const enum obi_life_action acts[] = {OBI_ACT_DISARM, OBI_ACT_SAVE, OBI_ACT_EMIT_READY,
					     OBI_ACT_START_OK};
	expect_done(events, acts, 4);
	assert_int_equal(machine.phase, OBI_PHASE_READY);
	assert_int_equal(steps, 1);
}

/* PROBE raises two events. Each is handled after the step, in the order in which it was raised. */
static void an_action_raises_two_events(void **state)
{
	(void)state;
	raise_in(OBI_ACT_PROBE, OBI_LIFE_LOCK_LEFTOVERS);
	raise_in(OBI_ACT_PROBE, OBI_LIFE_STOP);
	obi_machine_raise(&machine, OBI_LIFE_START);
	const char *events[] = {"START", "LOCK_LEFTOVERS", "STOP", "STOP"};
	const enum obi_life_action acts[] = {OBI_ACT_PROBE, OBI_ACT_END_LEFTOVERS, OBI_ACT_KILL,
					     OBI_ACT_START_FAIL};
	expect_done(events, acts, 4);
	assert_int_equal(machine.phase, OBI_PHASE_CLEAR_STOP);
	assert_int_equal(steps, 3);
}

/* EMIT_EXITED runs user code. An event raised there waits for the rest of the step, and for the
 * event that an earlier action of the step raised. */
static void an_event_raised_in_an_event_callback_waits(void **state)
{
	(void)state;
	machine.phase = OBI_PHASE_READY;
	raise_in(OBI_ACT_REAP, OBI_LIFE_UNWELL); /* too late: the phase ignores it */
	raise_in(OBI_ACT_EMIT_EXITED, OBI_LIFE_STOP);
	raise_in(OBI_ACT_EMIT_EXITED, OBI_LIFE_GAVE_UP);
	obi_machine_raise(&machine, OBI_LIFE_EXITED);
	/* GAVE_UP comes third, in STOP_ASKED, where it is impossible: it is not lost. */
	const char *events[] = {"EXITED", "EXITED", "EXITED", "STOP", "GAVE_UP"};
	const enum obi_life_action acts[] = {OBI_ACT_DISARM, OBI_ACT_REAP, OBI_ACT_EMIT_EXITED,
					     OBI_ACT_KILL, OBI_ACT_NEVER};
	expect_done(events, acts, 5);
	assert_int_equal(machine.phase, OBI_PHASE_STOP_ASKED);
	assert_int_equal(steps, 4);
}

static void an_event_that_is_queued_already_is_merged(void **state)
{
	(void)state;
	machine.phase = OBI_PHASE_STARTING_FIRST;
	raise_in(OBI_ACT_SAVE, OBI_LIFE_UNWELL);
	raise_in(OBI_ACT_SAVE, OBI_LIFE_UNWELL);
	obi_machine_raise(&machine, OBI_LIFE_BECAME_READY);
	assert_int_equal(machine.phase, OBI_PHASE_STOP_RETRY);
	assert_int_equal(steps, 2);
}

/* Every kind of event at once, twice: the queue has room, and each kind is handled once. */
static void the_queue_has_room_for_every_event(void **state)
{
	(void)state;
	for (int event = 0; event < OBI_LIFE_COUNT; event++) {
		raise_in(OBI_ACT_PROBE, (enum obi_life_event)event);
	}
	obi_machine_raise(&machine, OBI_LIFE_SUPERVISE);
	assert_int_equal(steps, 1 + OBI_LIFE_COUNT);
	assert_int_equal(machine.count, 0);
}

static void an_impossible_event_is_reported_and_changes_nothing(void **state)
{
	(void)state;
	obi_machine_raise(&machine, OBI_LIFE_BACKOFF_OVER);
	const char *events[] = {"BACKOFF_OVER"};
	const enum obi_life_action acts[] = {OBI_ACT_NEVER};
	expect_done(events, acts, 1);
	assert_int_equal(machine.phase, OBI_PHASE_IDLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(actions_run_in_the_order_of_their_bits, setup),
	    cmocka_unit_test_setup(an_action_raises_two_events, setup),
	    cmocka_unit_test_setup(an_event_raised_in_an_event_callback_waits, setup),
	    cmocka_unit_test_setup(an_event_that_is_queued_already_is_merged, setup),
	    cmocka_unit_test_setup(the_queue_has_room_for_every_event, setup),
	    cmocka_unit_test_setup(an_impossible_event_is_reported_and_changes_nothing, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
