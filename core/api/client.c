/* SPDX-License-Identifier: MIT */
#include "api/client.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/value.h"
#include "api/blocking.h"

enum { CALL_TIMEOUT_MS = 30000 };

struct ob_client {
	struct obi_peer *peer;
	char *interface_name; /* with its dot; NULL: methods are complete */
	size_t interface_len;
	void *own; /* freed together with the client; may be NULL */
	void (*free_own)(void *own);
};

/* ---- Peers ---- */

static const char *reason_of(int code)
{
	return code == OB_ECLOSED     ? "the client was freed"
	       : code == OB_ETIMEDOUT ? "no reply in time"
				      : "the call was canceled";
}

/* Report the calls that this side ended. A callback may cancel and free more. */
static void report_ended(void *user)
{
	struct obi_peer *peer = user;
	struct ob_error err;
	peer->reporting = true;
	while (peer->ended != NULL) {
		struct obi_pending *call = peer->ended;
		peer->ended = call->next;
		obi_fail(&err, call->code, 0, "%s", reason_of(call->code));
		if (call->fn != NULL) {
			call->fn(call->user, call->code, NULL, &err);
		}
		free(call);
	}
	peer->reporting = false;
	obi_peer_unref(peer);
}

struct obi_peer *obi_peer_new(struct ob_runtime *rt)
{
	struct obi_peer *peer = calloc(1, sizeof *peer);
	if (peer != NULL) {
		peer->rt = rt;
		peer->refs = 1;
		peer->call_timeout_ms = CALL_TIMEOUT_MS;
		peer->report.fn = report_ended;
		peer->report.user = peer;
		atomic_init(&peer->connected, false);
	}
	return peer;
}

void obi_peer_unref(struct obi_peer *peer)
{
	if (peer != NULL && --peer->refs == 0) {
		free(peer);
	}
}

void obi_peer_set_connection(struct obi_peer *peer, struct obi_connection *connection)
{
	peer->generation += connection != NULL && connection != peer->connection;
	peer->connection = connection;
	atomic_store(&peer->connected, connection != NULL);
}

void obi_peer_set_reason(struct obi_peer *peer, obi_reason_fn *fn, void *user)
{
	peer->reason = fn;
	peer->reason_user = user;
}

/* A call that cannot be made: nothing was sent. */
static int not_connected(const struct obi_peer *peer, struct ob_error *reterr)
{
	char why[256];
	if (peer->reason == NULL || reterr == NULL) {
		return obi_fail(reterr, OB_EDOWN, 0, "RPC not connected");
	}
	peer->reason(peer->reason_user, why, sizeof why);
	return obi_fail(reterr, OB_EDOWN, 0, "RPC not connected: %s", why);
}

/* ---- Clients ---- */

struct ob_client *obi_client_new(struct obi_peer *peer, const char *interface_name)
{
	struct ob_client *client = calloc(1, sizeof *client);
	if (client == NULL) {
		return NULL;
	}
	int len =
	    interface_name != NULL ? asprintf(&client->interface_name, "%s.", interface_name) : 0;
	if (len < 0 || len > OBI_METHOD_MAX) {
		free(len > 0 ? client->interface_name : NULL);
		free(client);
		return NULL;
	}
	client->interface_len = (size_t)len;
	client->peer = peer;
	peer->refs++;
	return client;
}

struct ob_client *obi_client_sibling(struct ob_client *client, const char *interface_name)
{
	return obi_client_new(client->peer, interface_name);
}

struct ob_runtime *obi_client_runtime(const struct ob_client *client)
{
	return client->peer->rt;
}

bool ob_client_is_connected(const ob_client *client)
{
	return atomic_load(&client->peer->connected);
}

/* The call was taken out of the connection and ends with code. Its callback may do anything, so it
 * is called from the loop. */
static void end_call(struct obi_peer *peer, struct obi_pending *call, int code)
{
	struct obi_pending **last = &peer->ended;
	while (*last != NULL) {
		last = &(*last)->next;
	}
	call->code = code;
	call->next = NULL;
	*last = call;
	if (peer->report.slot == NULL && !peer->reporting) {
		peer->refs++;
		obi_task_queue(peer->rt->loop, &peer->report);
	}
}

static void end_calls_of(struct ob_client *client)
{
	struct obi_peer *peer = client->peer;
	struct obi_pending *call;
	while (peer->connection != NULL &&
	       (call = obi_connection_take_owned(peer->connection, client)) != NULL) {
		end_call(peer, call, OB_ECLOSED);
	}
}

void obi_client_release(struct ob_client *client)
{
	if (client == NULL) {
		return;
	}
	end_calls_of(client);
	if (client->free_own != NULL) {
		client->free_own(client->own);
	}
	obi_peer_unref(client->peer);
	free(client->interface_name);
	free(client);
}

void ob_client_free(ob_client *client)
{
	if (client != NULL) {
		struct ob_runtime *rt = client->peer->rt;
		obi_enter(rt);
		obi_client_release(client);
		obi_leave(rt);
	}
}

void *obi_client_owned(const struct ob_client *client, void (*free_own)(void *own))
{
	return client->free_own == free_own ? client->own : NULL;
}

void obi_client_own(struct ob_client *client, void *own, void (*free_own)(void *own))
{
	client->own = own;
	client->free_own = free_own;
}

/* ---- Calls ---- */

/* Write the complete method name to memory. Returns its length; 0: it is empty or too long. */
static size_t whole_method(const struct ob_client *client, const char *method, char *memory,
			   size_t size)
{
	size_t before = client->interface_len, len = strlen(method);
	if (len == 0 || len >= size - before) {
		return 0;
	}
	if (before > 0) {
		memcpy(memory, client->interface_name, before);
	}
	memcpy(memory + before, method, len);
	return before + len;
}

static int64_t deadline_of(const struct ob_client *client, int64_t timeout_ms)
{
	int64_t ms = timeout_ms == 0 ? client->peer->call_timeout_ms : timeout_ms;
	int64_t now = obi_loop_now(client->peer->rt->loop);
	return ms < 0 || ms > INT64_MAX - now ? INT64_MAX : now + ms;
}

int obi_client_begin_whole(struct ob_client *client, struct ob_bytes method,
			   const struct ob_value *params, int64_t timeout_ms, ob_reply_fn *fn,
			   void *user, uint64_t *ret_id, struct ob_error *reterr)
{
	struct obi_peer *peer = client->peer;
	struct obi_pending *call;
	if (peer->connection == NULL) {
		return not_connected(peer, reterr);
	}
	int r = obi_connection_call(peer->connection, method, params,
				    deadline_of(client, timeout_ms), fn, user, &call, reterr);
	if (r < 0) {
		return r;
	}
	call->owner = client;
	if (ret_id != NULL) {
		*ret_id = (uint64_t)peer->generation << 32 | call->id;
	}
	return OB_OK;
}

int obi_client_begin(struct ob_client *client, const char *method, const struct ob_value *params,
		     int64_t timeout_ms, ob_reply_fn *fn, void *user, uint64_t *ret_id,
		     struct ob_error *reterr)
{
	char memory[OBI_METHOD_MAX + 1];
	size_t len = whole_method(client, method, memory, sizeof memory);
	if (len == 0) {
		return obi_fail(reterr, OB_EINVAL, 0,
				"a method name must have 1 to %d bytes, interface included",
				OBI_METHOD_MAX);
	}
	return obi_client_begin_whole(client, ob_bytes_of(memory, len), params, timeout_ms, fn,
				      user, ret_id, reterr);
}

struct obi_peer *obi_client_peer(const struct ob_client *client)
{
	return client->peer;
}

void obi_client_cancel_code(struct ob_client *client, uint64_t id, int code)
{
	obi_peer_cancel(client->peer, client, id, code);
}

void obi_peer_cancel(struct obi_peer *peer, const struct ob_client *owner, uint64_t id, int code)
{
	if (peer->connection == NULL || id >> 32 != peer->generation) {
		return;
	}
	struct obi_pending *call = obi_connection_take(peer->connection, (uint32_t)id, owner);
	if (call != NULL) {
		end_call(peer, call, code);
	}
}

int ob_client_call_async(ob_client *client, const char *method, const struct ob_value *params,
			 int64_t timeout_ms, ob_reply_fn *done, void *user, uint64_t *ret_id,
			 struct ob_error *reterr)
{
	struct ob_runtime *rt = client->peer->rt;
	obi_enter(rt);
	int r = obi_client_begin(client, method, params, timeout_ms, done, user, ret_id, reterr);
	obi_leave(rt);
	return r;
}

void ob_client_cancel(ob_client *client, uint64_t id)
{
	struct ob_runtime *rt = client->peer->rt;
	obi_enter(rt);
	obi_client_cancel_code(client, id, OB_ECANCELED);
	obi_leave(rt);
}

int ob_client_notify(ob_client *client, const char *method, const struct ob_value *params,
		     struct ob_error *reterr)
{
	struct ob_runtime *rt = client->peer->rt;
	char memory[OBI_METHOD_MAX + 1];
	int r;
	size_t len = whole_method(client, method, memory, sizeof memory);
	obi_enter(rt);
	if (len == 0) {
		r = obi_fail(reterr, OB_EINVAL, 0,
			     "a method name must have 1 to %d bytes, interface included",
			     OBI_METHOD_MAX);
	} else if (client->peer->connection == NULL) {
		r = not_connected(client->peer, reterr);
	} else {
		r = obi_connection_notify(client->peer->connection, ob_bytes_of(memory, len),
					  params, reterr);
	}
	obi_leave(rt);
	return r;
}

/* ---- Blocking calls ---- */

struct ob_reply {
	struct obi_arena arena;
	struct ob_value value;
};

int ob_reply_new(ob_reply **ret_reply, struct ob_error *reterr)
{
	struct ob_reply *reply = calloc(1, sizeof *reply);
	if (reply == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	obi_arena_init(&reply->arena, SIZE_MAX / 4);
	*ret_reply = reply;
	return OB_OK;
}

void ob_reply_free(ob_reply *reply)
{
	if (reply != NULL) {
		obi_arena_free(&reply->arena);
		free(reply);
	}
}

const struct ob_value *ob_reply_value(const ob_reply *reply)
{
	return &reply->value;
}

struct blocking_call {
	struct obi_blocking blocking;
	struct ob_client *client;
	const char *method;
	const struct ob_value *params;
	int64_t timeout_ms;
	struct ob_reply *reply;
	uint64_t id;
};

static void on_blocking_reply(void *user, int code, const struct ob_value *value,
			      const struct ob_error *err)
{
	struct blocking_call *call = user;
	struct ob_reply *reply = call->reply;
	struct ob_error full;
	if (value != NULL && reply != NULL &&
	    obi_value_copy(value, &reply->arena, &reply->value) < 0) {
		code = obi_fail(&full, OB_ENOMEM, 0, "out of memory for the result");
		err = &full;
	}
	obi_blocking_done(&call->blocking, code, err);
}

static int begin_call(void *user, struct ob_error *reterr)
{
	struct blocking_call *call = user;
	return obi_client_begin(call->client, call->method, call->params, call->timeout_ms,
				on_blocking_reply, call, &call->id, reterr);
}

static void abort_call(void *user, int code)
{
	struct blocking_call *call = user;
	obi_client_cancel_code(call->client, call->id, code);
}

int ob_client_call(ob_client *client, const char *method, const struct ob_value *params,
		   int64_t timeout_ms, ob_cancel *cancel, ob_reply *reply, struct ob_error *reterr)
{
	struct blocking_call call = {
	    .blocking = {.rt = client->peer->rt,
			 .begin = begin_call,
			 .abort = abort_call,
			 .user = &call,
			 .timeout_ms = -1, /* the call itself has a deadline */
			 .cancel = cancel},
	    .client = client,
	    .method = method,
	    .params = params,
	    .timeout_ms = timeout_ms,
	    .reply = reply,
	};
	if (reply != NULL) {
		obi_arena_reset(&reply->arena);
		reply->value = ob_nil();
	}
	return obi_block(&call.blocking, reterr);
}

/* ---- With a format ---- */

int obi_build_params(struct obi_arena *arena, const char *format, va_list args,
		     struct ob_value *ret, struct ob_error *reterr)
{
	struct ob_builder b;
	*ret = ob_nil();
	if (format == NULL) {
		return OB_OK;
	}
	ob_builder_init(&b, &arena->ob);
	obi_build_format(&b, format, args);
	int r = ob_builder_finish(&b, ret);
	return r < 0 ? obi_fail(reterr, r, 0,
				"params: the format \"%s\" does not produce exactly one value",
				format)
		     : OB_OK;
}

static int call_built(ob_client *client, const char *method, const char *format, va_list args,
		      int64_t timeout_ms, ob_cancel *cancel, ob_reply *reply,
		      struct ob_error *reterr)
{
	struct obi_arena arena;
	struct ob_value params;
	obi_arena_init(&arena, SIZE_MAX / 4);
	int r = obi_build_params(&arena, format, args, &params, reterr);
	r = r == OB_OK ? ob_client_call(client, method, &params, timeout_ms, cancel, reply, reterr)
		       : r;
	obi_arena_free(&arena);
	return r;
}

int ob_client_callf(ob_client *client, int64_t timeout_ms, ob_reply *reply, struct ob_error *reterr,
		    const char *method, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int r = call_built(client, method, format, args, timeout_ms, NULL, reply, reterr);
	va_end(args);
	return r;
}

int ob_client_callf_cancelable(ob_client *client, int64_t timeout_ms, ob_cancel *cancel,
			       ob_reply *reply, struct ob_error *reterr, const char *method,
			       const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int r = call_built(client, method, format, args, timeout_ms, cancel, reply, reterr);
	va_end(args);
	return r;
}

int ob_client_notifyf(ob_client *client, struct ob_error *reterr, const char *method,
		      const char *format, ...)
{
	struct obi_arena arena;
	struct ob_value params;
	va_list args;
	obi_arena_init(&arena, SIZE_MAX / 4);
	va_start(args, format);
	int r = obi_build_params(&arena, format, args, &params, reterr);
	va_end(args);
	if (r == OB_OK) {
		r = ob_client_notify(client, method, &params, reterr);
	}
	obi_arena_free(&arena);
	return r;
}
