/* SPDX-License-Identifier: MIT */
/* outboard-control: the interface that every child has, and the typed calls to it. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/value.h"
#include "server/server.h"

/* ---- The child's side ---- */

/* Ask every probe; the reasons of those that say no, joined, in text. */
static bool is_healthy(const struct ob_server *s, char *text, size_t size)
{
	size_t len = 0;
	text[0] = '\0';
	bool healthy = true;
	for (const struct obi_probe *p = s->probes; p != NULL; p = p->next) {
		struct ob_error why = {0};
		if (p->fn(p->user, &why)) {
			continue;
		}
		healthy = false;
		int n = len < size
			    ? snprintf(text + len, size - len, "%s%s: %s", len > 0 ? "; " : "",
				       p->name, why.text[0] != '\0' ? why.text : "not healthy")
			    : 0;
		len += n > 0 ? (size_t)n : 0;
	}
	return healthy;
}

static void on_health(void *user, ob_call *call, const struct ob_value *params)
{
	struct ob_server *s = user;
	struct timespec now;
	char last_error[256];
	(void)params;
	bool healthy = is_healthy(s, last_error, sizeof last_error);
	obi_text_clean(last_error);
	clock_gettime(CLOCK_REALTIME, &now);
	ob_call_replyf(call, "{s:b,s:{s:I,s:I},s:i,s:I,s:s}", "healthy", healthy, "timestamp",
		       "seconds", (int64_t)now.tv_sec, "nanoseconds", (int64_t)now.tv_nsec, "pid",
		       (int)getpid(), "uptime", obi_clock_ns(CLOCK_BOOTTIME) - s->opened_ns,
		       "last_error", last_error);
}

/* True only if more is expected than we are; then we end, once the answer is out. */
static void on_check_version(void *user, ob_call *call, const struct ob_value *params)
{
	struct ob_server *s = user;
	uint64_t expected = 0;
	if (!ob_get_uint(ob_params_get(params, 0, "expected_version"), &expected)) {
		ob_call_fail(call, OB_RPC_INVALID_PARAMS,
			     "expected_version must be a non-negative integer");
		return;
	}
	bool restart = expected > s->options.version;
	ob_call_replyf(call, "{s:U,s:b}", "current_version", s->options.version, "needs_restart",
		       restart);
	if (restart && obi_server_may_end(s, call)) {
		obi_server_end_after(s, call);
	}
}

static void on_interfaces(void *user, ob_call *call, const struct ob_value *params)
{
	struct ob_server *s = user;
	struct ob_builder b;
	struct ob_value list = ob_nil();
	(void)params;
	ob_builder_init(&b, &call->arena.ob);
	ob_build_array(&b);
	for (const struct obi_interface *i = s->interfaces.first; i != NULL; i = i->next) {
		ob_build_string(&b, i->name);
	}
	ob_build_end(&b);
	if (ob_builder_finish(&b, &list) < 0) {
		ob_call_fail(call, OB_RPC_INTERNAL, "out of memory");
		return;
	}
	ob_call_reply(call, &list);
}

static void on_shutdown(void *user, ob_call *call, const struct ob_value *params)
{
	(void)params;
	ob_call_reply(call, NULL);
	obi_server_end_after(user, call);
}

int obi_control_expose(struct ob_server *s, struct ob_error *reterr)
{
	static const struct ob_method methods[] = {
	    {"health", on_health},
	    {"checkVersion", on_check_version},
	    {"interfaces", on_interfaces},
	    {"shutdown", on_shutdown},
	    {NULL, NULL},
	};
	return obi_interfaces_add(&s->interfaces, "outboard-control", methods, s, reterr);
}

/* ---- The caller's side ---- */

int obi_health_read(const struct ob_value *v, struct ob_health *ret, struct ob_error *reterr)
{
	struct ob_health h = {.size = sizeof h};
	struct ob_bytes text = {NULL, 0};
	int64_t seconds = 0, nanoseconds = 0;
	if (!ob_get_bool(ob_value_find(v, "healthy"), &h.healthy)) {
		return obi_fail(reterr, OB_EPROTO, 0,
				"health check failed: the answer says nothing about health");
	}
	const struct ob_value *timestamp = ob_value_find(v, "timestamp");
	(void)ob_get_int(ob_value_find(timestamp, "seconds"), &seconds);
	(void)ob_get_int(ob_value_find(timestamp, "nanoseconds"), &nanoseconds);
	(void)ob_get_int(ob_value_find(v, "pid"), &h.pid);
	(void)ob_get_int(ob_value_find(v, "uptime"), &h.uptime_ns);
	(void)ob_get_string(ob_value_find(v, "last_error"), &text);
	h.timestamp = (struct timespec){.tv_sec = (time_t)seconds, .tv_nsec = (long)nanoseconds};
	snprintf(h.last_error, sizeof h.last_error, "%.*s", (int)(text.len < 255 ? text.len : 255),
		 text.data);
	uint32_t size = ret->size < sizeof h ? ret->size : (uint32_t)sizeof h;
	memcpy(ret, &h, size);
	ret->size = size;
	return OB_OK;
}

/* A client of one interface of the child still reaches the control interface of the whole. */
static int control_call(ob_client *client, const char *method, const struct ob_value *params,
			int64_t timeout_ms, ob_reply *reply, struct ob_error *reterr)
{
	struct ob_runtime *rt = obi_client_runtime(client);
	obi_enter(rt);
	struct ob_client *control = obi_client_sibling(client, "outboard-control");
	obi_leave(rt);
	if (control == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	int r = ob_client_call(control, method, params, timeout_ms, NULL, reply, reterr);
	ob_client_free(control);
	return r;
}

int ob_control_health(ob_client *client, int64_t timeout_ms, struct ob_health *ret,
		      struct ob_error *reterr)
{
	ob_reply *reply;
	int r = ob_reply_new(&reply, reterr);
	if (r < 0) {
		return r;
	}
	r = control_call(client, "health", NULL, timeout_ms, reply, reterr);
	r = r == OB_OK ? obi_health_read(ob_reply_value(reply), ret, reterr) : r;
	ob_reply_free(reply);
	return r;
}

int obi_version_read(const struct ob_value *v, uint64_t *ret_current, bool *ret_needs_restart,
		     struct ob_error *reterr)
{
	uint64_t current;
	bool needs;
	if (!ob_get_uint(ob_value_find(v, "current_version"), &current) ||
	    !ob_get_bool(ob_value_find(v, "needs_restart"), &needs)) {
		return obi_fail(reterr, OB_EPROTO, 0,
				"checkVersion was answered with something else");
	}
	*ret_current = current;
	*ret_needs_restart = needs;
	return OB_OK;
}

int ob_control_check_version(ob_client *client, uint64_t expected, int64_t timeout_ms,
			     uint64_t *ret_current, bool *ret_needs_restart,
			     struct ob_error *reterr)
{
	struct ob_value items[1] = {ob_uint(expected)};
	struct ob_value params = ob_array(items, 1);
	uint64_t current;
	bool needs;
	ob_reply *reply;
	int r = ob_reply_new(&reply, reterr);
	if (r < 0) {
		return r;
	}
	r = control_call(client, "checkVersion", &params, timeout_ms, reply, reterr);
	r = r == OB_OK ? obi_version_read(ob_reply_value(reply), &current, &needs, reterr) : r;
	ob_reply_free(reply);
	if (r == OB_OK) {
		*ret_current = current;
		*ret_needs_restart = needs;
	}
	return r;
}
