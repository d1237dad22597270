/* SPDX-License-Identifier: MIT */
/* The life of a child: every pair of phase and event, written out; then what must hold for the
 * table as a whole. */
#include "supervisor/lifecycle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const char *const words[] = {
    "never",	      "refuse",	 "forgive",  "disarm",	  "signal",	 "kill",
    "kill-leftovers", "reap",	 "let-go",   "+exited",	  "+restarting", "probe",
    "replace-lock",   "spawn",	 "adopt",    "arm-ready", "arm-stop",	 "arm-backoff",
    "cleanup",	      "save",	 "release",  "+starting", "+ready",	 "+adopted",
    "+detached",      "+failed", "+stopped", "start-ok",  "start-fail",	 "stop-done",
    "close-done",
};
enum { WORDS = sizeof words / sizeof words[0] };
_Static_assert((int)WORDS == (int)OBI_ACT_COUNT, "a word for each action");

/*
 * One line an event: the event, the next phase ("." for the same), the actions. What is not here
 * stays where it is: quietly if it can be late (see late()), else as "never".
 */
static const char *const expected[OBI_PHASE_COUNT] = {
    [OBI_PHASE_IDLE] = "START WAIT_START probe\n"
		       "RECONNECT WAIT_RECONNECT probe\n"
		       "START_OR_RECONNECT WAIT_EITHER probe\n"
		       "SUPERVISE WAIT_AGAIN probe\n"
		       "STOP . stop-done\n"
		       "DETACH . stop-done\n"
		       "CLOSE CLOSED close-done\n",
    [OBI_PHASE_WAIT_START] = "START . refuse\n"
			     "RECONNECT . refuse\n"
			     "START_OR_RECONNECT . refuse\n"
			     "SUPERVISE . refuse\n"
			     "STOP STOPPED release start-fail stop-done\n"
			     "DETACH STOPPED release start-fail stop-done\n"
			     "CLOSE CLOSED release start-fail close-done\n"
			     "CANCEL STOPPED release start-fail\n"
			     "LOCK_FREE SPAWN_FIRST spawn\n"
			     "LOCK_LIVE DETACHED let-go release start-fail\n"
			     "LOCK_LEFTOVERS CLEAR_START kill-leftovers arm-stop\n"
			     "LOCK_FAILED STOPPED release start-fail\n",
    [OBI_PHASE_WAIT_RECONNECT] = "START . refuse\n"
				 "RECONNECT . refuse\n"
				 "START_OR_RECONNECT . refuse\n"
				 "SUPERVISE . refuse\n"
				 "STOP STOPPED release start-fail stop-done\n"
				 "DETACH STOPPED release start-fail stop-done\n"
				 "CLOSE CLOSED release start-fail close-done\n"
				 "CANCEL STOPPED release start-fail\n"
				 "LOCK_FREE STOPPED release start-fail\n"
				 "LOCK_LIVE ADOPTING_RECONNECT adopt arm-ready\n"
				 "LOCK_LEFTOVERS STOPPED release start-fail\n"
				 "LOCK_FAILED STOPPED release start-fail\n",
    [OBI_PHASE_WAIT_EITHER] = "START . refuse\n"
			      "RECONNECT . refuse\n"
			      "START_OR_RECONNECT . refuse\n"
			      "SUPERVISE . refuse\n"
			      "STOP STOPPED release start-fail stop-done\n"
			      "DETACH STOPPED release start-fail stop-done\n"
			      "CLOSE CLOSED release start-fail close-done\n"
			      "CANCEL STOPPED release start-fail\n"
			      "LOCK_FREE SPAWN_FIRST spawn\n"
			      "LOCK_LIVE ADOPTING_EITHER adopt arm-ready\n"
			      "LOCK_LEFTOVERS CLEAR_EITHER kill-leftovers arm-stop\n"
			      "LOCK_FAILED STOPPED release start-fail\n",
    [OBI_PHASE_WAIT_AGAIN] = "START . refuse\n"
			     "RECONNECT . refuse\n"
			     "START_OR_RECONNECT . refuse\n"
			     "SUPERVISE . refuse\n"
			     "STOP STOPPED save release +stopped stop-done\n"
			     "DETACH STOPPED save release +stopped stop-done\n"
			     "CLOSE CLOSED save release +stopped close-done\n"
			     "LOCK_FREE SPAWN_AGAIN spawn\n"
			     "LOCK_LIVE ADOPTING_AGAIN adopt arm-ready\n"
			     "LOCK_LEFTOVERS CLEAR_AGAIN kill-leftovers arm-stop\n"
			     "LOCK_FAILED BACKOFF arm-backoff save\n",
    [OBI_PHASE_CLEAR_START] = "START . refuse\n"
			      "RECONNECT . refuse\n"
			      "START_OR_RECONNECT . refuse\n"
			      "SUPERVISE . refuse\n"
			      "STOP STOPPED disarm release start-fail stop-done\n"
			      "DETACH STOPPED disarm release start-fail stop-done\n"
			      "CLOSE CLOSED disarm release start-fail close-done\n"
			      "CANCEL STOPPED disarm release start-fail\n"
			      "LOCK_FREE SPAWN_FIRST disarm spawn\n"
			      "LOCK_LIVE DETACHED disarm let-go release start-fail\n"
			      "LOCK_LEFTOVERS .\n"
			      "LOCK_FAILED STOPPED disarm release start-fail\n"
			      "STOP_TIMEOUT SPAWN_FIRST replace-lock spawn\n",
    [OBI_PHASE_CLEAR_EITHER] = "START . refuse\n"
			       "RECONNECT . refuse\n"
			       "START_OR_RECONNECT . refuse\n"
			       "SUPERVISE . refuse\n"
			       "STOP STOPPED disarm release start-fail stop-done\n"
			       "DETACH STOPPED disarm release start-fail stop-done\n"
			       "CLOSE CLOSED disarm release start-fail close-done\n"
			       "CANCEL STOPPED disarm release start-fail\n"
			       "LOCK_FREE SPAWN_FIRST disarm spawn\n"
			       "LOCK_LIVE ADOPTING_EITHER adopt arm-ready\n"
			       "LOCK_LEFTOVERS .\n"
			       "LOCK_FAILED STOPPED disarm release start-fail\n"
			       "STOP_TIMEOUT SPAWN_FIRST replace-lock spawn\n",
    [OBI_PHASE_CLEAR_AGAIN] = "START . refuse\n"
			      "RECONNECT . refuse\n"
			      "START_OR_RECONNECT . refuse\n"
			      "SUPERVISE . refuse\n"
			      "STOP STOPPED disarm cleanup save release +stopped stop-done\n"
			      "DETACH STOPPED disarm cleanup save release +stopped stop-done\n"
			      "CLOSE CLOSED disarm cleanup save release +stopped close-done\n"
			      "LOCK_FREE SPAWN_AGAIN disarm spawn\n"
			      "LOCK_LIVE ADOPTING_AGAIN adopt arm-ready\n"
			      "LOCK_LEFTOVERS .\n"
			      "LOCK_FAILED BACKOFF arm-backoff save\n"
			      "STOP_TIMEOUT SPAWN_AGAIN replace-lock spawn\n",
    [OBI_PHASE_SPAWN_FIRST] = "SPAWNED STARTING_FIRST arm-ready save +starting\n"
			      "SPAWN_FAILED STOPPED cleanup save release start-fail\n",
    [OBI_PHASE_SPAWN_AGAIN] = "SPAWNED STARTING_AGAIN arm-ready save +starting\n"
			      "SPAWN_FAILED BACKOFF arm-backoff save\n",
    [OBI_PHASE_STARTING_FIRST] =
	"START . refuse\n"
	"RECONNECT . refuse\n"
	"START_OR_RECONNECT . refuse\n"
	"SUPERVISE . refuse\n"
	"STOP STOP_ASKED signal arm-stop start-fail\n"
	"DETACH DETACHED disarm let-go save release +detached start-fail stop-done\n"
	"CLOSE STOP_CLOSE signal arm-stop start-fail\n"
	"CANCEL STOP_FAILED kill arm-stop\n"
	"BECAME_READY READY disarm save +ready start-ok\n"
	"READY_TIMEOUT STOP_FAILED signal arm-stop\n"
	"EXITED STOPPED disarm reap +exited cleanup save release +stopped start-fail\n",
    [OBI_PHASE_STARTING_AGAIN] = "START . refuse\n"
				 "RECONNECT . refuse\n"
				 "START_OR_RECONNECT . refuse\n"
				 "SUPERVISE . refuse\n"
				 "STOP STOP_ASKED signal arm-stop\n"
				 "DETACH DETACHED disarm let-go save release +detached stop-done\n"
				 "CLOSE STOP_CLOSE signal arm-stop\n"
				 "BECAME_READY READY disarm save +ready\n"
				 "READY_TIMEOUT STOP_RETRY signal arm-stop\n"
				 "EXITED BACKOFF reap +exited arm-backoff save\n",
    [OBI_PHASE_ADOPTING_RECONNECT] =
	"START . refuse\n"
	"RECONNECT . refuse\n"
	"START_OR_RECONNECT . refuse\n"
	"SUPERVISE . refuse\n"
	"STOP STOP_ASKED signal arm-stop start-fail\n"
	"DETACH DETACHED disarm let-go save release +detached start-fail stop-done\n"
	"CLOSE STOP_CLOSE signal arm-stop start-fail\n"
	"CANCEL DETACHED disarm let-go release start-fail\n"
	"READY_TIMEOUT DETACHED disarm let-go release start-fail\n"
	"ADOPT_OK READY disarm save +adopted start-ok\n"
	"ADOPT_FAILED DETACHED disarm let-go release start-fail\n"
	"EXITED STOPPED disarm reap +exited cleanup save release +stopped start-fail\n"
	"VERSION_OLD STOP_REPLACE arm-stop\n",
    [OBI_PHASE_ADOPTING_EITHER] =
	"START . refuse\n"
	"RECONNECT . refuse\n"
	"START_OR_RECONNECT . refuse\n"
	"SUPERVISE . refuse\n"
	"STOP STOP_ASKED signal arm-stop start-fail\n"
	"DETACH DETACHED disarm let-go save release +detached start-fail stop-done\n"
	"CLOSE STOP_CLOSE signal arm-stop start-fail\n"
	"CANCEL DETACHED disarm let-go release start-fail\n"
	"READY_TIMEOUT STOP_REPLACE signal arm-stop\n"
	"ADOPT_OK READY disarm save +adopted start-ok\n"
	"ADOPT_FAILED DETACHED disarm let-go release start-fail\n"
	"EXITED WAIT_EITHER disarm reap +exited probe\n"
	"VERSION_OLD STOP_REPLACE arm-stop\n",
    [OBI_PHASE_ADOPTING_AGAIN] = "START . refuse\n"
				 "RECONNECT . refuse\n"
				 "START_OR_RECONNECT . refuse\n"
				 "SUPERVISE . refuse\n"
				 "STOP STOP_ASKED signal arm-stop\n"
				 "DETACH DETACHED disarm let-go save release +detached stop-done\n"
				 "CLOSE STOP_CLOSE signal arm-stop\n"
				 "READY_TIMEOUT STOP_RETRY signal arm-stop\n"
				 "ADOPT_OK READY disarm save +adopted\n"
				 "ADOPT_FAILED READY disarm save +adopted\n"
				 "EXITED BACKOFF reap +exited arm-backoff save\n"
				 "VERSION_OLD STOP_VERSION arm-stop\n",
    [OBI_PHASE_READY] = "START . refuse\n"
			"RECONNECT . refuse\n"
			"START_OR_RECONNECT . refuse\n"
			"SUPERVISE . refuse\n"
			"STOP STOP_ASKED signal arm-stop\n"
			"DETACH DETACHED disarm let-go save release +detached stop-done\n"
			"CLOSE STOP_CLOSE signal arm-stop\n"
			"EXITED BACKOFF reap +exited arm-backoff save\n"
			"UNWELL STOP_RETRY signal arm-stop\n"
			"VERSION_OLD STOP_VERSION arm-stop\n",
    [OBI_PHASE_STOP_ASKED] =
	"START . refuse\n"
	"RECONNECT . refuse\n"
	"START_OR_RECONNECT . refuse\n"
	"SUPERVISE . refuse\n"
	"STOP .\n"
	"DETACH .\n"
	"CLOSE STOP_CLOSE\n"
	"KILL . kill\n"
	"EXITED STOPPED disarm reap +exited cleanup save release +stopped stop-done\n"
	"STOP_TIMEOUT . kill\n",
    [OBI_PHASE_STOP_CLOSE] =
	"START . refuse\n"
	"RECONNECT . refuse\n"
	"START_OR_RECONNECT . refuse\n"
	"SUPERVISE . refuse\n"
	"STOP .\n"
	"DETACH .\n"
	"KILL . kill\n"
	"EXITED CLOSED disarm reap +exited cleanup save release +stopped stop-done close-done\n"
	"STOP_TIMEOUT . kill\n",
    [OBI_PHASE_STOP_FAILED] =
	"START . refuse\n"
	"RECONNECT . refuse\n"
	"START_OR_RECONNECT . refuse\n"
	"SUPERVISE . refuse\n"
	"STOP STOP_ASKED start-fail\n"
	"DETACH STOP_ASKED start-fail\n"
	"CLOSE STOP_CLOSE start-fail\n"
	"CANCEL . kill\n"
	"EXITED STOPPED disarm reap +exited cleanup save release +stopped start-fail\n"
	"STOP_TIMEOUT . kill\n",
    [OBI_PHASE_STOP_REPLACE] = "START . refuse\n"
			       "RECONNECT . refuse\n"
			       "START_OR_RECONNECT . refuse\n"
			       "SUPERVISE . refuse\n"
			       "STOP STOP_ASKED signal arm-stop start-fail\n"
			       "DETACH STOP_ASKED start-fail\n"
			       "CLOSE STOP_CLOSE signal arm-stop start-fail\n"
			       "CANCEL STOP_FAILED kill\n"
			       "EXITED WAIT_EITHER disarm reap +exited +restarting probe\n"
			       "STOP_TIMEOUT . kill\n",
    [OBI_PHASE_STOP_RETRY] = "START . refuse\n"
			     "RECONNECT . refuse\n"
			     "START_OR_RECONNECT . refuse\n"
			     "SUPERVISE . refuse\n"
			     "STOP STOP_ASKED\n"
			     "DETACH STOP_ASKED\n"
			     "CLOSE STOP_CLOSE\n"
			     "EXITED BACKOFF reap +exited arm-backoff save\n"
			     "STOP_TIMEOUT . kill\n",
    [OBI_PHASE_STOP_VERSION] = "START . refuse\n"
			       "RECONNECT . refuse\n"
			       "START_OR_RECONNECT . refuse\n"
			       "SUPERVISE . refuse\n"
			       "STOP STOP_ASKED signal arm-stop\n"
			       "DETACH STOP_ASKED\n"
			       "CLOSE STOP_CLOSE signal arm-stop\n"
			       "EXITED WAIT_AGAIN disarm reap +exited +restarting probe\n"
			       "STOP_TIMEOUT . kill\n",
    [OBI_PHASE_STOPPED] = "START WAIT_START probe\n"
			  "RECONNECT WAIT_RECONNECT probe\n"
			  "START_OR_RECONNECT WAIT_EITHER probe\n"
			  "SUPERVISE WAIT_AGAIN probe\n"
			  "STOP . stop-done\n"
			  "DETACH . stop-done\n"
			  "CLOSE CLOSED close-done\n",
    [OBI_PHASE_BACKOFF] = "START WAIT_START disarm probe\n"
			  "RECONNECT . refuse\n"
			  "START_OR_RECONNECT WAIT_EITHER disarm probe\n"
			  "SUPERVISE . refuse\n"
			  "STOP STOPPED disarm cleanup save release +stopped stop-done\n"
			  "DETACH STOPPED disarm cleanup save release +stopped stop-done\n"
			  "CLOSE CLOSED disarm cleanup save release +stopped close-done\n"
			  "BACKOFF_OVER WAIT_AGAIN probe\n"
			  "GAVE_UP FAILED disarm cleanup save release +failed\n",
    [OBI_PHASE_FAILED] = "START WAIT_START forgive probe\n"
			 "RECONNECT WAIT_RECONNECT forgive probe\n"
			 "START_OR_RECONNECT WAIT_EITHER forgive probe\n"
			 "SUPERVISE WAIT_AGAIN forgive probe\n"
			 "STOP STOPPED forgive +stopped stop-done\n"
			 "DETACH . stop-done\n"
			 "CLOSE CLOSED close-done\n",
    [OBI_PHASE_DETACHED] = "START WAIT_START probe\n"
			   "RECONNECT WAIT_RECONNECT probe\n"
			   "START_OR_RECONNECT WAIT_EITHER probe\n"
			   "SUPERVISE WAIT_AGAIN probe\n"
			   "STOP . stop-done\n"
			   "DETACH . stop-done\n"
			   "CLOSE CLOSED close-done\n",
    [OBI_PHASE_CLOSED] = "START . refuse\n"
			 "RECONNECT . refuse\n"
			 "START_OR_RECONNECT . refuse\n"
			 "SUPERVISE . refuse\n"
			 "STOP . stop-done\n"
			 "DETACH . stop-done\n",
};

static bool late(int event)
{
	return event == OBI_LIFE_CANCEL || event == OBI_LIFE_KILL ||
	       event == OBI_LIFE_BECAME_READY || event == OBI_LIFE_ADOPT_OK ||
	       event == OBI_LIFE_ADOPT_FAILED || event == OBI_LIFE_UNWELL ||
	       event == OBI_LIFE_VERSION_OLD;
}

static uint64_t action_of(const char *word)
{
	for (int i = 0; i < WORDS; i++) {
		if (strcmp(words[i], word) == 0) {
			return UINT64_C(1) << i;
		}
	}
	fail_msg("no such action: %s", word);
	return 0;
}

static uint8_t phase_of(const char *word, int same)
{
	for (int phase = 0; phase < OBI_PHASE_COUNT; phase++) {
		if (strcmp(obi_phase_name((enum obi_phase)phase), word) == 0) {
			return (uint8_t)phase;
		}
	}
	assert_string_equal(word, ".");
	return (uint8_t)same;
}

/* The line of the table for this pair, as a step; or what holds without one. */
static struct obi_step expect(int phase, int event)
{
	char text[2048];
	char *lines = NULL;
	assert_non_null(expected[phase]);
	assert_true(strlen(expected[phase]) < sizeof text);
	strcpy(text, expected[phase]);
	for (char *line = strtok_r(text, "\n", &lines); line != NULL;
	     line = strtok_r(NULL, "\n", &lines)) {
		char *rest = NULL;
		if (strcmp(strtok_r(line, " ", &rest),
			   obi_life_event_name((enum obi_life_event)event)) != 0) {
			continue;
		}
		struct obi_step step = {phase_of(strtok_r(NULL, " ", &rest), phase), 0};
		for (char *word = strtok_r(NULL, " ", &rest); word != NULL;
		     word = strtok_r(NULL, " ", &rest)) {
			step.actions |= action_of(word);
		}
		return step;
	}
	return (struct obi_step){(uint8_t)phase, late(event) ? 0 : OBI_DO(NEVER)};
}

static void say(const char *what, uint64_t actions)
{
	fprintf(stderr, "  %s:", what);
	for (int i = 0; i < WORDS; i++) {
		if (actions & UINT64_C(1) << i) {
			fprintf(stderr, " %s", words[i]);
		}
	}
	fprintf(stderr, "\n");
}

#define EVERY_PAIR(phase, event)                              \
	for (int phase = 0; phase < OBI_PHASE_COUNT; phase++) \
		for (int event = 0; event < OBI_LIFE_COUNT; event++)

static struct obi_step step_of(int phase, int event)
{
	return obi_lifecycle_step((enum obi_phase)phase, (enum obi_life_event)event);
}

static void every_pair_does_what_is_written(void **unused)
{
	(void)unused;
	int wrong = 0;
	EVERY_PAIR(phase, event)
	{
		struct obi_step want = expect(phase, event);
		struct obi_step got = step_of(phase, event);
		if (want.next != got.next || want.actions != got.actions) {
			fprintf(stderr, "%s %s -> %s\n", obi_phase_name((enum obi_phase)phase),
				obi_life_event_name((enum obi_life_event)event),
				obi_phase_name(got.next));
			say("want", want.actions);
			say("got ", got.actions);
			wrong++;
		}
	}
	assert_int_equal(wrong, 0);
}

static bool process(int phase)
{
	return obi_lifecycle_has_process((enum obi_phase)phase);
}

static bool start_open(int phase)
{
	return obi_lifecycle_start_open((enum obi_phase)phase);
}

static bool is_start(int event)
{
	return event <= OBI_LIFE_START_OR_RECONNECT;
}

/* Where one could come by a process, and how one loses it: never otherwise. */
static void process_comes_and_goes_by_the_events_that_say_so(void **unused)
{
	(void)unused;
	EVERY_PAIR(phase, event)
	{
		struct obi_step step = step_of(phase, event);
		if (!process(phase) && process(step.next)) {
			assert_true(event == OBI_LIFE_SPAWNED || event == OBI_LIFE_LOCK_LIVE);
		}
		bool lost = process(phase) && !process(step.next);
		bool found_and_left = event == OBI_LIFE_LOCK_LIVE && !process(step.next) &&
				      !(step.actions & OBI_DO(NEVER));
		assert_int_equal((step.actions & OBI_DO(REAP)) != 0,
				 lost && event == OBI_LIFE_EXITED);
		assert_int_equal((step.actions & OBI_DO(LET_GO)) != 0,
				 found_and_left || (lost && event != OBI_LIFE_EXITED));
		assert_int_equal((step.actions & OBI_DO(EMIT_EXITED)) != 0,
				 (step.actions & OBI_DO(REAP)) != 0);
		if (event == OBI_LIFE_EXITED && process(phase)) {
			assert_false(process(step.next));
		}
		if (step.actions & (OBI_DO(SIGNAL_STOP) | OBI_DO(KILL_GROUP))) {
			assert_true(process(phase) && process(step.next));
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
			assert_true(event == OBI_LIFE_LOCK_FREE ||
				    (step.actions & OBI_DO(REPLACE_LOCK)));
			assert_true(step.next == OBI_PHASE_SPAWN_FIRST ||
				    step.next == OBI_PHASE_SPAWN_AGAIN);
		}
		if (step.actions & OBI_DO(REPLACE_LOCK)) {
			assert_int_equal(obi_lifecycle_state((enum obi_phase)phase),
					 OB_STATE_WAITING);
			assert_int_equal(event, OBI_LIFE_STOP_TIMEOUT);
		}
	}
}

static void start_request_finishes_exactly_when_its_phases_are_left(void **unused)
{
	(void)unused;
	EVERY_PAIR(phase, event)
	{
		struct obi_step step = step_of(phase, event);
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

static bool stop_open(int phase)
{
	return phase == OBI_PHASE_STOP_ASKED || phase == OBI_PHASE_STOP_CLOSE;
}

/* Faults 1 and 3: a stop that does nothing, a stop that is forgotten. */
static void stop_is_done_at_once_or_when_the_process_is_dead(void **unused)
{
	(void)unused;
	EVERY_PAIR(phase, event)
	{
		struct obi_step step = step_of(phase, event);
		if (stop_open(phase) && !stop_open(step.next)) {
			assert_int_equal(event, OBI_LIFE_EXITED);
			assert_true(step.actions & OBI_DO(STOP_DONE));
		}
		if (event == OBI_LIFE_STOP && !(step.actions & OBI_DO(NEVER))) {
			assert_true(stop_open(step.next) || (step.actions & OBI_DO(STOP_DONE)));
			assert_int_equal(process(step.next), process(phase));
		}
		if (event == OBI_LIFE_DETACH && !(step.actions & OBI_DO(NEVER))) {
			assert_true(stop_open(step.next) || (step.actions & OBI_DO(STOP_DONE)));
		}
		if (step.actions & OBI_DO(STOP_DONE)) {
			assert_false(process(step.next));
		}
	}
}

static bool resting(int phase)
{
	return phase == OBI_PHASE_IDLE || phase == OBI_PHASE_STOPPED || phase == OBI_PHASE_FAILED ||
	       phase == OBI_PHASE_DETACHED || phase == OBI_PHASE_CLOSED;
}

static bool spawning(int phase)
{
	return phase == OBI_PHASE_SPAWN_FIRST || phase == OBI_PHASE_SPAWN_AGAIN;
}

static void close_ends_in_closed_from_everywhere(void **unused)
{
	(void)unused;
	for (int phase = 0; phase < OBI_PHASE_CLOSED; phase++) {
		if (spawning(phase) || phase == OBI_PHASE_STOP_CLOSE) {
			continue;
		}
		struct obi_step step = step_of(phase, OBI_LIFE_CLOSE);
		assert_int_equal(step.next,
				 process(phase) ? OBI_PHASE_STOP_CLOSE : OBI_PHASE_CLOSED);
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

/* Faults 5 and 19: a failed restart that ends supervision. Only asking, or the policy, ends it. */
static void policy_goes_on_until_it_gives_up_or_somebody_asks(void **unused)
{
	(void)unused;
	const int again[] = {
	    OBI_PHASE_WAIT_AGAIN,     OBI_PHASE_CLEAR_AGAIN,	OBI_PHASE_SPAWN_AGAIN,
	    OBI_PHASE_STARTING_AGAIN, OBI_PHASE_ADOPTING_AGAIN, OBI_PHASE_READY,
	    OBI_PHASE_STOP_RETRY,     OBI_PHASE_STOP_VERSION,	OBI_PHASE_BACKOFF};
	for (size_t i = 0; i < sizeof again / sizeof again[0]; i++) {
		for (int event = 0; event < OBI_LIFE_COUNT; event++) {
			int next = step_of(again[i], event).next;
			bool asked = event == OBI_LIFE_STOP || event == OBI_LIFE_DETACH ||
				     event == OBI_LIFE_CLOSE;
			if (resting(next) || stop_open(next)) {
				assert_true(asked || (again[i] == OBI_PHASE_BACKOFF &&
						      event == OBI_LIFE_GAVE_UP));
			}
		}
	}
}

/* A first start that fails stops; it never slips into the restart policy. */
static void first_start_never_becomes_a_restart(void **unused)
{
	(void)unused;
	EVERY_PAIR(phase, event)
	{
		struct obi_step step = step_of(phase, event);
		if (start_open(phase) && !(step.actions & OBI_DO(START_OK))) {
			assert_int_not_equal(step.next, OBI_PHASE_BACKOFF);
			assert_int_not_equal(step.next, OBI_PHASE_READY);
		}
	}
}

/* Which phases have the timer running: told by how they are entered, and then held against how they
 * are left. */
static bool armed(int phase)
{
	return phase == OBI_PHASE_BACKOFF || (process(phase) && phase != OBI_PHASE_READY) ||
	       phase == OBI_PHASE_CLEAR_START || phase == OBI_PHASE_CLEAR_EITHER ||
	       phase == OBI_PHASE_CLEAR_AGAIN;
}

static void timer_runs_in_the_phases_that_have_one_and_no_other(void **unused)
{
	(void)unused;
	const uint64_t arm = OBI_DO(ARM_READY) | OBI_DO(ARM_STOP) | OBI_DO(ARM_BACKOFF);
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
		if (armed(step.next) && !armed(phase)) {
			assert_true(step.actions & arm);
		}
		if (armed(phase) && !armed(step.next)) {
			assert_true(fired || (step.actions & OBI_DO(DISARM)));
		}
		if (step.actions & arm) {
			assert_true(armed(step.next));
		}
		if (step.next == OBI_PHASE_BACKOFF && phase != OBI_PHASE_BACKOFF) {
			assert_true(step.actions & OBI_DO(ARM_BACKOFF));
		}
	}
}

/* A stop signal that is ignored, a start that hangs: the timer always has an answer. */
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

static void lock_is_released_when_nobody_needs_it(void **unused)
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
			assert_true(!process(phase) || event == OBI_LIFE_EXITED);
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
	assert_int_equal(obi_lifecycle_refusal(OBI_PHASE_STOP_CLOSE, OBI_LIFE_START), OB_ECLOSED);
	assert_int_equal(obi_lifecycle_refusal(OBI_PHASE_CLOSED, OBI_LIFE_START), OB_ECLOSED);
}

static void names_are_all_there(void **unused)
{
	(void)unused;
	for (uint32_t i = OB_STATE_IDLE; i <= OB_STATE_DETACHED; i++) {
		assert_string_not_equal(ob_state_name(i), "?");
	}
	for (uint32_t i = OB_EVENT_STARTING; i <= OB_EVENT_STOPPED; i++) {
		assert_string_not_equal(ob_event_name(i), "?");
	}
	assert_string_equal(ob_state_name(OB_STATE_DETACHED), "detached");
	assert_string_equal(ob_state_name(OB_STATE_DETACHED + 1), "?");
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
	    cmocka_unit_test(every_pair_does_what_is_written),
	    cmocka_unit_test(process_comes_and_goes_by_the_events_that_say_so),
	    cmocka_unit_test(nothing_is_spawned_beside_a_process),
	    cmocka_unit_test(start_request_finishes_exactly_when_its_phases_are_left),
	    cmocka_unit_test(stop_is_done_at_once_or_when_the_process_is_dead),
	    cmocka_unit_test(close_ends_in_closed_from_everywhere),
	    cmocka_unit_test(policy_goes_on_until_it_gives_up_or_somebody_asks),
	    cmocka_unit_test(first_start_never_becomes_a_restart),
	    cmocka_unit_test(timer_runs_in_the_phases_that_have_one_and_no_other),
	    cmocka_unit_test(every_armed_phase_answers_its_timer),
	    cmocka_unit_test(lock_is_released_when_nobody_needs_it),
	    cmocka_unit_test(refusals_have_their_codes),
	    cmocka_unit_test(names_are_all_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
