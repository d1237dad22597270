/* SPDX-License-Identifier: MIT */
#include "rpc/dispatch.h"

#include <stdio.h>

#include "base/error.h"
#include "json/json.h"
#include "rpc/answer.h"
#include "rpc/authentication.h"

/* ---- Replies ---- */

/* A foreign peer may send any value as an error: show it as JSON. */
static void describe_remote(const struct ob_value *error, struct ob_error *ret)
{
	struct ob_bytes text;
	uint8_t json[sizeof ret->text - 1];
	struct ob_sink out = ob_sink_fixed(json, sizeof json);
	int64_t code = 0;
	ob_get_int(ob_value_find(error, "code"), &code);
	if (ob_get_string(ob_value_find(error, "message"), &text) || ob_get_string(error, &text)) {
		obi_fail(ret, OB_EREMOTE, 0, "%.*s",
			 (int)(text.len < sizeof json ? text.len : sizeof json), text.data);
	} else {
		(void)obi_json_write(error, &out, NULL);
		obi_fail(ret, OB_EREMOTE, 0, "%.*s", (int)out.len, json);
	}
	ret->remote_code = code;
}

static void on_response(struct obi_session *s, const struct ob_message *m)
{
	struct ob_error err;
	struct obi_pending *call =
	    !m->id.foreign ? obi_pending_take(&s->pending, m->id.number) : NULL;
	if (call == NULL) {
		s->ignored++;
	} else if (m->error.type == OB_NIL) {
		obi_pending_end(&s->pending, call, OB_OK, &m->result, NULL);
	} else {
		describe_remote(&m->error, &err);
		obi_pending_end(&s->pending, call, OB_EREMOTE, &m->error, &err);
	}
}

/* ---- Methods of the protocol ---- */

/* Read an id that was sent as a parameter. What is no number of ours is kept as the codec keeps
 * ids: as the text of its JSON, in memory. */
static bool read_id(const struct ob_value *value, uint8_t memory[OB_ID_MAX], struct ob_id *ret)
{
	int64_t number;
	*ret = (struct ob_id){.foreign = false};
	if (ob_get_int(value, &number) && number >= 0 && number <= UINT32_MAX) {
		ret->number = (uint32_t)number;
		return true;
	}
	struct ob_sink out = ob_sink_fixed(memory, OB_ID_MAX);
	if (value == NULL || obi_json_write(value, &out, NULL) != OB_OK || out.failed) {
		return false;
	}
	ret->foreign = true;
	ret->raw = ob_bytes_of(memory, out.len);
	return true;
}

static void on_cancel(struct obi_session *s, const struct ob_message *m)
{
	struct ob_id id;
	uint8_t memory[OB_ID_MAX];
	if (!read_id(ob_params_get(&m->params, 0, "id"), memory, &id)) {
		return;
	}
	struct ob_call *call = obi_call_find(&s->calls, &id);
	if (call != NULL) {
		atomic_store(&call->canceled, OB_ECANCELED);
	}
}

static void on_supervise(struct obi_session *s, const struct ob_message *m)
{
	struct ob_bytes instance = {NULL, 0};
	struct ob_value yes = ob_bool(true);
	ob_get_string(ob_params_get(&m->params, 0, "instance"), &instance);
	int r = s->setup.events.supervise != NULL
		    ? s->setup.events.supervise(s->setup.events.user, instance)
		    : OB_EPERM;
	if (r < 0) {
		obi_answer_error(
		    s, &m->id, OB_RPC_DENIED,
		    r == OB_ENOENT    ? "this child is not the instance that the parent started"
		    : r == OB_ENOTSUP ? "a parent does not come by the listener for clients"
				      : "this caller may not supervise the child");
		return;
	}
	s->identity.parent = true;
	s->peer_is_ours = true;
	obi_answer(s, &m->id, NULL, &yes);
}

static void on_hello(struct obi_session *s, const struct ob_message *m)
{
	const struct obi_hello_handler hello = s->setup.hello;
	struct ob_bytes instance = {NULL, 0}, run = {NULL, 0}, ticket = {NULL, 0};
	struct ob_value yes = ob_bool(true);
	struct ob_error err = {0};
	ob_get_string(ob_params_get(&m->params, 0, "instance"), &instance);
	ob_get_string(ob_params_get(&m->params, 1, "run"), &run);
	ob_get_string(ob_params_get(&m->params, 2, "ticket"), &ticket);
	int r = hello.judge(hello.user, instance, run, ticket, &err);
	if (r < 0) {
		obi_answer_error(s, &m->id, OB_RPC_DENIED, err.text);
		obi_session_fail(s, r, "%s", err.text);
		return;
	}
	s->peer_is_ours = true;
	obi_answer(s, &m->id, NULL, &yes);
	if (s->state == OBI_SESSION_OPEN) {
		hello.welcome(hello.user);
	}
}

static void on_protocol_request(struct obi_session *s, const struct ob_message *m)
{
	struct ob_value yes = ob_bool(true);
	if (ob_bytes_is(m->method, "outboard.ping")) {
		obi_answer(s, &m->id, NULL, &yes);
	} else if (ob_bytes_is(m->method, "outboard.supervise")) {
		on_supervise(s, m);
	} else if (ob_bytes_is(m->method, "outboard.hello") && s->setup.hello.judge != NULL) {
		on_hello(s, m);
	} else if (ob_bytes_is(m->method, "outboard.auth")) {
		obi_answer_error(s, &m->id, OB_RPC_INVALID_REQUEST, "authenticated already");
	} else {
		obi_answer_error(s, &m->id, OB_RPC_NO_METHOD, "unknown method");
	}
}

/* ---- Calls for the handler ---- */

/* The id of a deferred call has to outlive the message. */
static void keep_id(struct ob_call *call, const struct ob_id *id)
{
	call->id = *id;
	if (id->foreign && id->raw.len <= OB_ID_MAX) {
		memcpy(call->id_raw, id->raw.data, id->raw.len);
		call->id.raw.data = call->id_raw;
	}
}

static void hand_over(struct obi_session *s, const struct ob_message *m)
{
	struct ob_call *call = obi_call_take(&s->calls);
	if (call == NULL) {
		obi_session_fail(s, OB_ENOMEM, "out of memory");
		return;
	}
	keep_id(call, &m->id);
	call->answer = obi_answer_call;
	call->notify = obi_answer_notify;
	call->owner = s->setup.call_owner;
	call->batch = m->kind == OB_REQUEST ? s->reading : NULL;
	call->notification = m->kind == OB_NOTIFY;
	memcpy(call->method, m->method.data, m->method.len);
	call->method[m->method.len] = '\0';
	call->params = m->params;
	call->identity = s->identity;
	if (s->setup.handler.fn != NULL) {
		s->setup.handler.fn(s->setup.handler.user, call);
	} else {
		obi_call_answer_error(call, OB_RPC_NO_METHOD, "this peer offers no methods");
	}
	if (call->deferred) {
		return;
	}
	if (!call->answered && !call->notification) {
		obi_call_answer_error(call, OB_RPC_INTERNAL, "the handler gave no answer");
	}
	obi_call_release(call);
}

/*
 * Handlers, interfaces and rules see a method as text that ends with a NUL. A NUL inside would show
 * them another method than the peer named.
 */
static bool is_method(struct ob_bytes method)
{
	return method.len > 0 && method.len <= OBI_METHOD_MAX &&
	       memchr(method.data, '\0', method.len) == NULL;
}

/* The parent's questions to the library are answered at once. They pass while its other calls take
 * all the room: whether the child is well, and that it is to shut down, is not for later. */
static bool is_control(const struct obi_session *s, struct ob_bytes method)
{
	static const char control[] = "outboard-control.";
	return s->identity.parent && method.len > sizeof control - 1 &&
	       memcmp(method.data, control, sizeof control - 1) == 0;
}

/*
 * Whether the calls that handlers have deferred hold too much. That is asked before a call, not
 * when it is deferred: a handler has nowhere to put an error, and one call always fits, so that a
 * limit below the size of a call cannot refuse it for ever.
 */
static bool is_full(const struct obi_session *s)
{
	return obi_calls_are_full(&s->calls, s->setup.limits.queue, s->identity.parent);
}

/* setting: the option that is the limit. */
static void refuse_busy(struct obi_session *s, const struct ob_message *m, const char *what,
			const char *setting, uint32_t limit)
{
	char text[96];
	snprintf(text, sizeof text, "%s (%s %u)", what, setting, limit);
	obi_answer_error(s, &m->id, OB_RPC_BUSY, text);
}

static void on_request(struct obi_session *s, const struct ob_message *m)
{
	const struct obi_rpc_limits *limits = &s->setup.limits;
	if (m->method.len > 9 && memcmp(m->method.data, "outboard.", 9) == 0) {
		on_protocol_request(s, m);
	} else if (obi_call_find(&s->calls, &m->id) != NULL) {
		obi_session_fail(s, OB_EPROTO, "the peer used a call id twice");
	} else if (!is_method(m->method)) {
		obi_answer_error(s, &m->id, OB_RPC_NO_METHOD, "unknown method");
	} else if (obi_buf_len(&s->out) + s->batches.bytes >= limits->queue) {
		refuse_busy(s, m, "too many bytes are queued for the answers", "queue_max",
			    limits->queue);
	} else if (s->calls.deferred_count >= limits->calls && !is_control(s, m->method)) {
		refuse_busy(s, m, "too many calls in flight", "calls_max", limits->calls);
	} else if (is_full(s) && !is_control(s, m->method)) {
		refuse_busy(s, m, "too many bytes are held by calls in flight", "queue_max",
			    limits->queue);
	} else {
		hand_over(s, m);
	}
}

static void on_notification(struct obi_session *s, const struct ob_message *m)
{
	if (ob_bytes_is(m->method, "$/cancel")) {
		on_cancel(s, m);
	} else if (ob_bytes_is(m->method, "$/bye")) {
		s->peer_bye = true;
	} else if (s->calls.deferred_count >= s->setup.limits.calls || is_full(s)) {
		s->ignored++; /* there is no answer that could say BUSY */
	} else if (is_method(m->method) &&
		   (m->method.len < 2 || memcmp(m->method.data, "$/", 2) != 0)) {
		hand_over(s, m);
	}
}

/* ---- Messages ---- */

/* Before authentication an acceptor takes requests of outboard.auth, and a dialer the replies to
 * its own; nothing else. */
static void dispatch_unauthenticated(struct obi_session *s, const struct ob_message *m, bool more)
{
	if (s->setup.role == OB_AUTH_DIALER && m->kind == OB_RESPONSE) {
		on_response(s, m);
	} else if (s->setup.role == OB_AUTH_ACCEPTOR && m->kind == OB_REQUEST) {
		obi_authentication_request(s, m, more);
	} else {
		obi_session_fail(s, OB_EAUTH,
				 "the peer sent an unexpected message before authentication");
	}
}

static void dispatch_one(struct obi_session *s, const struct ob_message *m)
{
	switch (m->kind) {
	case OB_REQUEST:
		on_request(s, m);
		break;
	case OB_RESPONSE:
		on_response(s, m);
		break;
	case OB_NOTIFY:
		on_notification(s, m);
		break;
	case OB_INVALID:
		obi_answer(s, &m->id, &m->error, NULL);
		break;
	default:
		obi_session_fail(s, OB_EPROTO, "the peer sent a message of an unexpected kind");
	}
}

static void dispatch_batch(struct obi_session *s, const struct ob_message *m)
{
	struct obi_batch *batch = obi_batch_new(&s->batches, s->setup.codec, &s->codec_params,
						m->count, s->setup.limits.message);
	if (batch == NULL) {
		obi_session_fail(s, OB_ENOMEM, "out of memory");
		return;
	}
	s->reading = batch;
	s->calls.message = 0; /* its calls share it, so none takes it over */
	/* A batch without room for an error cannot be answered: nothing more is done for it. */
	for (uint32_t i = 0; i < m->count && s->state == OBI_SESSION_OPEN && !batch->failed; i++) {
		dispatch_one(s, m->items[i]);
	}
	s->reading = NULL;
	if (s->state == OBI_SESSION_OPEN) {
		obi_answer_batch(s, batch);
	} else {
		obi_batch_free(batch);
	}
}

void obi_dispatch(struct obi_session *s, const struct ob_message *m, bool more)
{
	if (s->state == OBI_SESSION_AUTH) {
		dispatch_unauthenticated(s, m, more);
	} else if (m->kind == OB_BATCH) {
		dispatch_batch(s, m);
	} else {
		dispatch_one(s, m);
	}
}
