/* SPDX-License-Identifier: MIT */
/* Typed calls to outboard-control, the interface that every child has. */
#include <stdio.h>
#include <stdlib.h>

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

/* ---- Without waiting ---- */

/* Who waits for an answer: one of the two. */
struct question {
	ob_health_fn *health;
	ob_version_fn *version;
	void *user;
};

static int ask(ob_client *client, const char *method, const struct ob_value *params,
	       int64_t timeout_ms, ob_reply_fn *fn, const struct question *question,
	       struct ob_error *reterr)
{
	struct ob_runtime *rt = obi_client_runtime(client);
	struct question *copy = malloc(sizeof *copy);
	if (copy == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	*copy = *question;
	obi_enter(rt);
	int r = obi_client_begin_whole(client, ob_bytes_text(method), params, timeout_ms, fn, copy,
				       NULL, reterr);
	obi_leave(rt);
	if (r < 0) {
		free(copy);
	}
	return r;
}

static void on_health(void *user, int result, const struct ob_value *value,
		      const struct ob_error *err)
{
	struct question question = *(struct question *)user;
	struct ob_health health = {.size = sizeof health};
	struct ob_error bad;
	free(user);
	if (result == OB_OK && (result = read_health(value, &health, &bad)) < 0) {
		err = &bad;
	}
	question.health(question.user, result, result == OB_OK ? &health : NULL, err);
}

int ob_control_health_async(ob_client *client, int64_t timeout_ms, ob_health_fn *done, void *user,
			    struct ob_error *reterr)
{
	return ask(client, "outboard-control.health", NULL, timeout_ms, on_health,
		   &(struct question){.health = done, .user = user}, reterr);
}

/* ---- The version ---- */

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

static void on_version(void *user, int result, const struct ob_value *value,
		       const struct ob_error *err)
{
	struct question question = *(struct question *)user;
	uint64_t current = 0;
	bool needs_restart = false;
	struct ob_error bad;
	free(user);
	if (result == OB_OK && (result = read_version(value, &current, &needs_restart, &bad)) < 0) {
		err = &bad;
	}
	question.version(question.user, result, current, needs_restart, err);
}

int ob_control_check_version_async(ob_client *client, uint64_t expected, int64_t timeout_ms,
				   ob_version_fn *done, void *user, struct ob_error *reterr)
{
	struct ob_value items[1] = {ob_uint(expected)};
	struct ob_value params = ob_array(items, 1);
	return ask(client, "outboard-control.checkVersion", &params, timeout_ms, on_version,
		   &(struct question){.version = done, .user = user}, reterr);
}
