/* SPDX-License-Identifier: MIT */
/* Typed calls to outboard-control, the interface that every child has. */
#include <stdio.h>

#include "api/client.h"
#include "base/text.h"
#include "base/error.h"
#include "files/statefile.h"

static int read_health(const struct ob_value *v, struct ob_health *ret, struct ob_error *reterr)
{
	struct ob_health h = {.size = sizeof h};
	struct ob_bytes text = {NULL, 0};
	int64_t seconds = 0, nanoseconds = 0;
	if (!ob_get_bool(ob_value_find(v, "healthy"), &h.healthy)) {
		return obi_fail(reterr, OB_EPROTO, 0,
				"health check failed: the answer has no valid member healthy");
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
	obi_text_clean(h.last_error);
	text = (struct ob_bytes){NULL, 0};
	if (ob_get_string(ob_value_find(v, "run"), &text)) {
		(void)obi_run_id_read(text, h.run);
	}
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
	r = r == OB_OK ? read_health(ob_reply_value(reply), ret, reterr) : r;
	ob_reply_free(reply);
	return r;
}

static int read_version(const struct ob_value *v, uint64_t *ret_current, bool *ret_needs_restart,
			struct ob_error *reterr)
{
	uint64_t current;
	bool needs;
	if (!ob_get_uint(ob_value_find(v, "current_version"), &current) ||
	    !ob_get_bool(ob_value_find(v, "needs_restart"), &needs)) {
		return obi_fail(
		    reterr, OB_EPROTO, 0,
		    "the answer to checkVersion lacks a valid current_version or needs_restart");
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
	ob_reply *reply;
	int r = ob_reply_new(&reply, reterr);
	if (r < 0) {
		return r;
	}
	r = control_call(client, "checkVersion", &params, timeout_ms, reply, reterr);
	r = r == OB_OK ? read_version(ob_reply_value(reply), ret_current, ret_needs_restart, reterr)
		       : r;
	ob_reply_free(reply);
	return r;
}
