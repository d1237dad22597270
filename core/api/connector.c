/* SPDX-License-Identifier: MIT */
#include "api/connector.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/blocking.h"
#include "api/connector_endpoint.h"
#include "api/dial_home.h"
#include "api/connector_place.h"
#include "api/connector_via.h"
#include "base/error.h"

enum { CLOSE_TIMEOUT_MS = 15000 };

/* ---- Events of the supervisor, on the thread of the loop ---- */

static void on_event(void *user, const struct ob_event *event)
{
	struct ob_connector *c = user;
	if (c->settings.options.on_event != NULL) {
		c->settings.options.on_event(c->settings.options.user_data, event);
	}
	obi_via_event(c, event);
}

static void on_log(void *user, const struct ob_log_record *record)
{
	struct ob_connector *c = user;
	c->settings.options.on_log(c->settings.options.user_data, record);
}

static void on_connection(void *user, struct obi_connection *connection)
{
	struct ob_connector *c = user;
	obi_peer_set_connection(c->peer, connection);
	obi_via_link(c, connection != NULL);
}

static int on_token(void *user, const char *token, uint32_t uid, struct ob_error *reterr)
{
	struct ob_connector *c = user;
	c->endpoint.auth.allowed_uid = uid != UINT32_MAX ? uid : c->settings.child_uid;
	return obi_endpoint_set_token(&c->endpoint, token, reterr);
}

/* Keep a copy of the status that other threads can read without waiting for the loop. */
static void on_changed(void *user)
{
	struct ob_connector *c = user;
	struct ob_status now;
	if (c->supervisor == NULL) {
		return;
	}
	obi_supervisor_status(c->supervisor, &now);
	pthread_mutex_lock(&c->status_lock);
	c->status = now;
	c->status_at = obi_now_ms();
	pthread_mutex_unlock(&c->status_lock);
	atomic_store(&c->pid, now.pid);
	obi_waits_changed(c);
	obi_via_changed(c, now.link);
}

/* Why calls do not pass. An obi_reason_fn. */
static void on_reason(void *user, char *text, size_t size)
{
	struct ob_connector *c = user;
	obi_supervisor_reason(c->supervisor, text, size);
}

/* ---- New ---- */

/* On such a transport only the child can be the cause of silence, not the connection. */
static bool never_falls_silent(const struct ob_transport_ops *transport)
{
	return (transport->flags & OB_TRANSPORT_LOCAL) != 0 &&
	       (transport->flags & OB_TRANSPORT_MAY_FALL_SILENT) == 0;
}

static int make_supervisor(struct ob_connector *c, struct ob_error *reterr)
{
	struct obi_supervisor_setup setup = {
	    .loop = c->rt->loop,
	    .dials = &c->rt->dials,
	    .options = &c->settings.options,
	    .config_hash = c->settings.hash,
	    .listen_transport = c->listen_transport,
	    .numbers = obi_connector_numbers_source(&c->numbers),
	    .link = obi_endpoint_connection(c->rt, &c->endpoint),
	    .local = never_falls_silent(&c->endpoint.transport->as.transport),
	    .check_accept = obi_dial_home_check_accept,
	    .events = {on_event, c->settings.options.on_log != NULL ? on_log : NULL, on_connection,
		       on_token, on_changed, c, obi_connector_renew_token},
	};
	setup.link.handler = obi_interfaces_handler(&c->interfaces);
	setup.link.orphans = c->orphans;
	setup.link.limits.message = c->settings.options.message_max;
	setup.link.heartbeat_ms = c->settings.options.health_interval_ms > 0
				      ? (uint32_t)c->settings.options.health_interval_ms
				      : 0;
	/* An address that the config names is trusted as it is; the child's own is not. */
	setup.link.check_owner = c->settings.options.connect == NULL;
	setup.link.tickets = &c->tickets;
	if (c->settings.options.via != NULL) {
		obi_via_connection(c, &setup.link);
		setup.local = false;
	}
	int r = obi_connector_place(c, &setup.place, reterr);
	return r == OB_OK ? obi_supervisor_new(&setup, &c->supervisor, reterr) : r;
}

static int make_clients(struct ob_connector *c, struct ob_error *reterr)
{
	c->peer = obi_peer_new(c->rt);
	c->orphans = obi_orphan_count_new();
	c->client = c->peer != NULL ? obi_client_new(c->peer, NULL) : NULL;
	c->control = c->client != NULL ? obi_client_new(c->peer, "outboard-control") : NULL;
	if (c->control == NULL || c->orphans == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	c->peer->call_timeout_ms = c->settings.options.call_timeout_ms;
	return OB_OK;
}

/* The peer lives on where a client of one interface does. */
static void free_connector(struct ob_connector *c)
{
	c->freeing = true;
	obi_via_agent_free(c);
	obi_waits_free(c);
	if (c->peer != NULL) {
		obi_peer_set_reason(c->peer, NULL, NULL);
	}
	obi_supervisor_free(c->supervisor);
	obi_client_release(c->control);
	obi_client_release(c->client);
	obi_peer_unref(c->peer);
	obi_orphan_count_unref(c->orphans);
	obi_via_end(c);
	obi_interfaces_free(&c->interfaces);
	obi_endpoint_clear(&c->endpoint);
	free(c->replays);
	obi_connector_numbers_free(&c->numbers);
	obi_connector_settings_free(&c->settings);
	pthread_mutex_destroy(&c->status_lock);
	free(c);
}

static void free_task(void *user)
{
	free_connector(user);
}

int ob_connector_new(ob_runtime *rt, const struct ob_connector_options *options,
		     ob_connector **ret_connector, struct ob_error *reterr)
{
	struct ob_connector *c = calloc(1, sizeof *c);
	if (c == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	c->rt = rt;
	pthread_mutex_init(&c->status_lock, NULL);
	c->free_task.fn = free_task;
	c->free_task.user = c;
	obi_connector_numbers_init(&c->numbers, &c->settings);
	obi_enter(rt);
	int r = obi_connector_settings(rt, options, &c->settings, reterr);
	r = r == OB_OK ? obi_via_begin(c, reterr) : r;
	r = r == OB_OK ? obi_connector_endpoint(c, reterr) : r;
	r = r == OB_OK ? obi_connector_check_token(c, reterr) : r;
	r = r == OB_OK ? make_clients(c, reterr) : r;
	r = r == OB_OK ? make_supervisor(c, reterr) : r;
	if (r == OB_OK) {
		on_changed(c);
		obi_peer_set_reason(c->peer, on_reason, c);
		*ret_connector = c;
	} else {
		free_connector(c);
	}
	obi_leave(rt);
	return r;
}

int ob_connector_expose(ob_connector *c, const char *interface_name,
			const struct ob_method *methods, void *user, struct ob_error *reterr)
{
	obi_enter(c->rt);
	int r =
	    c->begun
		? obi_fail(reterr, OB_EBUSY, 0, "interfaces must be exposed before the first start")
		: obi_interfaces_add(&c->interfaces, interface_name, methods, user, reterr);
	obi_leave(c->rt);
	return r;
}

/* ---- Requests ---- */

static int queue_request(struct ob_connector *c, enum obi_life_event event, ob_done_fn *done,
			 void *user, uint64_t *ret_id, struct ob_error *reterr)
{
	c->begun = true;
	if (event == OBI_LIFE_CLOSE) {
		obi_waits_close(c);
	}
	return obi_supervisor_request(c->supervisor, event, done, user, ret_id, reterr);
}

static int request_async(struct ob_connector *c, enum obi_life_event event, ob_done_fn *done,
			 void *user, struct ob_error *reterr)
{
	obi_enter(c->rt);
	int r = c->freeing ? obi_fail(reterr, OB_ECLOSED, 0, "the connector is being freed")
			   : queue_request(c, event, done, user, NULL, reterr);
	obi_leave(c->rt);
	return r;
}

struct blocking_request {
	struct obi_blocking blocking;
	struct ob_connector *connector;
	enum obi_life_event event;
	uint64_t id;
};

static int begin_request(void *user, struct ob_error *reterr)
{
	struct blocking_request *b = user;
	return queue_request(b->connector, b->event, obi_blocking_done, &b->blocking, &b->id,
			     reterr);
}

static void abort_request(void *user, int code)
{
	struct blocking_request *b = user;
	obi_supervisor_abort(b->connector->supervisor, b->id, code);
}

static int request(struct ob_connector *c, enum obi_life_event event, int64_t timeout_ms,
		   ob_cancel *cancel, struct ob_error *reterr)
{
	struct blocking_request b = {
	    .blocking = {.rt = c->rt,
			 .begin = begin_request,
			 .abort = abort_request,
			 .user = &b,
			 .timeout_ms = timeout_ms == 0 ? -1 : timeout_ms,
			 .cancel = cancel},
	    .connector = c,
	    .event = event,
	};
	return obi_block(&b.blocking, reterr); /* another thread may have freed c meanwhile */
}

int ob_connector_start(ob_connector *c, int64_t timeout_ms, ob_cancel *cancel,
		       struct ob_error *reterr)
{
	return request(c, OBI_LIFE_START, timeout_ms, cancel, reterr);
}

int ob_connector_start_async(ob_connector *c, ob_done_fn *done, void *user, struct ob_error *reterr)
{
	return request_async(c, OBI_LIFE_START, done, user, reterr);
}

int ob_connector_stop(ob_connector *c, int64_t timeout_ms, ob_cancel *cancel,
		      struct ob_error *reterr)
{
	return request(c, OBI_LIFE_STOP, timeout_ms, cancel, reterr);
}

int ob_connector_stop_async(ob_connector *c, ob_done_fn *done, void *user, struct ob_error *reterr)
{
	return request_async(c, OBI_LIFE_STOP, done, user, reterr);
}

void ob_connector_hurry(ob_connector *c)
{
	obi_enter(c->rt);
	if (!c->freeing) {
		obi_supervisor_hurry(c->supervisor);
	}
	obi_leave(c->rt);
}

int ob_connector_detach(ob_connector *c, struct ob_error *reterr)
{
	return request(c, OBI_LIFE_DETACH, 0, NULL, reterr);
}

int ob_connector_detach_async(ob_connector *c, ob_done_fn *done, void *user,
			      struct ob_error *reterr)
{
	return request_async(c, OBI_LIFE_DETACH, done, user, reterr);
}

int ob_connector_reconnect(ob_connector *c, int64_t timeout_ms, ob_cancel *cancel,
			   struct ob_error *reterr)
{
	return request(c, OBI_LIFE_RECONNECT, timeout_ms, cancel, reterr);
}

int ob_connector_reconnect_async(ob_connector *c, ob_done_fn *done, void *user,
				 struct ob_error *reterr)
{
	return request_async(c, OBI_LIFE_RECONNECT, done, user, reterr);
}

int ob_connector_start_or_reconnect(ob_connector *c, int64_t timeout_ms, ob_cancel *cancel,
				    struct ob_error *reterr)
{
	return request(c, OBI_LIFE_START_OR_RECONNECT, timeout_ms, cancel, reterr);
}

int ob_connector_start_or_reconnect_async(ob_connector *c, ob_done_fn *done, void *user,
					  struct ob_error *reterr)
{
	return request_async(c, OBI_LIFE_START_OR_RECONNECT, done, user, reterr);
}

int ob_connector_supervise(ob_connector *c, struct ob_error *reterr)
{
	return request_async(c, OBI_LIFE_SUPERVISE, NULL, NULL, reterr);
}

/* ---- Close ---- */

static void end(struct ob_connector *c)
{
	obi_task_stop(&c->free_task);
	obi_supervisor_kill(c->supervisor);
	free_connector(c);
}

/* The runtime is being freed while the close is under way; those behind an agent are ended, too. */
static void end_now(void *user)
{
	struct ob_connector *c = user;
	if (c->via_children > 0) {
		c->via_last = end;
	} else {
		end(c);
	}
}

static void closed(void *user, int result, const struct ob_error *err)
{
	struct ob_connector *c = user;
	(void)result;
	(void)err;
	if (c->freeing) {
		return; /* the connector is being freed, which ended this request */
	}
	obi_leftover_remove(&c->leftover);
	obi_task_queue(c->rt->loop, &c->free_task);
}

/* Close without waiting. */
static void close_later(struct ob_connector *c)
{
	c->via_last = NULL;
	(void)queue_request(c, OBI_LIFE_CLOSE, closed, c, NULL, NULL);
}

/* Those behind an agent that are being closed need it until they have ended. */
static bool closes_later(struct ob_connector *c)
{
	obi_enter(c->rt);
	bool has_children = c->via_children > 0;
	bool later = has_children || obi_check_may_block(c->rt, NULL) < 0;
	if (later) {
		c->leftover.end = end_now;
		c->leftover.user = c;
		obi_leftover_add(c->rt, &c->leftover);
	}
	if (has_children) {
		c->via_last = close_later;
	} else if (later) {
		close_later(c);
	}
	obi_leave(c->rt);
	return later;
}

void ob_connector_close(ob_connector *c)
{
	if (c == NULL || closes_later(c)) {
		return;
	}
	struct ob_runtime *rt = c->rt;
	(void)request(c, OBI_LIFE_CLOSE, CLOSE_TIMEOUT_MS, NULL, NULL);
	obi_enter(rt);
	free_connector(c);
	obi_leave(rt);
}

/* ---- Status ---- */

bool ob_connector_is_running(const ob_connector *c)
{
	return atomic_load(&c->pid) != 0;
}

int32_t ob_connector_pid(const ob_connector *c)
{
	return atomic_load(&c->pid);
}

int ob_connector_renew(ob_connector *c, bool *ret_renewed, struct ob_error *reterr)
{
	bool renewed = false;
	obi_enter(c->rt);
	int r =
	    c->supervisor != NULL ? obi_supervisor_renew(c->supervisor, &renewed, reterr) : OB_OK;
	obi_leave(c->rt);
	if (ret_renewed != NULL) {
		*ret_renewed = renewed;
	}
	return r;
}

void ob_connector_status(const ob_connector *c, struct ob_status *ret)
{
	struct ob_connector *mutable = (struct ob_connector *)(uintptr_t)c;
	struct ob_status now;
	uint32_t size = ret->size < sizeof now ? ret->size : (uint32_t)sizeof now;
	pthread_mutex_lock(&mutable->status_lock);
	now = c->status;
	int64_t passed = obi_now_ms() - c->status_at;
	if (now.uptime_ms >= 0) {
		now.uptime_ms += passed;
	}
	if (now.next_try_ms >= 0) {
		now.next_try_ms -= passed < now.next_try_ms ? passed : now.next_try_ms;
	}
	pthread_mutex_unlock(&mutable->status_lock);
	memcpy(ret, &now, size);
	ret->size = size;
}

ob_client *ob_connector_client(ob_connector *c)
{
	return c->client;
}

ob_client *ob_connector_control(ob_connector *c)
{
	return c->control;
}
