/* SPDX-License-Identifier: MIT */
#include "cli/run/order.h"

#include <string.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "cli/run/edges.h"

/* Two that end within this time have one cause: of a container, what is in it ends first. */
enum { TOGETHER_MS = 2000 };

/* A stop, from the request to its end. */
struct obi_order_stop {
	struct obi_order_stop *next; /* of those that wait */
	struct obi_member *member;   /* a reference */
	ob_done_fn *done;
	void *user;
};

/* ---- States ---- */

static uint32_t state_of(const struct obi_member *member)
{
	struct ob_status status = {.size = sizeof status, .state = OB_STATE_STOPPED};
	if (member->connector != NULL) {
		ob_connector_status(member->connector, &status);
	}
	return status.state;
}

/* Nothing of it runs, nor will without a request. */
static bool rests(const struct obi_member *member)
{
	uint32_t state = state_of(member);
	return !member->begun &&
	       (state == OB_STATE_IDLE || state == OB_STATE_STOPPED || state == OB_STATE_FAILED ||
		state == OB_STATE_DETACHED || state == OB_STATE_DONE);
}

/* A job that is done is enough for what comes after it, but nothing can be within it. */
static bool is_ready(const struct obi_edge *edge)
{
	uint32_t state = state_of(edge->host);
	return !edge->host->begun && edge->host->stopping == 0 &&
	       (state == OB_STATE_READY || (state == OB_STATE_DONE && !edge->within));
}

/* The first one that is not ready; NULL: none. */
static const struct obi_member *obstacle_of(const struct obi_member *member)
{
	const struct obi_edge *edge = member->after;
	while (edge != NULL && is_ready(edge)) {
		edge = edge->next_after;
	}
	return edge != NULL ? edge->host : NULL;
}

bool obi_order_must_wait(const struct obi_member *member)
{
	return obstacle_of(member) != NULL;
}

void obi_order_reason(const struct obi_member *member, char *text, size_t size)
{
	const struct obi_member *host = obstacle_of(member);
	if (member->blocked || host == NULL) {
		snprintf(text, size, "waits for the end of an earlier child");
		return;
	}
	const char *state = host->begun ? "starting" : ob_state_name(state_of(host));
	snprintf(text, size, "waits for %s, which is %s", host->options->name,
		 host->held	      ? "blocked"
		 : host->stopping > 0 ? "stopping"
				      : state);
}

static bool waits_in_vain(const struct obi_member *member, uint64_t visit)
{
	bool found = false;
	for (const struct obi_edge *e = member->after; !found && e != NULL; e = e->next_after) {
		struct obi_member *host = e->host;
		if (host->visit != visit && host->held) {
			host->visit = visit;
			found = waits_in_vain(host, visit);
		} else if (!host->held) {
			found = !is_ready(e) && rests(host) && host->stopping == 0;
		}
	}
	return found;
}

bool obi_order_waits_in_vain(const struct obi_member *member)
{
	return !member->blocked && waits_in_vain(member, ++member->members->visits);
}

bool obi_order_is_running(const struct obi_member *member)
{
	const struct ob_connector_options *o = member->options;
	struct ob_status status = {.size = sizeof status};
	return member->after != NULL &&
	       ob_child_status(NULL, o->data_path, o->state_path, NULL, &status, NULL, NULL) ==
		   OB_OK &&
	       status.pid != 0;
}

/* ---- Those that are held ---- */

static void begin_held(struct obi_member *member)
{
	struct ob_error err;
	if (member->held && !member->blocked && !obi_order_must_wait(member)) {
		(void)obi_member_begin(member, &err);
	}
}

static void begin_followers(struct obi_member *member)
{
	for (struct obi_edge *e = member->followers; e != NULL; e = e->next_follower) {
		begin_held(e->member);
	}
}

/* ---- Stopping ---- */

static bool has_open_follower(const struct obi_member *member)
{
	const struct obi_edge *edge = member->followers;
	while (edge != NULL && (edge->member->stopping == 0 || rests(edge->member))) {
		edge = edge->next_follower;
	}
	return edge != NULL;
}

static void on_stopped(void *user, int result, const struct ob_error *err);

static void issue(struct obi_order_stop *stop)
{
	struct ob_error err;
	if (ob_connector_stop_async(stop->member->connector, on_stopped, stop, &err) < 0) {
		on_stopped(stop, err.code, &err);
	}
}

static void issue_all(struct obi_member *member)
{
	struct obi_order_stop *stop;
	while ((stop = member->stops) != NULL) {
		member->stops = stop->next;
		issue(stop);
	}
}

/* Its stops may have waited for a follower. */
static void issue_if_due(struct obi_member *member)
{
	if (member->stops != NULL && !has_open_follower(member)) {
		issue_all(member);
	}
}

static void has_stopped(struct obi_member *member)
{
	for (struct obi_edge *e = member->after, *next; e != NULL; e = next) {
		next = e->next_after;
		issue_if_due(e->host);
	}
}

static void on_stopped(void *user, int result, const struct ob_error *err)
{
	struct obi_order_stop *stop = user;
	struct obi_member *member = stop->member;
	stop->done(stop->user, result, err);
	free(stop);
	has_stopped(member);
	if (result < 0) {
		begin_followers(member); /* it may run on */
	}
	obi_member_unref(member);
}

/* It was stopped, or killed, because of one that it is after. */
static void on_lowered(void *user, int result, const struct ob_error *err)
{
	struct obi_member *member = user;
	struct ob_error failure;
	member->stopping--;
	if (result < 0) {
		obi_run_log(member->members->log, member->options->name, OB_LOG_ERROR,
			    "cannot be stopped", "{s:s}", "cause", err->text);
	} else if (member->again && member->stopping == 0 && !member->held && !member->left &&
		   !member->members->ending && rests(member)) {
		member->again = false;
		(void)obi_member_begin(member, &failure);
	}
	obi_member_unref(member);
}

/* Stop it; begin it when nobody else stops it. */
static void stop_and_begin(struct obi_member *member)
{
	struct ob_error err;
	member->again = true;
	member->stopping++;
	obi_member_ref(member);
	if (obi_order_stop(member, on_lowered, member, &err) < 0) {
		on_lowered(member, err.code, &err);
	}
}

static void lower(struct obi_member *member, const struct obi_member *host)
{
	obi_run_log(member->members->log, member->options->name, OB_LOG_INFO,
		    "stopping, since it is after one that stops", "{s:s}", "after",
		    host->options->name);
	stop_and_begin(member);
}

static void add_stop(struct obi_member *member, struct obi_order_stop *stop)
{
	struct obi_order_stop **slot = &member->stops;
	while (*slot != NULL) {
		slot = &(*slot)->next;
	}
	*slot = stop;
}

int obi_order_stop(struct obi_member *member, ob_done_fn *done, void *user, struct ob_error *reterr)
{
	struct obi_order_stop *stop = malloc(sizeof *stop);
	if (stop == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	*stop =
	    (struct obi_order_stop){.member = obi_member_ref(member), .done = done, .user = user};
	for (struct obi_edge *e = member->followers; e != NULL; e = e->next_follower) {
		if (e->member->stopping == 0 && !rests(e->member)) {
			lower(e->member, member);
		}
	}
	if (has_open_follower(member) && !member->members->hurried) {
		add_stop(member, stop);
		return OB_OK;
	}
	int r = ob_connector_stop_async(member->connector, on_stopped, stop, reterr);
	if (r < 0) { /* the caller is told, and not called back */
		free(stop);
		obi_member_unref(member);
	}
	return r;
}

void obi_order_hurry(struct obi_members *members)
{
	members->hurried = true;
	for (uint32_t i = 0; i < members->count; i++) {
		issue_all(members->list[i]);
	}
	for (struct obi_member *m = members->leaving, *next; m != NULL; m = next) {
		next = m->next_leaving;
		issue_all(m);
	}
}

void obi_order_close(struct obi_member *member)
{
	struct ob_error err = {0};
	struct obi_order_stop *stop;
	obi_fail(&err, OB_ECLOSED, 0, "the connector was closed");
	while (member->followers != NULL) {
		obi_edge_remove(member->followers);
	}
	while (member->after != NULL) {
		struct obi_member *host = obi_member_ref(member->after->host);
		obi_edge_remove(member->after);
		issue_if_due(host);
		obi_member_unref(host);
	}
	while ((stop = member->stops) != NULL) {
		member->stops = stop->next;
		on_stopped(stop, err.code, &err);
	}
}

/* ---- Starting ---- */

void obi_order_changed(struct obi_members *members)
{
	for (uint32_t i = 0; i < members->count; i++) {
		begin_held(members->list[i]);
		issue_if_due(members->list[i]);
	}
	for (struct obi_member *m = members->leaving, *next; m != NULL; m = next) {
		next = m->next_leaving;
		issue_if_due(m);
	}
}

static void begin_hosts(struct obi_member *member, uint64_t visit)
{
	struct ob_error err;
	for (struct obi_edge *e = member->after; e != NULL; e = e->next_after) {
		struct obi_member *host = e->host;
		if (host->visit == visit) {
			continue;
		}
		host->visit = visit;
		begin_hosts(host, visit);
		if (host->stopping > 0) {
			stop_and_begin(host);
		} else if (state_of(host) == OB_STATE_BACKOFF) {
			obi_member_restart(host); /* now, not after the delay */
		} else if (!host->held && rests(host) && !is_ready(e)) {
			(void)obi_member_begin(host, &err);
		}
	}
}

void obi_order_begin_hosts(struct obi_member *member)
{
	begin_hosts(member, ++member->members->visits);
}

/* ---- Within ---- */

/* Kill it, without waiting for what is after it. */
static void kill_inner(struct obi_member *member, const struct obi_member *host)
{
	struct ob_error err;
	if (member->stopping > 0) {
		issue_all(member);
		ob_connector_hurry(member->connector);
		return;
	}
	member->again = true;
	member->stopping++;
	obi_member_ref(member);
	obi_run_log(member->members->log, member->options->name, OB_LOG_WARN,
		    "killed, since what it is within has ended", "{s:s}", "within",
		    host->options->name);
	if (ob_connector_stop_async(member->connector, on_lowered, member, &err) < 0) {
		on_lowered(member, err.code, &err);
	} else {
		ob_connector_hurry(member->connector);
	}
}

/* What it is within has ended, or is another one now. */
static void lose_host(struct obi_member *member, const struct obi_member *host)
{
	struct ob_error err;
	bool together = member->exited_ms != 0 && obi_now_ms() - member->exited_ms <= TOGETHER_MS;
	uint32_t state = state_of(member);
	if (state == OB_STATE_FAILED && together && member->stopping == 0) {
		(void)obi_member_begin(member, &err);
	} else if (!rests(member)) {
		if (state == OB_STATE_BACKOFF && together) {
			(void)ob_connector_uncount(member->connector);
		}
		kill_inner(member, host);
	}
}

static void lose_inner(struct obi_member *host)
{
	for (struct obi_edge *e = host->followers; e != NULL; e = e->next_follower) {
		if (e->within) {
			lose_host(e->member, host);
		}
	}
}

/* ---- Events ---- */

/* The cause that the place of a child behind an agent gives. */
static bool went_with_agent(const struct obi_member *member, const char *cause)
{
	const char *via = obi_member_order(member)->via;
	size_t len = via != NULL ? strlen(via) : 0;
	return len > 0 && strncmp(cause, via, len) == 0 && strcmp(cause + len, " is gone") == 0;
}

/* Its restart policy would start it without those that it is after. One that died before it could
 * be killed with what it is within is not counted. */
static void hold_restart(struct obi_member *member, const char *cause)
{
	if ((member->again && member->stopping > 0) || went_with_agent(member, cause)) {
		(void)ob_connector_uncount(member->connector);
	}
	if (member->stopping == 0 && !member->members->ending && !member->left &&
	    obi_order_must_wait(member)) {
		obi_member_restart(member);
	}
}

void obi_order_event(struct obi_member *member, const struct ob_event *event)
{
	switch (event->type) {
	case OB_EVENT_READY:
	case OB_EVENT_ADOPTED:
		begin_followers(member);
		break;
	case OB_EVENT_DONE:
		begin_followers(member);
		has_stopped(member);
		break;
	case OB_EVENT_EXITED:
		member->exited_ms = event->expected ? 0 : obi_now_ms();
		lose_inner(member);
		break;
	case OB_EVENT_STARTING:
	case OB_EVENT_REPLACED:
		lose_inner(member);
		break;
	case OB_EVENT_STOPPED:
	case OB_EVENT_FAILED:
	case OB_EVENT_DETACHED:
		has_stopped(member);
		break;
	case OB_EVENT_RESTARTING:
		hold_restart(member, event->cause);
		break;
	default:
		break;
	}
}
