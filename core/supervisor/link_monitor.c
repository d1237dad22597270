/* SPDX-License-Identifier: MIT */
/*
 * The link to a supervised child: dialled for as long as the process lives, however often it
 * breaks. A broken link is a state of the link; what it says about the child is what the child
 * itself says: health, version, and silence.
 */
#include <sodium.h>
#include <stdio.h>

#include "base/error.h"
#include "supervisor/supervise_private.h"

enum {
	REDIAL_FIRST_MS = 10,	  /* doubled with each failure ... */
	REDIAL_STARTING_MS = 250, /* ... up to this while somebody waits for it to be ready */
	REDIAL_MAX_MS = 5000,	  /* ... and to this later on */
	OPEN_TIMEOUT_MS = 5000,
	LATE_MS =
	    1000, /* a dial that takes so much longer than that did not take it: we were stopped */
	ASK_TIMEOUT_MS = 10000
};

static void dial(struct obi_supervisor *sup);

/* ---- What it is worth ---- */

static bool somebody_waits(const struct obi_supervisor *sup)
{
	return sup->machine.phase != OBI_PHASE_READY;
}

/* The child works: tell the machine, once for each process. */
static void judge_good(struct obi_supervisor *sup)
{
	if (sup->heart.judged) {
		return;
	}
	sup->heart.judged = true;
	sup->state.was_ready = true;
	bool adopting = obi_lifecycle_is_adopting(sup->machine.phase);
	obi_machine_raise(&sup->machine, adopting ? OBI_LIFE_ADOPT_OK : OBI_LIFE_BECAME_READY);
	/* One that was ill from its first word on has been told of; what is to be done about it is
	 * done now. */
	if (sup->healthy == 0 && sup->options->health_action == OB_HEALTH_RESTART &&
	    sup->machine.phase == OBI_PHASE_READY) {
		obi_supervisor_cause(sup, "not healthy from the start");
		obi_machine_raise(&sup->machine, OBI_LIFE_UNWELL);
	}
}

static void judge_unwell(struct obi_supervisor *sup, enum ob_event_type type, const char *why)
{
	obi_supervisor_cause(sup, "%s", why);
	obi_supervisor_emit(sup, type, 0);
	if (sup->options->health_action == OB_HEALTH_RESTART &&
	    sup->machine.phase == OBI_PHASE_READY) {
		obi_supervisor_cause(sup, "%s", why);
		obi_machine_raise(&sup->machine, OBI_LIFE_UNWELL);
	}
}

/* ---- Questions and answers ---- */

static int ask(struct obi_supervisor *sup, const char *method, const struct ob_value *params,
	       int64_t timeout_ms, ob_reply_fn *fn)
{
	int64_t deadline = timeout_ms < 0 ? INT64_MAX : obi_now_ms() + timeout_ms;
	return obi_connection_call(sup->heart.link, ob_bytes_text(method), params, deadline, fn,
				   sup, NULL, NULL);
}

static void on_health(void *user, int code, const struct ob_value *value,
		      const struct ob_error *err)
{
	struct obi_supervisor *sup = user;
	struct ob_bytes why = {NULL, 0};
	bool healthy;
	(void)err;
	if (code != OB_OK || !ob_get_bool(ob_value_find(value, "healthy"), &healthy)) {
		return; /* a child without the control interface has no opinion */
	}
	bool was_bad = sup->healthy == 0;
	sup->healthy = healthy;
	obi_supervisor_changed(sup);
	if (!healthy && !was_bad) {
		char text[256];
		ob_get_string(ob_value_find(value, "last_error"), &why);
		snprintf(text, sizeof text, "not healthy: %.*s",
			 (int)(why.len < 200 ? why.len : 200), why.data);
		judge_unwell(sup, OB_EVENT_UNHEALTHY, text);
	}
}

static void on_first_health(void *user, int code, const struct ob_value *value,
			    const struct ob_error *err)
{
	struct obi_supervisor *sup = user;
	if (code == OB_OK || code == OB_EREMOTE) {
		on_health(user, code, value, err);
		judge_good(sup);
	} else if (code != OB_ECONNLOST && code != OB_ECLOSED) {
		obi_supervisor_note(sup, code, "health check failed: %s", err->text);
		obi_connection_close(sup->heart.link, code, "health check failed");
	}
}

static void ask_first_health(struct obi_supervisor *sup)
{
	if (sup->heart.judged) {
		return;
	}
	(void)ask(sup, "outboard-control.health", NULL, ASK_TIMEOUT_MS, on_first_health);
}

/* The child is older than what we expect, and ends itself; what comes after the exit is the
 * machine's. */
static void on_version(void *user, int code, const struct ob_value *value,
		       const struct ob_error *err)
{
	struct obi_supervisor *sup = user;
	bool restart = false;
	(void)err;
	sup->heart.asking_version = false;
	if (code == OB_OK) {
		(void)ob_get_uint(ob_value_find(value, "current_version"), &sup->state.version);
		(void)ob_get_bool(ob_value_find(value, "needs_restart"), &restart);
	}
	if (restart) {
		obi_supervisor_cause(sup, "version %llu is older than %llu",
				     (unsigned long long)sup->state.version,
				     (unsigned long long)sup->options->version);
		/* One that we have just started and that is still too old would be replaced for
		 * ever: that is a failure, and counts. */
		if (!sup->heart.judged && !sup->state.adopted) {
			obi_supervisor_note(sup, OB_EEXITED,
					    "waiting for outboard process to be ready: %s",
					    sup->cause);
			obi_machine_raise(&sup->machine, OBI_LIFE_UNWELL);
			return;
		}
		obi_machine_raise(&sup->machine, OBI_LIFE_VERSION_OLD);
	} else if (code == OB_OK || code == OB_EREMOTE) {
		ask_first_health(sup);
	} else if (code == OB_ETIMEDOUT) {
		obi_connection_close(sup->heart.link, code,
				     "no answer to checkVersion"); /* and ask again on the next */
	}
}

static void ask_version(struct obi_supervisor *sup)
{
	struct ob_value items[1] = {ob_uint(sup->options->version)};
	struct ob_value params = ob_array(items, 1);
	sup->heart.asking_version = true;
	(void)ask(sup, "outboard-control.checkVersion", &params, ASK_TIMEOUT_MS, on_version);
}

/* ---- Heartbeats ---- */

static void arm_beat(struct obi_supervisor *sup)
{
	if (sup->options->health_interval_ms > 0) {
		obi_timer_set(sup->setup.loop, &sup->heart.beat, sup->options->health_interval_ms);
	}
}

static void on_pong(void *user, int code, const struct ob_value *value, const struct ob_error *err)
{
	struct obi_supervisor *sup = user;
	(void)value;
	(void)err;
	if (code != OB_OK && code != OB_EREMOTE) {
		return;
	}
	sup->heart.waiting = false;
	sup->heart.misses = 0;
	if (sup->heart.unresponsive) {
		sup->heart.unresponsive = false;
		obi_supervisor_changed(sup);
	}
}

static void become_unresponsive(struct obi_supervisor *sup)
{
	char why[128];
	snprintf(why, sizeof why, "no answer to %u heartbeats", sup->heart.misses);
	sup->heart.unresponsive = true;
	/* Over a network silence may mean that the connection is dead, and a new one helps; a local
	 * one cannot die so. */
	bool redial = !sup->setup.local;
	judge_unwell(sup, OB_EVENT_UNRESPONSIVE, why);
	if (redial && sup->heart.link != NULL) {
		obi_connection_close(sup->heart.link, OB_ETIMEDOUT, why);
	}
}

/*
 * A timer that comes late by more than its own interval says that we were not running (stopped, or
 * the machine suspended): then nobody is to blame for the silence, and the question is asked anew.
 */
static void on_beat(void *user)
{
	struct obi_supervisor *sup = user;
	int64_t late = obi_now_ms() - sup->heart.beat.at;
	if (sup->heart.link == NULL || !sup->heart.supervising) {
		return;
	}
	arm_beat(sup);
	if (obi_connection_end_if_worn(sup->heart.link)) {
		return;
	}
	if (sup->heart.waiting && late < sup->options->health_interval_ms) {
		sup->heart.misses++;
	}
	if (sup->heart.misses >= sup->options->health_misses && !sup->heart.unresponsive) {
		become_unresponsive(sup);
		return;
	}
	int64_t patience = sup->options->health_interval_ms * sup->options->health_misses;
	sup->heart.waiting = true;
	(void)ask(sup, "outboard.ping", NULL, patience, on_pong);
	(void)ask(sup, "outboard-control.health", NULL, patience, on_health);
}

/* ---- The link ---- */

static void on_supervised(void *user, int code, const struct ob_value *value,
			  const struct ob_error *err)
{
	struct obi_supervisor *sup = user;
	(void)value;
	if (code == OB_ECONNLOST || code == OB_ECLOSED) {
		return;
	}
	if (code != OB_OK) {
		obi_supervisor_note(sup, code, "connecting to outboard-control: %s", err->text);
		obi_connection_close(sup->heart.link, code,
				     "the child does not take us for its parent");
		return;
	}
	sup->heart.supervising = true;
	sup->heart.failures = sup->heart.misses = 0;
	sup->heart.waiting = sup->heart.unresponsive = false;
	sup->heart.down_since = 0;
	sup->link_error[0] = '\0';
	sup->setup.events.link(sup->setup.events.user, sup->heart.link);
	obi_supervisor_changed(sup);
	arm_beat(sup);
	if (sup->options->version > 0) {
		ask_version(sup);
	} else {
		ask_first_health(sup);
	}
}

static void on_opened(void *user, struct obi_connection *link)
{
	struct obi_supervisor *sup = user;
	struct ob_value items[1] = {ob_string(sup->state.instance)};
	struct ob_value params = ob_array(items, 1);
	(void)link;
	obi_dial_turn_end(&sup->heart.turn);
	(void)ask(sup, "outboard.supervise", &params, ASK_TIMEOUT_MS, on_supervised);
}

/* A child that lives and cannot even be reached is as silent as one that does not answer. */
static void judge_silence(struct obi_supervisor *sup)
{
	int64_t patience = sup->options->health_interval_ms * sup->options->health_misses;
	int64_t now = obi_now_ms();
	if (sup->heart.down_since == 0 || now - sup->heart.dialed_at > OPEN_TIMEOUT_MS + LATE_MS) {
		sup->heart.down_since = now; /* the next dial is to tell */
	}
	if (sup->machine.phase == OBI_PHASE_READY && sup->options->health_interval_ms > 0 &&
	    !sup->heart.unresponsive && now - sup->heart.down_since >= patience) {
		sup->heart.misses = sup->options->health_misses;
		become_unresponsive(sup);
	}
}

/* Full jitter, so that many children of a parent that comes back are not dialled in step. */
static void redial_later(struct obi_supervisor *sup)
{
	uint32_t doublings = sup->heart.failures < 16 ? sup->heart.failures : 16;
	uint32_t most = somebody_waits(sup) ? REDIAL_STARTING_MS : REDIAL_MAX_MS;
	uint32_t ms = (uint32_t)REDIAL_FIRST_MS << doublings;
	sup->heart.failures++;
	judge_silence(sup);
	if (!obi_lifecycle_has_process(sup->machine.phase)) {
		return; /* health says restart, and it is being ended */
	}
	obi_timer_set(sup->setup.loop, &sup->heart.redial,
		      randombytes_uniform((ms < most ? ms : most) + 1));
}

/*
 * A refusal by what this system permits, or by who the child is, will not change: whoever waits is
 * told at once. (Who starts a child has given it its secret; that one is refused may be a
 * stranger's doing.)
 */
static bool give_up(struct obi_supervisor *sup)
{
	bool adopting = obi_lifecycle_is_adopting(sup->machine.phase);
	int code = sup->heart.refused;
	sup->heart.refused = 0;
	if (!(adopting && code != 0) &&
	    !(obi_lifecycle_is_starting(sup->machine.phase) && code == OB_EPERM)) {
		return false;
	}
	obi_supervisor_note(sup, code, "RPC connection failed: %s", sup->link_error);
	obi_supervisor_cause(sup, "%s", sup->link_error);
	obi_machine_raise(&sup->machine, adopting ? OBI_LIFE_ADOPT_FAILED : OBI_LIFE_READY_TIMEOUT);
	return true;
}

static void note_dial(struct obi_supervisor *sup, const struct ob_error *err)
{
	sup->heart.refused = err->code == OB_EAUTH || err->code == OB_EPERM ? err->code : 0;
	snprintf(sup->link_error, sizeof sup->link_error, "%.*s", (int)sizeof sup->link_error - 1,
		 err->text);
	obi_supervisor_changed(sup);
}

static void on_closed(void *user, struct obi_connection *link, const struct ob_error *err)
{
	struct obi_supervisor *sup = user;
	bool was_up = sup->heart.supervising;
	struct ob_error why = *err;
	obi_dial_turn_end(&sup->heart.turn);
	sup->heart.link = NULL;
	sup->heart.supervising = sup->heart.asking_version = false;
	obi_timer_stop(&sup->heart.beat);
	if (was_up) {
		sup->setup.events.link(sup->setup.events.user, NULL);
	}
	obi_connection_free(link);
	note_dial(sup, &why);
	(void)give_up(sup);
	if (obi_lifecycle_has_process(sup->machine.phase)) {
		redial_later(sup);
	}
}

static void on_ending(void *user, struct obi_connection *link)
{
	(void)link;
	obi_supervisor_changed(user);
}

static void dial_now(void *user)
{
	struct obi_supervisor *sup = user;
	struct obi_connection_setup setup = sup->setup.link;
	struct ob_error err = {0};
	sup->heart.dialed_at = obi_now_ms();
	setup.events = (struct obi_connection_events){on_opened, on_closed, NULL, on_ending, sup};
	setup.open_timeout_ms = OPEN_TIMEOUT_MS;
	if (obi_connection_dial(&setup, sup->address, &sup->heart.link, &err) < 0) {
		obi_dial_turn_end(&sup->heart.turn);
		sup->heart.link = NULL;
		/* The machine may be in the middle of a step: what follows from this can wait for
		 * the redial. */
		note_dial(sup, &err);
		redial_later(sup);
		return;
	}
	obi_supervisor_changed(sup);
}

/* When it is our turn among all the children of this runtime. */
static void dial(struct obi_supervisor *sup)
{
	if (obi_dial_limiter_ask(sup->setup.dials, sup->setup.loop, &sup->heart.turn)) {
		dial_now(sup);
	} else {
		obi_supervisor_changed(sup);
	}
}

static bool is_dialing(const struct obi_supervisor *sup)
{
	return sup->heart.link != NULL || obi_dial_turn_is_wanted(&sup->heart.turn);
}

static void on_redial(void *user)
{
	struct obi_supervisor *sup = user;
	if (!is_dialing(sup) && sup->address != NULL && !give_up(sup)) {
		dial(sup);
	}
}

void obi_link_monitor_init(struct obi_supervisor *sup)
{
	sup->heart.redial.fn = on_redial;
	sup->heart.beat.fn = on_beat;
	sup->heart.turn.fn = dial_now;
	sup->heart.redial.user = sup->heart.beat.user = sup->heart.turn.user = sup;
}

void obi_link_monitor_start(struct obi_supervisor *sup)
{
	if (!is_dialing(sup)) {
		sup->heart.failures = 0;
		dial(sup);
	}
}

void obi_link_monitor_stop(struct obi_supervisor *sup)
{
	struct obi_connection *link = sup->heart.link;
	bool was_up = sup->heart.supervising;
	obi_timer_stop(&sup->heart.redial);
	obi_timer_stop(&sup->heart.beat);
	obi_dial_turn_end(&sup->heart.turn);
	sup->heart.link = NULL;
	sup->heart.supervising = sup->heart.judged = sup->heart.unresponsive = sup->heart.waiting =
	    false;
	sup->heart.failures = sup->heart.misses = 0;
	sup->heart.down_since = 0;
	sup->link_error[0] = '\0';
	/* Clients must find the link as long as there are calls of theirs on it. */
	obi_connection_drop(link, OB_ECONNLOST, "the child is gone, or was let go");
	if (was_up) {
		sup->setup.events.link(sup->setup.events.user, NULL);
	}
}

enum ob_link obi_link_monitor_state(const struct obi_supervisor *sup)
{
	if (sup->heart.unresponsive) {
		return OB_LINK_UNRESPONSIVE;
	}
	if (sup->heart.supervising && !obi_connection_is_ending(sup->heart.link)) {
		return OB_LINK_UP;
	}
	return is_dialing(sup) ? OB_LINK_DIALING : OB_LINK_DOWN;
}
