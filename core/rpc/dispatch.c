/* SPDX-License-Identifier: MIT */
/* What a session does with a decoded message: the protocol's own methods here, all others to the
 * session's owner. */
#include "base/error.h"
#include "json/json.h"
#include "rpc/session_private.h"

/* ---- Replies to a peer ---- */

static void reply(struct obi_session *s, const struct ob_id *id, const struct ob_value *error,
		  const struct ob_value *result)
{
	struct ob_message m = {.size = sizeof m, .kind = OB_RESPONSE, .id = *id};
	m.error = error != NULL ? *error : ob_nil();
	m.result = result != NULL ? *result : ob_nil();
	int r = obi_session_answer(s, s->batch, &m);
	if (r ==
	    OB_ETOOBIG) { /* for what is left in a batch: every id has an answer all the same */
		m.error = obi_error_value(&s->arena.ob, OB_RPC_TOO_BIG,
					  "the result is larger than the message limit");
		m.result = ob_nil();
		r = obi_session_answer(s, s->batch, &m);
	}
	if (r == OB_ENOMEM) {
		obi_session_fail(s, OB_EAGAIN, "the peer does not read: too much is queued");
	}
}

static void reply_error(struct obi_session *s, const struct ob_id *id, int64_t code,
			const char *message)
{
	struct ob_value error = obi_error_value(&s->arena.ob, code, message);
	if (error.type == OB_NIL) {
		error = ob_int(code);
	}
	reply(s, id, &error, NULL);
}

/* ---- Authentication ---- */

static void refuse(struct obi_session *s, const struct ob_id *id, const char *why)
{
	reply_error(s, id, OB_RPC_REFUSED, "refused");
	obi_session_fail(s, OB_EAUTH, "%s", why);
}

/* Acceptor: one step. Whatever is wrong, the peer hears no more than "refused". */
static void on_auth_request(struct obi_session *s, const struct ob_message *m, bool more)
{
	struct ob_bytes name, data;
	uint8_t memory[OBI_HANDSHAKE_DATA_MAX];
	struct ob_sink out = ob_sink_fixed(memory, sizeof memory);
	struct ob_error err = {0};
	if (!ob_get_string(ob_value_at(&m->params, 0), &name) ||
	    !ob_get_binary(ob_value_at(&m->params, 1), &data)) {
		refuse(s, &m->id, "malformed outboard.auth");
		return;
	}
	int r = obi_handshake_answer(&s->auth, name, data, &out, &err);
	if (r < 0 || more) {
		refuse(s, &m->id, r < 0 ? err.text : "bytes behind an authentication request");
		explicit_bzero(memory, sizeof memory);
		return;
	}
	struct ob_value items[2] = {ob_string(r == OB_AUTH_DONE ? "done" : "more"),
				    ob_binary(memory, out.len)};
	struct ob_value result = ob_array(items, 2);
	reply(s, &m->id, NULL, &result);
	explicit_bzero(memory, sizeof memory);
	if (s->state == OBI_SESSION_AUTH && r == OB_AUTH_DONE) {
		obi_session_passed(s);
	}
}

static void on_auth_reply(void *user, int code, const struct ob_value *value,
			  const struct ob_error *err)
{
	struct obi_session *s = user;
	struct ob_bytes word, data;
	struct ob_error failure = {0};
	if (s->state == OBI_SESSION_CLOSED) {
		return;
	}
	if (code != OB_OK) {
		obi_session_fail(s, OB_EAUTH, "authentication failed: %s", err->text);
		return;
	}
	if (!ob_get_string(ob_value_at(value, 0), &word) ||
	    !ob_get_binary(ob_value_at(value, 1), &data)) {
		obi_session_fail(s, OB_EPROTO,
				 "the peer answered outboard.auth with something else");
		return;
	}
	if (ob_bytes_is(word, "more")) {
		obi_session_dial_auth(s, data);
	} else if (!ob_bytes_is(word, "done")) {
		obi_session_fail(s, OB_EPROTO,
				 "the peer answered outboard.auth with something else");
	} else if (obi_handshake_told_done(&s->auth, data, &failure) < 0) {
		obi_session_fail(s, OB_EAUTH, "%s", failure.text);
	} else {
		obi_session_passed(s);
		if (s->state == OBI_SESSION_AUTH) {
			obi_session_dial_auth(s, ob_bytes_of(NULL, 0));
		}
	}
}

void obi_session_dial_auth(struct obi_session *s, struct ob_bytes in)
{
	uint8_t memory[OBI_HANDSHAKE_DATA_MAX];
	struct ob_sink out = ob_sink_fixed(memory, sizeof memory);
	struct ob_error err = {0};
	struct ob_message m = {
	    .size = sizeof m, .kind = OB_REQUEST, .method = ob_bytes_text("outboard.auth")};
	if (obi_handshake_ask(&s->auth, in, &out, &err) < 0) {
		obi_session_fail(s, OB_EAUTH, "%s", err.text);
		return;
	}
	struct obi_pending *slot = obi_pending_add(&s->pending, INT64_MAX);
	if (slot == NULL) {
		obi_session_fail(s, OB_ENOMEM, "out of memory");
		return;
	}
	slot->fn = on_auth_reply;
	slot->user = s;
	struct ob_value items[2] = {ob_string(obi_handshake_mechanism(&s->auth)),
				    ob_binary(memory, out.len)};
	m.id.number = slot->id;
	m.params = ob_array(items, 2);
	int r = obi_session_send(s, &m, NULL);
	explicit_bzero(memory, sizeof memory);
	if (r < 0) {
		obi_session_fail(s, r, "sending authentication");
	}
}

/* ---- Replies from a peer ---- */

/* What a foreign peer calls an error may be any value: show it as it is. */
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
	struct obi_pending call;
	struct ob_error err;
	if (m->id.foreign || !obi_pending_take(&s->pending, m->id.number, &call)) {
		s->ignored++;
		return;
	}
	if (m->error.type == OB_NIL) {
		call.fn(call.user, OB_OK, &m->result, NULL);
		return;
	}
	describe_remote(&m->error, &err);
	call.fn(call.user, OB_EREMOTE, &m->error, &err);
}

/* ---- Calls from a peer ---- */

/* An id as a param is a value; as the codec has it, what is no number of ours is text of JSON,
 * verbatim. memory holds that. */
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
	struct ob_call *call = obi_call_find(s, &id);
	if (call != NULL) {
		atomic_store(&call->canceled, true);
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
		reply_error(s, &m->id, OB_RPC_DENIED,
			    r == OB_ENOENT ? "another instance" : "not to be supervised");
		return;
	}
	s->supervised = true;
	s->peer_is_ours = true;
	reply(s, &m->id, NULL, &yes);
}

/* The protocol's own methods: outboard.ping, outboard.supervise. */
static void on_own_request(struct obi_session *s, const struct ob_message *m)
{
	struct ob_value yes = ob_bool(true);
	if (ob_bytes_is(m->method, "outboard.ping")) {
		reply(s, &m->id, NULL, &yes);
	} else if (ob_bytes_is(m->method, "outboard.supervise")) {
		on_supervise(s, m);
	} else if (ob_bytes_is(m->method, "outboard.auth")) {
		reply_error(s, &m->id, OB_RPC_INVALID_REQUEST, "authenticated already");
	} else {
		reply_error(s, &m->id, OB_RPC_NO_METHOD, "unknown method");
	}
}

struct ob_identity obi_session_identity(const struct obi_session *s)
{
	const struct obi_handshake *auth = &s->auth;
	struct ob_identity who = {
	    .size = sizeof who,
	    .known = s->setup.peer.known,
	    .uid = s->setup.peer.uid,
	    .gid = s->setup.peer.gid,
	    .pid = s->setup.peer.pid,
	    .cid = s->setup.peer.cid,
	    .subject = ob_bytes_of(auth->subject, auth->subject_len),
	    .parent = s->supervised,
	};
	if (auth->setup != NULL && auth->setup->count > 0) {
		who.method = ob_bytes_text(auth->setup->mechanisms[auth->setup->count - 1].name);
	}
	return who;
}

/* The id of a deferred call must outlive the message. */
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
	struct ob_call *call = obi_call_take(s);
	if (call == NULL) {
		obi_session_fail(s, OB_ENOMEM, "out of memory");
		return;
	}
	keep_id(call, &m->id);
	call->batch = m->kind == OB_REQUEST ? s->batch : NULL;
	call->notification = m->kind == OB_NOTIFY;
	memcpy(call->method, m->method.data, m->method.len);
	call->method[m->method.len] = '\0';
	call->params = m->params;
	call->identity = obi_session_identity(s);
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
	obi_call_give_back(s, call);
}

static void on_request(struct obi_session *s, const struct ob_message *m)
{
	if (m->method.len > 9 && memcmp(m->method.data, "outboard.", 9) == 0) {
		on_own_request(s, m);
	} else if (obi_call_find(s, &m->id) != NULL) {
		obi_session_fail(s, OB_EPROTO, "the peer used a call id twice");
	} else if (m->method.len > OBI_METHOD_MAX) {
		reply_error(s, &m->id, OB_RPC_NO_METHOD, "unknown method");
	} else if (s->deferred_count >= s->setup.limits.calls ||
		   obi_buf_len(&s->out) + s->batched >= s->setup.limits.queue) {
		reply_error(s, &m->id, OB_RPC_BUSY, "too many calls in flight");
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
	} else if (s->deferred_count >= s->setup.limits.calls) {
		s->ignored++; /* nobody waits for an answer that could say BUSY */
	} else if (m->method.len <= OBI_METHOD_MAX &&
		   (m->method.len < 2 || memcmp(m->method.data, "$/", 2) != 0)) {
		hand_over(s, m);
	}
}

/* Before authentication: a request of outboard.auth for an acceptor, its reply for a dialer, and
 * nothing else. */
static void dispatch_unauthenticated(struct obi_session *s, const struct ob_message *m, bool more)
{
	if (s->setup.role == OB_AUTH_DIALER && m->kind == OB_RESPONSE) {
		on_response(s, m);
	} else if (s->setup.role == OB_AUTH_ACCEPTOR && m->kind == OB_REQUEST &&
		   ob_bytes_is(m->method, "outboard.auth")) {
		on_auth_request(s, m, more);
	} else if (s->setup.role == OB_AUTH_ACCEPTOR && m->kind == OB_REQUEST) {
		refuse(s, &m->id, "the peer called before it authenticated");
	} else {
		obi_session_fail(s, OB_EAUTH, "a message out of place before authentication");
	}
}

void obi_session_dispatch_one(struct obi_session *s, const struct ob_message *m)
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
		reply(s, &m->id, &m->error, NULL);
		break;
	default:
		obi_session_fail(s, OB_EPROTO, "a message out of place");
	}
}

void obi_session_dispatch(struct obi_session *s, const struct ob_message *m, bool more)
{
	if (s->state == OBI_SESSION_AUTH) {
		dispatch_unauthenticated(s, m, more);
	} else if (m->kind == OB_BATCH) {
		obi_batch_dispatch(s, m);
	} else {
		obi_session_dispatch_one(s, m);
	}
}
