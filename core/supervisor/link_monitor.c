/* SPDX-License-Identifier: MIT */
#include "supervisor/link_monitor.h"

#include <sodium.h>
#include <stdio.h>

#include "base/text.h"
#include "base/clock.h"
#include "base/error.h"
#include "supervisor/attach.h"
#include "supervisor/link_losses.h"

enum {
	REDIAL_FIRST_MS = 10,	 /* doubled with each failure, */
	REDIAL_AWAITED_MS = 250, /* up to this while a request waits for the child, */
	REDIAL_MAX_MS = 5000,	 /* and up to this otherwise */
	OPEN_TIMEOUT_MS = 5000,
	LATE_MS = 1000, /* a dial that takes so much longer was interrupted: we were stopped */
	ASK_TIMEOUT_MS = 10000,
	ASK_AGAIN_MS = 100 /* after the queue was full */
};

static bool is_started(const struct obi_link_monitor *m)
{
	return m->address != NULL;
}

static void changed(struct obi_link_monitor *m)
{
	m->setup.events.changed(m->setup.events.user);
}

static void judge_good(struct obi_link_monitor *m)
{
	if (!m->judged) {
		m->judged = m->told = true;
		m->setup.events.good(m->setup.events.user);
	}
}

static void report(struct obi_link_monitor *m, enum ob_event_type type, const char *why)
{
	m->setup.events.report(m->setup.events.user, type, why);
}

/* ---- Questions and answers ---- */

static int ask(struct obi_link_monitor *m, const char *method, const struct ob_value *params,
	       int64_t timeout_ms, ob_reply_fn *fn, struct ob_error *reterr)
{
	int64_t deadline = timeout_ms < 0 ? INT64_MAX : obi_now_ms() + timeout_ms;
	return obi_connection_call(m->link, ob_bytes_text(method), params, deadline, fn, m, NULL,
				   reterr);
}

/*
 * Ask what must be answered before the link is of use. If it cannot be asked, another connection
 * may help; unless the queue is full, because calls of the user are in flight: these are not
 * broken, and `again` is called later.
 */
static void must_ask(struct obi_link_monitor *m, const char *method, const struct ob_value *params,
		     ob_reply_fn *fn, void (*again)(struct obi_link_monitor *))
{
	struct ob_error err = {0};
	char why[sizeof err.text + 64];
	int r = m->link != NULL ? ask(m, method, params, ASK_TIMEOUT_MS, fn, &err) : OB_OK;
	if (r == OB_EAGAIN && again != NULL) {
		m->question = again;
		obi_timer_set(m->setup.loop, &m->redial, ASK_AGAIN_MS);
	} else if (r < 0) {
		snprintf(why, sizeof why, "%s could not be sent: %s", method, err.text);
		obi_connection_close(m->link, r, why);
	}
}

static void __attribute__((format(printf, 3, 4)))
fail(struct obi_link_monitor *m, int code, const char *format, ...)
{
	struct ob_error err;
	va_list args;
	va_start(args, format);
	obi_failv(&err, code, 0, format, args);
	va_end(args);
	m->setup.events.failed(m->setup.events.user, &err);
}

static void note_health(struct obi_link_monitor *m, const struct ob_value *value)
{
	struct ob_bytes why = {NULL, 0};
	bool healthy;
	if (!ob_get_bool(ob_value_find(value, "healthy"), &healthy)) {
		return;
	}
	bool was_bad = m->healthy == 0;
	m->healthy = healthy;
	changed(m);
	if (!healthy && !was_bad) {
		char text[256];
		ob_get_string(ob_value_find(value, "last_error"), &why);
		snprintf(text, sizeof text, "not healthy: %.*s",
			 (int)(why.len < 200 ? why.len : 200), why.data);
		obi_text_clean(text);
		m->setup.events.unwell(m->setup.events.user, OB_EVENT_UNHEALTHY, text);
	}
}

static enum obi_run_change identify(struct obi_link_monitor *m, const struct obi_child_run *run,
				    char why[128])
{
	enum obi_run_change change =
	    m->run_due ? obi_child_run_compare(&m->run, run, why) : OBI_RUN_SAME;
	m->run_due = false;
	m->run = *run;
	m->setup.events.identified(m->setup.events.user, &m->run);
	return change;
}

/* An answer of health. first: one of the first questions to a process. The value is read before any
 * event, which may close the connection that it came on. */
static void take_health(struct obi_link_monitor *m, const struct ob_value *value, bool first)
{
	enum obi_run_change change = OBI_RUN_SAME;
	struct obi_child_run run;
	char why[128];
	bool is_named = obi_child_run_read(value, &run);
	if (value != NULL) {
		note_health(m, value);
	}
	if (is_named && is_started(m)) {
		change = identify(m, &run, why);
	}
	if (first && is_started(m)) {
		judge_good(m);
	}
	if (change != OBI_RUN_SAME && is_started(m)) {
		report(m, change == OBI_RUN_REPLACED ? OB_EVENT_REPLACED : OB_EVENT_REWOUND, why);
	}
}

/* A child without the control interface does not tell its health. */
static void on_health(void *user, int code, const struct ob_value *value,
		      const struct ob_error *err)
{
	(void)err;
	if (code == OB_OK) {
		take_health(user, value, false);
	}
}

static void on_first_health(void *user, int code, const struct ob_value *value,
			    const struct ob_error *err)
{
	struct obi_link_monitor *m = user;
	if (code == OB_OK || code == OB_EREMOTE) {
		take_health(m, code == OB_OK ? value : NULL, true);
	} else if (code != OB_ECONNLOST && code != OB_ECLOSED) {
		fail(m, code, "health check failed: %s", err->text);
		obi_connection_close(m->link, code, "health check failed");
	}
}

/* On each connection, since another process may answer. A child that was ready need not answer. */
static void ask_first_health(struct obi_link_monitor *m)
{
	must_ask(m, "outboard-control.health", NULL, m->judged ? on_health : on_first_health,
		 ask_first_health);
}

static void on_version(void *user, int code, const struct ob_value *value,
		       const struct ob_error *err)
{
	struct obi_link_monitor *m = user;
	uint64_t version = 0;
	bool restart = false;
	(void)err;
	if (code == OB_OK) {
		(void)ob_get_bool(ob_value_find(value, "needs_restart"), &restart);
		if (ob_get_uint(ob_value_find(value, "current_version"), &version)) {
			m->setup.events.version(m->setup.events.user, version);
		}
	}
	if (restart) {
		m->setup.events.outdated(m->setup.events.user, version, m->judged);
	} else if (code == OB_OK || code == OB_EREMOTE) {
		ask_first_health(m);
	} else if (code == OB_ETIMEDOUT) {
		/* The next connection asks again. */
		obi_connection_close(m->link, code, "no answer to checkVersion");
	}
}

static void ask_version(struct obi_link_monitor *m)
{
	/* One that is too old ends itself, which nobody asks of a child that others start. */
	bool attached = obi_is_attached(m->setup.options);
	struct ob_value items[1] = {ob_uint(attached ? 0 : m->setup.options->version)};
	struct ob_value params = ob_array(items, 1);
	must_ask(m, "outboard-control.checkVersion", &params, on_version, ask_version);
}

/* ---- Heartbeats ---- */

static void arm_beat(struct obi_link_monitor *m)
{
	if (m->setup.options->health_interval_ms > 0) {
		obi_timer_set(m->setup.loop, &m->beat, m->setup.options->health_interval_ms);
	}
}

static void on_pong(void *user, int code, const struct ob_value *value, const struct ob_error *err)
{
	struct obi_link_monitor *m = user;
	(void)value;
	(void)err;
	if (code != OB_OK && code != OB_EREMOTE) {
		return;
	}
	m->waiting = false;
	m->misses = 0;
	if (m->unresponsive) {
		m->unresponsive = false;
		changed(m);
	}
}

/* Over a network, silence may mean that the connection is dead: a new one helps. A local
 * connection cannot die in that way. */
static void become_unresponsive(struct obi_link_monitor *m)
{
	char why[128];
	snprintf(why, sizeof why, "no answer to %u heartbeats", m->misses);
	m->unresponsive = true;
	m->setup.events.unwell(m->setup.events.user, OB_EVENT_UNRESPONSIVE, why);
	if (!m->setup.local && m->link != NULL) {
		obi_connection_close(m->link, OB_ETIMEDOUT, why);
	}
}

/*
 * A timer that is late by more than its interval shows that this process was not running (stopped,
 * or the machine was suspended). Then the silence is not the child's, and it is asked again.
 */
static void on_beat(void *user)
{
	struct obi_link_monitor *m = user;
	const struct ob_connector_options *o = m->setup.options;
	int64_t late = obi_now_ms() - m->beat.at;
	if (m->link == NULL || !m->supervising) {
		return;
	}
	arm_beat(m);
	if (obi_connection_renew_keys(m->link)) {
		return;
	}
	if (m->waiting && late < o->health_interval_ms) {
		m->misses++;
	}
	if (m->misses >= o->health_misses && !m->unresponsive) {
		become_unresponsive(m);
		return;
	}
	int64_t patience = o->health_interval_ms * o->health_misses;
	m->waiting = true;
	(void)ask(m, "outboard.ping", NULL, patience, on_pong, NULL);
	(void)ask(m, "outboard-control.health", NULL, patience, on_health, NULL);
}

/* ---- Connecting ---- */

/* The child has accepted us, and the first questions are on their way, unless they could not be
 * sent. */
static void become_up(struct obi_link_monitor *m)
{
	if (m->link == NULL || obi_connection_is_ending(m->link)) {
		return;
	}
	m->supervising = true;
	m->failures = m->misses = 0;
	m->waiting = m->unresponsive = false;
	m->down_since = 0;
	m->up_at = obi_now_ms();
	obi_kept_text_clear(&m->error);
	m->setup.events.link(m->setup.events.user, m->link);
	if (m->supervising) {
		obi_link_losses_over(m);
	}
	if (m->supervising) {
		arm_beat(m);
		changed(m);
	}
}

static void on_supervised(void *user, int code, const struct ob_value *value,
			  const struct ob_error *err)
{
	struct obi_link_monitor *m = user;
	(void)value;
	if (code == OB_ECONNLOST || code == OB_ECLOSED) {
		return;
	}
	if (code != OB_OK) {
		fail(m, code, "connecting to outboard-control: %s", err->text);
		obi_connection_close(m->link, code, "the child refused this process as its parent");
		return;
	}
	m->run_due = true;
	/* Asked first: the user's calls may fill the queue. */
	if (m->setup.options->version > 0 || obi_is_attached(m->setup.options)) {
		ask_version(m);
	} else {
		ask_first_health(m);
	}
	become_up(m);
}

static void on_opened(void *user, struct obi_connection *link)
{
	struct obi_link_monitor *m = user;
	struct ob_value items[1] = {ob_string(m->instance)};
	struct ob_value params = ob_array(items, 1);
	(void)link;
	obi_dial_turn_end(&m->turn);
	must_ask(m, "outboard.supervise", &params, on_supervised, NULL);
}

/* A live child that cannot be reached is as silent as one that does not answer. */
static void judge_silence(struct obi_link_monitor *m)
{
	const struct ob_connector_options *o = m->setup.options;
	int64_t patience = o->health_interval_ms * o->health_misses;
	int64_t now = obi_now_ms();
	if (m->down_since == 0 || now - m->dialed_at > OPEN_TIMEOUT_MS + LATE_MS) {
		m->down_since = now; /* the next dial is to decide */
	}
	if (!m->awaited && o->health_interval_ms > 0 && !m->unresponsive &&
	    now - m->down_since >= patience) {
		m->misses = o->health_misses;
		become_unresponsive(m);
	}
}

/* With full jitter, so that the children of a parent that restarts are not dialled in step. */
static void redial_later(struct obi_link_monitor *m)
{
	uint32_t doublings = m->failures < 16 ? m->failures : 16;
	uint32_t most = m->awaited ? REDIAL_AWAITED_MS : REDIAL_MAX_MS;
	uint32_t ms = (uint32_t)REDIAL_FIRST_MS << doublings;
	m->failures++;
	judge_silence(m);
	if (is_started(m)) {
		obi_timer_set(m->setup.loop, &m->redial,
			      randombytes_uniform((ms < most ? ms : most) + 1));
	}
}

static void dial_failed(struct obi_link_monitor *m, const struct ob_error *err)
{
	obi_kept_text_set(&m->error, err->text);
	changed(m);
	if (err->code == OB_EAUTH || err->code == OB_EPERM) {
		m->setup.events.refused(m->setup.events.user, err);
	}
	if (is_started(m)) {
		redial_later(m);
	}
}

static void on_closed(void *user, struct obi_connection *link, const struct ob_error *err)
{
	struct obi_link_monitor *m = user;
	bool was_up = m->supervising;
	struct ob_error why = *err;
	obi_dial_turn_end(&m->turn);
	m->link = NULL;
	m->supervising = m->run_due = false;
	m->question = NULL;
	obi_timer_stop(&m->beat);
	if (was_up) {
		obi_link_losses_note(m, &why);
		m->setup.events.link(m->setup.events.user, NULL);
	}
	obi_connection_free(link);
	dial_failed(m, &why);
}

static void on_ending(void *user, struct obi_connection *link)
{
	struct obi_link_monitor *m = user;
	(void)link;
	m->renewing = true;
	changed(m);
}

static void dial_now(void *user)
{
	struct obi_link_monitor *m = user;
	struct obi_connection_setup setup = m->setup.connection;
	struct ob_error err = {0};
	m->dialed_at = obi_now_ms();
	setup.events = (struct obi_connection_events){on_opened, on_closed, NULL, on_ending, m};
	setup.open_timeout_ms = OPEN_TIMEOUT_MS;
	int r = m->setup.events.dialing != NULL
		    ? m->setup.events.dialing(m->setup.events.user, &err)
		    : OB_OK;
	if (r < 0 || obi_connection_dial(&setup, m->address, &m->link, &err) < 0) {
		obi_dial_turn_end(&m->turn);
		m->link = NULL;
		dial_failed(m, &err);
		return;
	}
	changed(m);
}

/* A dial without an answer, while other children wait to be dialled. */
static void on_overdue(void *user)
{
	struct obi_link_monitor *m = user;
	if (m->link != NULL) {
		obi_connection_close(
		    m->link, OB_ETIMEDOUT,
		    "not connected in time, and connections to other children are waiting");
	}
}

/* Dial when this runtime has a turn for it. A child that dials itself is waited for. */
static void dial(struct obi_link_monitor *m)
{
	if (m->home != NULL) {
		m->dialed_at = obi_now_ms();
		redial_later(m); /* judges the silence */
		changed(m);
	} else if (obi_dial_limiter_ask(m->setup.dials, m->setup.loop, &m->turn)) {
		dial_now(m);
	} else {
		changed(m);
	}
}

static bool is_dialing(const struct obi_link_monitor *m)
{
	return m->link != NULL || obi_dial_turn_is_wanted(&m->turn);
}

static void on_redial(void *user)
{
	struct obi_link_monitor *m = user;
	void (*question)(struct obi_link_monitor *) = m->question;
	m->question = NULL;
	if (question != NULL && m->supervising) {
		question(m);
	} else if (!is_dialing(m)) {
		dial(m);
	}
}

/* From here on a connection by the child is as one that was dialled. */
void obi_link_monitor_take(struct obi_link_monitor *m, struct obi_connection *connection)
{
	const struct obi_connection_events events = {on_opened, on_closed, NULL, on_ending, m};
	if (m->link != NULL) {
		obi_connection_close(m->link, OB_ECONNLOST,
				     "replaced by a newer connection of the same process");
	}
	obi_connection_hand_over(connection, &events, &m->setup.connection.handler);
	if (!is_started(m) || m->link != NULL) {
		obi_connection_free(connection);
		return;
	}
	obi_timer_stop(&m->redial);
	m->link = connection;
	on_opened(m, connection);
}

/* ---- Life ---- */

void obi_link_monitor_init(struct obi_link_monitor *m, const struct obi_link_monitor_setup *setup)
{
	*m = (struct obi_link_monitor){.setup = *setup, .awaited = true, .healthy = -1};
	m->redial.fn = on_redial;
	m->beat.fn = on_beat;
	m->turn.fn = dial_now;
	m->turn.overdue = on_overdue;
	m->redial.user = m->beat.user = m->turn.user = m;
	obi_link_losses_init(m);
}

void obi_link_monitor_start(struct obi_link_monitor *m, const char *address, const char *instance,
			    const struct obi_child_run *run)
{
	m->address = address;
	m->instance = instance;
	m->run = *run;
	m->judged = m->setup.options->ready == OB_READY_NONE; /* being alive was enough */
	m->failures = m->short_lives = 0;
	m->turn.silent = 0; /* another process may answer */
	if (m->home != NULL) {
		char text[256];
		snprintf(text, sizeof text, "the child has not dialled %.200s yet", address);
		obi_kept_text_set(&m->error, text);
	}
	dial(m);
}

void obi_link_monitor_stop(struct obi_link_monitor *m)
{
	struct obi_connection *link = m->link;
	bool was_up = m->supervising;
	obi_timer_stop(&m->redial);
	obi_timer_stop(&m->beat);
	obi_timer_stop(&m->patience);
	obi_dial_turn_end(&m->turn);
	m->address = m->instance = NULL;
	m->link = NULL;
	m->supervising = m->judged = m->unresponsive = m->waiting = false;
	m->told = m->lost = m->renewing = m->run_due = false;
	m->lost_at = 0;
	m->question = NULL;
	m->failures = m->misses = 0;
	m->healthy = -1;
	m->down_since = 0;
	m->caller[0] = '\0';
	obi_kept_text_clear(&m->error);
	obi_kept_text_clear(&m->lost_error);
	obi_kept_text_clear(&m->shutdown_error);
	obi_home_close(m->home);
	m->home = NULL;
	/* `link` comes last: until then clients find the connection that their calls are on. */
	obi_connection_drop(link, OB_ECONNLOST, "the child has ended or was detached");
	if (was_up) {
		m->setup.events.link(m->setup.events.user, NULL);
	}
}

void obi_link_monitor_set_awaited(struct obi_link_monitor *m, bool awaited)
{
	m->awaited = awaited;
}

static void on_shutdown(void *user, int code, const struct ob_value *value,
			const struct ob_error *err)
{
	struct obi_link_monitor *m = user;
	(void)value;
	m->shutdown_agreed = code == OB_OK;
	if (code != OB_OK && code != OB_ECONNLOST && code != OB_ECLOSED) {
		obi_kept_text_set(&m->shutdown_error, err->text);
		m->setup.events.shutdown_refused(m->setup.events.user, err);
	}
}

bool obi_link_monitor_shutdown(struct obi_link_monitor *m)
{
	m->shutdown_agreed = false;
	obi_kept_text_clear(&m->shutdown_error);
	return m->supervising &&
	       ask(m, "outboard-control.shutdown", NULL, -1, on_shutdown, NULL) == OB_OK;
}

enum ob_link obi_link_monitor_state(const struct obi_link_monitor *m)
{
	if (m->unresponsive) {
		return OB_LINK_UNRESPONSIVE;
	}
	if (m->supervising && !obi_connection_is_ending(m->link)) {
		return OB_LINK_UP;
	}
	return is_dialing(m) ? OB_LINK_DIALING : OB_LINK_DOWN;
}
