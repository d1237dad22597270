/* SPDX-License-Identifier: MIT */
/*
 * Each byte is an event. A model of process, locks, timer and open requests ignores events that
 * cannot happen, and checks the actions: there is one process at most, every request is finished
 * once, files are changed under parent.lock only, and a close always ends.
 */
#include "supervisor/lifecycle.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
	enum obi_phase phase;
	bool process;  /* it lives, or something that it left is dealt with */
	bool dead;     /* of these two the second */
	bool clearing; /* what an earlier start left is dealt with */
	bool asked_probe;
	bool asked_spawn;
	bool asked_backoff; /* ARM_BACKOFF was said; the policy may give up */
	bool lock;	    /* parent.lock is ours */
	bool timer;
	int starts_open;
	int stops_open;
	bool close_open;
	bool freed;
	int spawned;
	int ended;
	int let_go;
};

#define CHECK(condition)                                                                      \
	do {                                                                                  \
		if (!(condition)) {                                                           \
			fprintf(stderr, "%s: %s does not hold in %s\n", __func__, #condition, \
				obi_phase_name(w->phase));                                    \
			abort();                                                              \
		}                                                                             \
	} while (0)

/* Requests come at any time. An answer needs a question, a timer event an armed timer, an exit a
 * process. */
static bool can_happen(const struct world *w, enum obi_life_event event)
{
	if (w->asked_backoff && (event == OBI_LIFE_GAVE_UP || event == OBI_LIFE_DONE)) {
		return true;
	}
	switch (event) {
	case OBI_LIFE_READY_TIMEOUT:
		return w->timer && (obi_lifecycle_state(w->phase) == OB_STATE_STARTING ||
				    obi_lifecycle_state(w->phase) == OB_STATE_ADOPTING);
	case OBI_LIFE_STOP_TIMEOUT:
		return w->timer && obi_lifecycle_state(w->phase) == OB_STATE_STOPPING;
	case OBI_LIFE_BACKOFF_OVER:
		return w->timer && w->phase == OBI_PHASE_BACKOFF;
	case OBI_LIFE_EXITED:
		return w->process && !w->dead;
	case OBI_LIFE_GONE:
		return w->process && w->dead;
	case OBI_LIFE_NOT_GONE:
		return (w->process && w->dead) || w->clearing;
	case OBI_LIFE_STUCK:
		return w->process && !w->dead && obi_lifecycle_state(w->phase) == OB_STATE_STOPPING;
	case OBI_LIFE_LOCK_FREE:
	case OBI_LIFE_LOCK_LIVE:
		return w->asked_probe || w->clearing;
	case OBI_LIFE_LOCK_LEFTOVERS:
	case OBI_LIFE_LOCK_FAILED:
		return w->asked_probe;
	case OBI_LIFE_CLOSE:
		return !w->close_open && !w->freed;
	case OBI_LIFE_SPAWNED:
	case OBI_LIFE_SPAWN_FAILED:
		return w->asked_spawn;
	case OBI_LIFE_GAVE_UP:
	case OBI_LIFE_DONE:
		return false;
	default:
		return true;
	}
}

static void before(struct world *w, enum obi_life_event event)
{
	bool fired = event == OBI_LIFE_READY_TIMEOUT || event == OBI_LIFE_STOP_TIMEOUT ||
		     event == OBI_LIFE_BACKOFF_OVER;
	w->timer = w->timer && !fired;
	w->starts_open += event <= OBI_LIFE_START_OR_RECONNECT;
	w->stops_open += event == OBI_LIFE_STOP || event == OBI_LIFE_DETACH;
	w->close_open = w->close_open || event == OBI_LIFE_CLOSE;
	w->asked_probe =
	    w->asked_probe && !(event >= OBI_LIFE_LOCK_FREE && event <= OBI_LIFE_LOCK_FAILED);
	w->asked_spawn =
	    w->asked_spawn && event != OBI_LIFE_SPAWNED && event != OBI_LIFE_SPAWN_FAILED;
	w->asked_backoff = false;
	w->clearing = w->clearing && event != OBI_LIFE_LOCK_FREE && event != OBI_LIFE_LOCK_LIVE &&
		      event != OBI_LIFE_NOT_GONE;
	if (event == OBI_LIFE_SPAWNED || event == OBI_LIFE_LOCK_LIVE) {
		CHECK(!w->process);
		w->process = true;
		w->spawned += event == OBI_LIFE_SPAWNED;
	}
}

static void touch_process(struct world *w, uint64_t actions, enum obi_life_event event)
{
	if (actions & (OBI_DO(STOP) | OBI_DO(STOP_NEXT) | OBI_DO(AWAIT_END))) {
		CHECK(w->process);
	}
	if (actions & OBI_DO(KILL)) {
		CHECK(w->process || w->clearing);
	}
	CHECK(((actions & OBI_DO(REAP)) != 0) == (event == OBI_LIFE_EXITED));
	w->dead = w->dead || event == OBI_LIFE_EXITED;
	if (w->process && (event == OBI_LIFE_GONE || event == OBI_LIFE_NOT_GONE)) {
		w->process = w->dead = false;
		w->ended++;
	}
	if (actions & OBI_DO(LET_GO)) {
		CHECK(w->process);
		w->process = w->dead = false;
		w->let_go++;
	}
	CHECK(w->process == obi_lifecycle_has_process(w->phase));
}

static void touch_files(struct world *w, uint64_t actions, enum obi_life_event event)
{
	if (actions & OBI_DO(PROBE)) {
		w->asked_probe = true;
		w->lock = true; /* LOCK_FAILED takes it back */
	}
	if (event == OBI_LIFE_LOCK_FAILED) {
		w->lock = false;
	}
	w->clearing = w->clearing || (actions & OBI_DO(END_LEFTOVERS)) != 0;
	if (actions & (OBI_DO(SPAWN) | OBI_DO(ADOPT))) {
		CHECK(!w->clearing);
		CHECK(w->lock && (w->process == ((actions & OBI_DO(ADOPT)) != 0)));
		w->asked_spawn = w->asked_spawn || (actions & OBI_DO(SPAWN)) != 0;
	}
	if (actions & OBI_DO(RELEASE)) {
		CHECK(!w->asked_spawn);		      /* its process would be forgotten */
		w->asked_probe = w->clearing = false; /* their answers are ignored */
		w->lock = false;
	}
	CHECK(!w->process || w->lock);
}

static void touch_timer(struct world *w, uint64_t actions)
{
	uint64_t arms_stop = w->process && !w->dead ? OBI_DO(STOP) | OBI_DO(STOP_NEXT) |
							  OBI_DO(KILL) | OBI_DO(AWAIT_END)
						    : 0;
	if (actions & OBI_DO(DISARM)) {
		w->timer = false;
	}
	if (actions & (OBI_DO(ARM_READY) | OBI_DO(ARM_BACKOFF) | arms_stop)) {
		w->timer = true;
	}
	w->asked_backoff = (actions & OBI_DO(ARM_BACKOFF)) != 0;
}

static void finish(struct world *w, uint64_t actions, enum obi_life_event event)
{
	int starts = ((actions & OBI_DO(START_OK)) != 0) + ((actions & OBI_DO(START_FAIL)) != 0);
	starts += (actions & OBI_DO(REFUSE)) != 0 && event <= OBI_LIFE_START_OR_RECONNECT;
	CHECK(starts <= w->starts_open);
	w->starts_open -= starts;
	CHECK(w->starts_open == (int)obi_lifecycle_start_open(w->phase));
	if (actions & (OBI_DO(STOP_DONE) | OBI_DO(STOP_FAIL))) {
		CHECK(!w->process);
		w->stops_open = 0;
	}
	if (actions & OBI_DO(CLOSE_DONE)) {
		CHECK(w->close_open && !w->freed);
		CHECK(!w->process && !w->lock && !w->timer && w->starts_open == 0 &&
		      w->stops_open == 0);
		w->freed = true;
	}
	bool stopping = (w->phase >= OBI_PHASE_DROP_ASKED && w->phase <= OBI_PHASE_STOP_CLOSE) ||
			w->phase == OBI_PHASE_CLEAR_STOP || w->phase == OBI_PHASE_CLEAR_CLOSE ||
			w->phase == OBI_PHASE_WAIT_STOP;
	CHECK(w->stops_open == 0 || stopping);
}

static void feed(struct world *w, enum obi_life_event event)
{
	enum obi_phase was = w->phase;
	struct obi_step step = obi_lifecycle_step(w->phase, event);
	CHECK(!(step.actions & OBI_DO(NEVER)));
	before(w, event);
	w->phase = (enum obi_phase)step.next;
	touch_process(w, step.actions, event);
	touch_files(w, step.actions, event);
	touch_timer(w, step.actions);
	finish(w, step.actions, event);
	if (event == OBI_LIFE_STOP && obi_lifecycle_has_process(was)) {
		CHECK(w->phase == OBI_PHASE_STOP_ASKED || w->phase == OBI_PHASE_STOP_CLOSE);
	}
	CHECK(w->spawned <= w->ended + w->let_go + 1);
}

/* A close and the answers that are due lead to the end. */
static void close_at_last(struct world *w)
{
	for (int turns = 0; !w->freed; turns++) {
		CHECK(turns < 8);
		if (w->asked_probe) {
			feed(w, OBI_LIFE_LOCK_LEFTOVERS);
		} else if (w->asked_spawn) {
			feed(w, OBI_LIFE_SPAWNED);
		} else if (!w->close_open) {
			feed(w, OBI_LIFE_CLOSE);
		} else if (w->clearing) {
			feed(w, OBI_LIFE_LOCK_FREE);
		} else {
			feed(w, w->dead ? OBI_LIFE_GONE : OBI_LIFE_EXITED);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = {.phase = OBI_PHASE_IDLE};
	for (size_t i = 0; i < size && !w.freed; i++) {
		enum obi_life_event event = (enum obi_life_event)(data[i] % OBI_LIFE_COUNT);
		if (can_happen(&w, event)) {
			feed(&w, event);
		}
	}
	close_at_last(&w);
	return 0;
}
