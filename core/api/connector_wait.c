/* SPDX-License-Identifier: MIT */
#include "api/connector_wait.h"

#include <stdlib.h>

#include "api/blocking.h"
#include "api/connector.h"
#include "base/error.h"

struct obi_wait {
	struct obi_wait *next;
	struct ob_connector *connector;
	uint64_t id;
	uint32_t state;
	struct obi_timer timer; /* not used by a blocking wait, which has its own */
	ob_done_fn *done;	/* may be NULL */
	void *user;
	int result; /* these two: once it has ended */
	struct ob_error err;
};

/* ---- What is decided ---- */

/* The states that are left by a request only. */
static const bool is_end[] = {
    [OB_STATE_IDLE] = true,	[OB_STATE_STOPPED] = true, [OB_STATE_FAILED] = true,
    [OB_STATE_DETACHED] = true, [OB_STATE_DONE] = true,
};

static bool never_changes(const struct ob_connector *c, uint32_t now)
{
	return now < sizeof is_end / sizeof is_end[0] && is_end[now] &&
	       !obi_supervisor_has_requests(c->supervisor);
}

static int down(struct ob_connector *c, uint32_t state, struct ob_error *reterr)
{
	char why[256] = "a request was made";
	if (state != OB_STATE_IDLE) {
		obi_supervisor_reason(c->supervisor, why, sizeof why);
	}
	return obi_fail(reterr, OB_EDOWN, 0, "waiting for outboard process %s to be %s: %s",
			c->settings.options.name, ob_state_name(state), why);
}

/* OB_OK: the child is in this state. OB_EDOWN: it will not be. OB_EAGAIN: not known yet. */
static int decide(struct ob_connector *c, uint32_t state, struct ob_error *reterr)
{
	uint32_t now = obi_supervisor_state(c->supervisor);
	if (now == state) {
		return OB_OK;
	}
	return state == OB_STATE_IDLE || never_changes(c, now) ? down(c, state, reterr) : OB_EAGAIN;
}

static int closed(struct ob_error *reterr)
{
	return obi_fail(reterr, OB_ECLOSED, 0, "the connector is closed");
}

/* ---- Ending ---- */

static void finish(struct obi_wait *w)
{
	obi_timer_stop(&w->timer);
	if (w->done != NULL) {
		w->done(w->user, w->result, w->result < 0 ? &w->err : NULL);
	}
	free(w);
}

static struct obi_wait *take_ended(struct obi_waits *waits)
{
	struct obi_wait *w = waits->ended;
	if (w != NULL) {
		waits->ended = w->next;
	}
	return w;
}

/* A callback may begin other waits and close the connector, which is freed later. */
static void report(void *user)
{
	struct ob_connector *c = user;
	struct obi_wait *w;
	while ((w = take_ended(&c->waits)) != NULL) {
		finish(w);
	}
}

/* w is in no list. Its callback may do anything, so it is called from the loop. */
static void end(struct obi_wait *w, int result)
{
	struct ob_connector *c = w->connector;
	struct obi_waits *waits = &c->waits;
	w->result = result;
	w->next = NULL;
	if (waits->ended == NULL) {
		waits->after = &waits->ended;
	}
	*waits->after = w;
	waits->after = &w->next;
	waits->report.fn = report;
	waits->report.user = c;
	obi_task_queue(c->rt->loop, &waits->report);
}

void obi_waits_changed(struct ob_connector *c)
{
	struct obi_wait **at = &c->waits.open;
	while (*at != NULL) {
		struct obi_wait *w = *at;
		int r = decide(c, w->state, &w->err);
		if (r == OB_EAGAIN) {
			at = &w->next;
		} else {
			*at = w->next;
			end(w, r);
		}
	}
}

void obi_waits_close(struct ob_connector *c)
{
	c->waits.closed = true;
	while (c->waits.open != NULL) {
		struct obi_wait *w = c->waits.open;
		c->waits.open = w->next;
		end(w, closed(&w->err));
	}
}

void obi_waits_free(struct ob_connector *c)
{
	obi_waits_close(c);
	obi_task_stop(&c->waits.report);
	report(c);
}

static void abort_wait(struct ob_connector *c, uint64_t id, int code)
{
	struct obi_wait **at = &c->waits.open;
	while (*at != NULL && (*at)->id != id) {
		at = &(*at)->next;
	}
	struct obi_wait *w = *at;
	if (w == NULL) {
		return; /* it has ended, and is about to be reported */
	}
	*at = w->next;
	end(w,
	    obi_fail(&w->err, code, 0,
		     code == OB_ETIMEDOUT ? "timeout waiting for outboard process %s to be %s"
					  : "waiting for outboard process %s to be %s was canceled",
		     c->settings.options.name, ob_state_name(w->state)));
}

static void on_timer(void *user)
{
	struct obi_wait *w = user;
	abort_wait(w->connector, w->id, OB_ETIMEDOUT);
}

/* ---- Beginning ---- */

/* Whether there can be a wait at all. */
static int check(const struct ob_connector *c, uint32_t state, struct ob_error *reterr)
{
	if (strcmp(ob_state_name(state), "?") == 0) {
		return obi_fail(reterr, OB_EINVAL, 0, "%u is not a state", state);
	}
	return c->waits.closed ? closed(reterr) : OB_OK;
}

static int begin(struct ob_connector *c, uint32_t state, ob_done_fn *done, void *user,
		 struct obi_wait **ret, struct ob_error *reterr)
{
	struct obi_wait *w = calloc(1, sizeof *w);
	if (w == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	w->connector = c;
	w->id = ++c->waits.last_id;
	w->state = state;
	w->done = done;
	w->user = user;
	int r = decide(c, state, &w->err);
	if (r == OB_EAGAIN) {
		w->next = c->waits.open;
		c->waits.open = w;
	} else {
		end(w, r);
	}
	*ret = w;
	return r;
}

int ob_connector_wait_async(ob_connector *c, uint32_t state, int64_t timeout_ms, ob_done_fn *done,
			    void *user, struct ob_error *reterr)
{
	struct obi_wait *w = NULL;
	obi_enter(c->rt);
	int r = check(c, state, reterr);
	r = r == OB_OK ? begin(c, state, done, user, &w, reterr) : r;
	if (r == OB_EAGAIN && timeout_ms > 0) {
		w->timer.fn = on_timer;
		w->timer.user = w;
		obi_timer_set(c->rt->loop, &w->timer, timeout_ms);
	}
	obi_leave(c->rt);
	return r == OB_EAGAIN || r == OB_EDOWN ? OB_OK : r;
}

struct blocking_wait {
	struct obi_blocking blocking;
	struct ob_connector *connector;
	uint32_t state;
	uint64_t id;
};

static int begin_blocking(void *user, struct ob_error *reterr)
{
	struct blocking_wait *b = user;
	struct ob_connector *c = b->connector;
	struct obi_wait *w = NULL;
	int r = check(c, b->state, reterr);
	r = r == OB_OK ? decide(c, b->state, reterr) : r;
	if (r == OB_OK) {
		obi_blocking_done(&b->blocking, OB_OK, NULL);
	} else if (r == OB_EAGAIN) {
		r = begin(c, b->state, obi_blocking_done, &b->blocking, &w, reterr);
		b->id = r == OB_EAGAIN ? w->id : 0;
		r = r == OB_EAGAIN ? OB_OK : r;
	}
	return r;
}

static void abort_blocking(void *user, int code)
{
	struct blocking_wait *b = user;
	abort_wait(b->connector, b->id, code);
}

int ob_connector_wait(ob_connector *c, uint32_t state, int64_t timeout_ms, ob_cancel *cancel,
		      struct ob_error *reterr)
{
	struct blocking_wait b = {
	    .blocking = {.rt = c->rt,
			 .begin = begin_blocking,
			 .abort = abort_blocking,
			 .user = &b,
			 .timeout_ms = timeout_ms == 0 ? -1 : timeout_ms,
			 .cancel = cancel},
	    .connector = c,
	    .state = state,
	};
	return obi_block(&b.blocking, reterr); /* another thread may have freed c meanwhile */
}
