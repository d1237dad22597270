/* SPDX-License-Identifier: MIT */
/* The life of a child: every pair of phase and event, written out. */
#include "unit/supervisor/lifecycle_pairs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const char *const words[] = {
    "never",	  "refuse",    "forgive",     "disarm",	    "end-leftovers", "reap",
    "let-go",	  "+exited",   "+restarting", "probe",	    "spawn",	     "drop-spawn",
    "adopt",	  "arm-ready", "arm-backoff", "cleanup",    "save",	     "release",
    "+starting",  "stop",      "stop-next",   "kill",	    "await-end",     "+ready",
    "+adopted",	  "+detached", "+failed",     "+done",	    "+stopped",	     "start-ok",
    "start-fail", "stop-fail", "stop-done",   "close-done",
};
enum { WORDS = sizeof words / sizeof words[0] };
_Static_assert((int)WORDS == (int)OBI_ACT_COUNT, "a word for each action");

/*
 * One line for each event: the event, the next phase ("." for the same), the actions. For an event
 * that is missing here the phase stays, without an action if it can be late (see late()), else with
 * "never".
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
			     "LOCK_LEFTOVERS CLEAR_START end-leftovers\n"
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
			      "LOCK_LEFTOVERS CLEAR_EITHER end-leftovers\n"
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
			     "LOCK_LEFTOVERS CLEAR_AGAIN end-leftovers\n"
			     "LOCK_FAILED BACKOFF arm-backoff save\n",
    [OBI_PHASE_WAIT_STOP] = "START . refuse\n"
			    "RECONNECT . refuse\n"
			    "START_OR_RECONNECT . refuse\n"
			    "SUPERVISE . refuse\n"
			    "STOP .\n"
			    "DETACH .\n"
			    "CLOSE CLOSED release stop-done close-done\n"
			    "LOCK_FREE STOPPED cleanup save release +stopped stop-done\n"
			    "LOCK_LIVE STOP_ASKED adopt stop\n"
			    "LOCK_LEFTOVERS CLEAR_STOP end-leftovers\n"
			    "LOCK_FAILED FAILED release stop-fail\n",
    [OBI_PHASE_CLEAR_START] = "START . refuse\n"
			      "RECONNECT . refuse\n"
			      "START_OR_RECONNECT . refuse\n"
			      "SUPERVISE . refuse\n"
			      "STOP CLEAR_STOP kill start-fail\n"
			      "DETACH DETACHED release start-fail stop-done\n"
			      "CLOSE CLEAR_CLOSE kill start-fail\n"
			      "CANCEL DETACHED release start-fail\n"
			      "LOCK_FREE SPAWN_FIRST spawn\n"
			      "LOCK_LIVE DETACHED let-go release start-fail\n"
			      "NOT_GONE FAILED save release +failed start-fail\n",
    [OBI_PHASE_CLEAR_EITHER] = "START . refuse\n"
			       "RECONNECT . refuse\n"
			       "START_OR_RECONNECT . refuse\n"
			       "SUPERVISE . refuse\n"
			       "STOP CLEAR_STOP kill start-fail\n"
			       "DETACH DETACHED release start-fail stop-done\n"
			       "CLOSE CLEAR_CLOSE kill start-fail\n"
			       "CANCEL DETACHED release start-fail\n"
			       "LOCK_FREE SPAWN_FIRST spawn\n"
			       "LOCK_LIVE ADOPTING_EITHER adopt arm-ready\n"
			       "NOT_GONE FAILED save release +failed start-fail\n",
    [OBI_PHASE_CLEAR_AGAIN] = "START . refuse\n"
			      "RECONNECT . refuse\n"
			      "START_OR_RECONNECT . refuse\n"
			      "SUPERVISE . refuse\n"
			      "STOP CLEAR_STOP kill\n"
			      "DETACH DETACHED release stop-done\n"
			      "CLOSE CLEAR_CLOSE kill\n"
			      "LOCK_FREE SPAWN_AGAIN spawn\n"
			      "LOCK_LIVE ADOPTING_AGAIN adopt arm-ready\n"
			      "NOT_GONE FAILED save release +failed\n",
    [OBI_PHASE_CLEAR_STOP] = "START . refuse\n"
			     "RECONNECT . refuse\n"
			     "START_OR_RECONNECT . refuse\n"
			     "SUPERVISE . refuse\n"
			     "STOP .\n"
			     "DETACH .\n"
			     "CLOSE CLEAR_CLOSE\n"
			     "LOCK_FREE STOPPED cleanup save release +stopped stop-done\n"
			     "LOCK_LIVE STOP_ASKED adopt stop\n"
			     "NOT_GONE FAILED save release +failed stop-fail\n",
    [OBI_PHASE_CLEAR_CLOSE] =
	"START . refuse\n"
	"RECONNECT . refuse\n"
	"START_OR_RECONNECT . refuse\n"
	"SUPERVISE . refuse\n"
	"STOP .\n"
	"DETACH .\n"
	"LOCK_FREE CLOSED cleanup save release +stopped stop-done close-done\n"
	"LOCK_LIVE STOP_CLOSE adopt stop\n"
	"NOT_GONE CLOSED save release +failed stop-fail close-done\n",
    [OBI_PHASE_SPAWN_FIRST] = "START . refuse\n"
			      "RECONNECT . refuse\n"
			      "START_OR_RECONNECT . refuse\n"
			      "SUPERVISE . refuse\n"
			      "STOP DROP_ASKED drop-spawn start-fail\n"
			      "DETACH DROP_ASKED drop-spawn start-fail\n"
			      "CLOSE DROP_CLOSE drop-spawn start-fail\n"
			      "CANCEL DROP_ASKED drop-spawn start-fail\n"
			      "SPAWNED STARTING_FIRST arm-ready save +starting\n"
			      "SPAWN_FAILED STOPPED cleanup save release start-fail\n",
    [OBI_PHASE_SPAWN_AGAIN] = "START . refuse\n"
			      "RECONNECT . refuse\n"
			      "START_OR_RECONNECT . refuse\n"
			      "SUPERVISE . refuse\n"
			      "STOP DROP_ASKED drop-spawn\n"
			      "DETACH DROP_ASKED drop-spawn\n"
			      "CLOSE DROP_CLOSE drop-spawn\n"
			      "SPAWNED STARTING_AGAIN arm-ready save +starting\n"
			      "SPAWN_FAILED BACKOFF arm-backoff save\n",
    [OBI_PHASE_STARTING_FIRST] =
	"START . refuse\n"
	"RECONNECT . refuse\n"
	"START_OR_RECONNECT . refuse\n"
	"SUPERVISE . refuse\n"
	"STOP STOP_ASKED stop start-fail\n"
	"DETACH DETACHED disarm let-go save release +detached start-fail stop-done\n"
	"CLOSE STOP_CLOSE stop start-fail\n"
	"CANCEL STOP_FAILED kill\n"
	"BECAME_READY READY disarm save +ready start-ok\n"
	"READY_TIMEOUT STOP_FAILED stop\n"
	"EXITED STOP_FAILED disarm reap +exited\n"
	"STUCK DETACHED disarm let-go save release +detached start-fail\n",
    [OBI_PHASE_STARTING_AGAIN] = "START . refuse\n"
				 "RECONNECT . refuse\n"
				 "START_OR_RECONNECT . refuse\n"
				 "SUPERVISE . refuse\n"
				 "STOP STOP_ASKED stop\n"
				 "DETACH DETACHED disarm let-go save release +detached stop-done\n"
				 "CLOSE STOP_CLOSE stop\n"
				 "BECAME_READY READY disarm save +ready\n"
				 "READY_TIMEOUT STOP_RETRY stop\n"
				 "EXITED LINGER disarm reap +exited\n"
				 "STUCK DETACHED disarm let-go save release +detached\n",
    [OBI_PHASE_ADOPTING_RECONNECT] =
	"START . refuse\n"
	"RECONNECT . refuse\n"
	"START_OR_RECONNECT . refuse\n"
	"SUPERVISE . refuse\n"
	"STOP STOP_ASKED stop start-fail\n"
	"DETACH DETACHED disarm let-go save release +detached start-fail stop-done\n"
	"CLOSE STOP_CLOSE stop start-fail\n"
	"CANCEL DETACHED disarm let-go release start-fail\n"
	"READY_TIMEOUT DETACHED disarm let-go release start-fail\n"
	"ADOPT_OK READY disarm save +adopted start-ok\n"
	"ADOPT_FAILED DETACHED disarm let-go release start-fail\n"
	"EXITED STOP_FAILED disarm reap +exited\n"
	"VERSION_OLD STOP_REPLACE await-end\n"
	"STUCK DETACHED disarm let-go save release +detached start-fail\n",
    [OBI_PHASE_ADOPTING_EITHER] =
	"START . refuse\n"
	"RECONNECT . refuse\n"
	"START_OR_RECONNECT . refuse\n"
	"SUPERVISE . refuse\n"
	"STOP STOP_ASKED stop start-fail\n"
	"DETACH DETACHED disarm let-go save release +detached start-fail stop-done\n"
	"CLOSE STOP_CLOSE stop start-fail\n"
	"CANCEL DETACHED disarm let-go release start-fail\n"
	"READY_TIMEOUT STOP_REPLACE stop\n"
	"ADOPT_OK READY disarm save +adopted start-ok\n"
	"ADOPT_FAILED DETACHED disarm let-go release start-fail\n"
	"EXITED STOP_REPLACE disarm reap +exited\n"
	"VERSION_OLD STOP_REPLACE await-end\n"
	"STUCK DETACHED disarm let-go save release +detached start-fail\n",
    [OBI_PHASE_ADOPTING_AGAIN] = "START . refuse\n"
				 "RECONNECT . refuse\n"
				 "START_OR_RECONNECT . refuse\n"
				 "SUPERVISE . refuse\n"
				 "STOP STOP_ASKED stop\n"
				 "DETACH DETACHED disarm let-go save release +detached stop-done\n"
				 "CLOSE STOP_CLOSE stop\n"
				 "READY_TIMEOUT STOP_RETRY stop\n"
				 "ADOPT_OK READY disarm save +adopted\n"
				 "ADOPT_FAILED READY disarm save +adopted\n"
				 "EXITED LINGER disarm reap +exited\n"
				 "UNWELL STOP_RETRY stop\n"
				 "VERSION_OLD STOP_VERSION await-end\n"
				 "STUCK DETACHED disarm let-go save release +detached\n",
    [OBI_PHASE_READY] = "START . refuse\n"
			"RECONNECT . refuse\n"
			"START_OR_RECONNECT . start-ok\n"
			"SUPERVISE . refuse\n"
			"STOP STOP_ASKED stop\n"
			"DETACH DETACHED disarm let-go save release +detached stop-done\n"
			"CLOSE STOP_CLOSE stop\n"
			"EXITED LINGER disarm reap +exited\n"
			"UNWELL STOP_RETRY stop\n"
			"VERSION_OLD STOP_VERSION await-end\n"
			"STUCK DETACHED disarm let-go save release +detached\n",
    [OBI_PHASE_DROP_ASKED] = "START . refuse\n"
			     "RECONNECT . refuse\n"
			     "START_OR_RECONNECT . refuse\n"
			     "SUPERVISE . refuse\n"
			     "STOP .\n"
			     "DETACH .\n"
			     "CLOSE DROP_CLOSE\n"
			     "SPAWNED STOP_ASKED save +starting stop\n"
			     "SPAWN_FAILED STOPPED cleanup save release +stopped stop-done\n",
    [OBI_PHASE_DROP_CLOSE] =
	"START . refuse\n"
	"RECONNECT . refuse\n"
	"START_OR_RECONNECT . refuse\n"
	"SUPERVISE . refuse\n"
	"STOP .\n"
	"DETACH .\n"
	"SPAWNED STOP_CLOSE save +starting stop\n"
	"SPAWN_FAILED CLOSED cleanup save release +stopped stop-done close-done\n",
    [OBI_PHASE_STOP_ASKED] = "START . refuse\n"
			     "RECONNECT . refuse\n"
			     "START_OR_RECONNECT . refuse\n"
			     "SUPERVISE . refuse\n"
			     "STOP .\n"
			     "DETACH .\n"
			     "CLOSE STOP_CLOSE\n"
			     "KILL . kill\n"
			     "EXITED . disarm reap +exited\n"
			     "GONE STOPPED cleanup save release +stopped stop-done\n"
			     "NOT_GONE FAILED save release +failed stop-fail\n"
			     "STUCK DETACHED disarm let-go save release +detached stop-fail\n"
			     "STOP_TIMEOUT . stop-next\n",
    [OBI_PHASE_STOP_CLOSE] =
	"START . refuse\n"
	"RECONNECT . refuse\n"
	"START_OR_RECONNECT . refuse\n"
	"SUPERVISE . refuse\n"
	"STOP .\n"
	"DETACH .\n"
	"KILL . kill\n"
	"EXITED . disarm reap +exited\n"
	"GONE CLOSED cleanup save release +stopped stop-done close-done\n"
	"NOT_GONE CLOSED save release +failed stop-fail close-done\n"
	"STUCK CLOSED disarm let-go save release +detached stop-fail close-done\n"
	"STOP_TIMEOUT . stop-next\n",
    [OBI_PHASE_STOP_FAILED] = "START . refuse\n"
			      "RECONNECT . refuse\n"
			      "START_OR_RECONNECT . refuse\n"
			      "SUPERVISE . refuse\n"
			      "STOP STOP_ASKED start-fail\n"
			      "DETACH STOP_ASKED start-fail\n"
			      "CLOSE STOP_CLOSE start-fail\n"
			      "CANCEL . kill\n"
			      "EXITED . disarm reap +exited\n"
			      "GONE STOPPED cleanup save release +stopped start-fail\n"
			      "NOT_GONE FAILED save release +failed start-fail\n"
			      "STUCK DETACHED disarm let-go save release +detached start-fail\n"
			      "STOP_TIMEOUT . stop-next\n"
			      "PLACE_LOST STOP_ASKED start-fail\n",
    [OBI_PHASE_STOP_REPLACE] = "START . refuse\n"
			       "RECONNECT . refuse\n"
			       "START_OR_RECONNECT . refuse\n"
			       "SUPERVISE . refuse\n"
			       "STOP STOP_ASKED stop start-fail\n"
			       "DETACH STOP_ASKED start-fail\n"
			       "CLOSE STOP_CLOSE stop start-fail\n"
			       "CANCEL STOP_FAILED kill\n"
			       "EXITED . disarm reap +exited\n"
			       "GONE WAIT_EITHER +restarting probe\n"
			       "NOT_GONE FAILED save release +failed start-fail\n"
			       "STUCK DETACHED disarm let-go save release +detached start-fail\n"
			       "STOP_TIMEOUT . stop-next\n",
    [OBI_PHASE_STOP_RETRY] = "START . refuse\n"
			     "RECONNECT . refuse\n"
			     "START_OR_RECONNECT . refuse\n"
			     "SUPERVISE . refuse\n"
			     "STOP STOP_ASKED\n"
			     "DETACH STOP_ASKED\n"
			     "CLOSE STOP_CLOSE\n"
			     "EXITED LINGER disarm reap +exited\n"
			     "STUCK DETACHED disarm let-go save release +detached\n"
			     "STOP_TIMEOUT . stop-next\n",
    [OBI_PHASE_STOP_VERSION] = "START . refuse\n"
			       "RECONNECT . refuse\n"
			       "START_OR_RECONNECT . refuse\n"
			       "SUPERVISE . refuse\n"
			       "STOP STOP_ASKED stop\n"
			       "DETACH STOP_ASKED\n"
			       "CLOSE STOP_CLOSE stop\n"
			       "EXITED . disarm reap +exited\n"
			       "GONE WAIT_AGAIN +restarting probe\n"
			       "NOT_GONE FAILED save release +failed\n"
			       "STUCK DETACHED disarm let-go save release +detached\n"
			       "STOP_TIMEOUT . stop-next\n",
    [OBI_PHASE_LINGER] = "START . refuse\n"
			 "RECONNECT . refuse\n"
			 "START_OR_RECONNECT . refuse\n"
			 "SUPERVISE . refuse\n"
			 "STOP STOP_ASKED kill\n"
			 "DETACH DETACHED disarm let-go save release +detached stop-done\n"
			 "CLOSE STOP_CLOSE kill\n"
			 "GONE BACKOFF arm-backoff save\n"
			 "NOT_GONE FAILED save release +failed\n",
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
			  "GAVE_UP FAILED disarm cleanup save release +failed\n"
			  "DONE DONE disarm cleanup save release +done\n",
    [OBI_PHASE_FAILED] = "START WAIT_START forgive probe\n"
			 "RECONNECT WAIT_RECONNECT forgive probe\n"
			 "START_OR_RECONNECT WAIT_EITHER forgive probe\n"
			 "SUPERVISE WAIT_AGAIN forgive probe\n"
			 "STOP WAIT_STOP forgive probe\n"
			 "DETACH . stop-done\n"
			 "CLOSE CLOSED close-done\n",
    [OBI_PHASE_DONE] = "START WAIT_START probe\n"
		       "RECONNECT WAIT_RECONNECT probe\n"
		       "START_OR_RECONNECT WAIT_EITHER probe\n"
		       "SUPERVISE WAIT_AGAIN probe\n"
		       "STOP STOPPED +stopped stop-done\n"
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
	       event == OBI_LIFE_VERSION_OLD || event == OBI_LIFE_PLACE_LOST ||
	       event == OBI_LIFE_STUCK;
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

/* The line of the table for this pair, as a step. */
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

static void every_pair_leads_to_the_expected_step(void **unused)
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_pair_leads_to_the_expected_step),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
