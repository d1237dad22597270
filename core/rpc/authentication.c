/* SPDX-License-Identifier: MIT */
#include "rpc/authentication.h"

#include "base/error.h"
#include "rpc/answer.h"

static void ask(struct obi_session *s, struct ob_bytes in);

void obi_authentication_begin(struct obi_session *s)
{
	struct ob_error err = {0};
	if (s->setup.auth == NULL) {
		obi_session_open(s);
		return;
	}
	if (obi_handshake_begin(&s->auth, s->setup.auth, s->setup.role, &s->setup.peer,
				s->setup.binding, ob_bytes_text(s->setup.uri), &err) < 0) {
		obi_session_fail(s, OB_EAUTH, "%s", err.text);
	} else if (obi_handshake_passed(&s->auth)) {
		obi_session_open(s);
	} else if (s->setup.role == OB_AUTH_DIALER) {
		ask(s, ob_bytes_of(NULL, 0));
	}
}

/* ---- Waiting ---- */

/* The peer must be silent until this end has gone on. */
static void wait_to(struct obi_session *s, enum obi_auth_waiting what)
{
	struct ob_want want;
	struct ob_error err = {0};
	if (s->setup.events.auth_wait == NULL || obi_handshake_want(&s->auth, &want, &err) < 0) {
		obi_session_fail(s, OB_EAUTH, "%s",
				 err.text[0] != '\0' ? err.text : "nothing can wait here");
		return;
	}
	s->waiting = what;
	s->setup.events.auth_wait(s->setup.events.user, &want);
}

/* The request that is to be answered later: its message does not live as long. */
static void keep_id(struct obi_session *s, const struct ob_id *id)
{
	if (id == &s->waiting_id) {
		return; /* it waits again */
	}
	s->waiting_id = *id;
	if (id->foreign) {
		size_t len = id->raw.len < OB_ID_MAX ? id->raw.len : OB_ID_MAX;
		memcpy(s->waiting_raw, id->raw.data, len);
		s->waiting_id.raw = ob_bytes_of(s->waiting_raw, len);
	}
}

void obi_authentication_end(struct obi_session *s)
{
	if (s->waiting != OBI_WAITING_NOT) {
		s->waiting = OBI_WAITING_NOT;
		s->setup.events.auth_wait(s->setup.events.user, NULL);
	}
	obi_handshake_end(&s->auth);
}

/* ---- A mechanism has passed ---- */

/* The first record of a dialer is empty and shows that the dialer has the keys. It is sealed now so
 * that it stays empty whatever is sent next. */
static bool send_first_record(struct obi_session *s)
{
	struct obi_pieces record;
	if (obi_buf_len(&s->out) > 0) {
		return false; /* still to be sent in the clear */
	}
	s->records.outgoing = true;
	return obi_sealed_records_start(&s->out) &&
	       obi_sealed_records_seal(&s->records, &s->out, &record, NULL) == OB_OK;
}

static void start_sealing(struct obi_session *s)
{
	const struct ob_auth_ops *ops;
	struct ob_auth *sealer = obi_handshake_take_sealer(&s->auth, &ops);
	if (sealer == NULL) {
		return;
	}
	obi_sealed_records_begin(&s->records, ops, sealer);
	if (s->setup.role == OB_AUTH_ACCEPTOR) {
		s->state = OBI_SESSION_CONFIRMING;
	} else if (!send_first_record(s)) {
		obi_session_fail(s, OB_EPROTO, "the peer answered a message before it was sent");
	} else {
		s->setup.events.want_write(s->setup.events.user);
	}
}

/* Seal the last answer of an acceptor as a record of its own: until the dialer has read it, the
 * dialer accepts no larger record. */
static bool seal_last_answer(struct obi_session *s)
{
	struct obi_pieces record;
	return !s->records.outgoing || obi_buf_len(&s->out) == 0 ||
	       obi_sealed_records_seal(&s->records, &s->out, &record, NULL) == OB_OK;
}

static void on_passed(struct obi_session *s)
{
	start_sealing(s);
	if (s->state != OBI_SESSION_AUTH || !obi_handshake_passed(&s->auth)) {
		return;
	}
	if (!seal_last_answer(s)) {
		obi_session_fail(s, OB_ENOMEM, "out of memory for a record");
	} else {
		s->peer_is_ours = true;
		obi_session_open(s);
	}
}

void obi_authentication_confirm(struct obi_session *s)
{
	/* The dialer could not make its record before it had read all that was sent in the clear.
	 */
	if (obi_buf_len(&s->out) > 0) {
		obi_session_fail(s, OB_EPROTO,
				 "a sealed record arrived before all plain messages were sent");
		return;
	}
	s->records.outgoing = true;
	s->state = OBI_SESSION_AUTH;
	on_passed(s);
}

/* ---- Acceptor ---- */

static void refuse_with(struct obi_session *s, const struct ob_id *id, int code, const char *why)
{
	obi_answer_error(s, id, OB_RPC_REFUSED, "refused");
	obi_session_fail(s, code, "%s", why);
}

static void refuse(struct obi_session *s, const struct ob_id *id, const char *why)
{
	refuse_with(s, id, OB_EAUTH, why);
}

/* Failures of what a mechanism needs are told from those of the peer. */
static int refusal_of(int r)
{
	return r == OB_EDOWN || r == OB_EREMOTE ? r : OB_EAUTH;
}

/* Take one step and answer the request. */
static void answer(struct obi_session *s, const struct ob_id *id, struct ob_bytes name,
		   struct ob_bytes data, bool more)
{
	uint8_t memory[OBI_HANDSHAKE_DATA_MAX];
	struct ob_sink out = ob_sink_fixed(memory, sizeof memory);
	struct ob_error err = {0};
	int r = obi_handshake_answer(&s->auth, name, data, &out, &err);
	if (r < 0) {
		refuse_with(s, id, refusal_of(r), err.text);
	} else if (more) {
		refuse(s, id, "the peer sent more than its authentication request");
	} else if (r == OB_AUTH_WAIT) {
		keep_id(s, id);
		wait_to(s, OBI_WAITING_ANSWER);
	} else {
		struct ob_value items[2] = {ob_string(r == OB_AUTH_DONE ? "done" : "more"),
					    ob_binary(memory, out.len)};
		struct ob_value result = ob_array(items, 2);
		obi_answer(s, id, NULL, &result);
	}
	explicit_bzero(memory, sizeof memory);
	if (s->state == OBI_SESSION_AUTH && r == OB_AUTH_DONE) {
		on_passed(s);
	}
}

void obi_authentication_request(struct obi_session *s, const struct ob_message *m, bool more)
{
	struct ob_bytes name, data;
	if (s->waiting != OBI_WAITING_NOT) {
		refuse(s, &m->id, "the peer did not wait for the answer to its request");
	} else if (!ob_bytes_is(m->method, "outboard.auth")) {
		refuse(s, &m->id, "the peer called before it authenticated");
	} else if (!ob_get_string(ob_value_at(&m->params, 0), &name) ||
		   !ob_get_binary(ob_value_at(&m->params, 1), &data)) {
		refuse(s, &m->id, "malformed outboard.auth request");
	} else {
		answer(s, &m->id, name, data, more);
	}
}

/* ---- Dialer ---- */

static void on_done(struct obi_session *s, struct ob_bytes data)
{
	struct ob_error err = {0};
	int r = obi_handshake_told_done(&s->auth, data, &err);
	if (r < 0) {
		obi_session_fail(s, OB_EAUTH, "%s", err.text);
		return;
	}
	if (r == OB_AUTH_WAIT) {
		wait_to(s, OBI_WAITING_DONE);
		return;
	}
	on_passed(s);
	if (s->state == OBI_SESSION_AUTH) {
		ask(s, ob_bytes_of(NULL, 0)); /* the next mechanism */
	}
}

static void on_reply(void *user, int code, const struct ob_value *value, const struct ob_error *err)
{
	struct obi_session *s = user;
	struct ob_bytes word, data;
	if (s->state == OBI_SESSION_CLOSED) {
		return;
	}
	if (code != OB_OK) {
		obi_session_fail(s, OB_EAUTH, "authentication failed: %s", err->text);
		return;
	}
	bool valid = ob_get_string(ob_value_at(value, 0), &word) &&
		     ob_get_binary(ob_value_at(value, 1), &data);
	if (valid && ob_bytes_is(word, "more")) {
		ask(s, data);
	} else if (valid && ob_bytes_is(word, "done")) {
		on_done(s, data);
	} else {
		obi_session_fail(s, OB_EPROTO, "malformed reply to outboard.auth");
	}
}

static int send_request(struct obi_session *s, struct ob_bytes data)
{
	struct ob_message m = {
	    .size = sizeof m, .kind = OB_REQUEST, .method = ob_bytes_text("outboard.auth")};
	struct obi_pending *call = obi_pending_add(&s->pending, INT64_MAX);
	if (call == NULL) {
		return OB_ENOMEM;
	}
	call->fn = on_reply;
	call->user = s;
	struct ob_value items[2] = {ob_string(obi_handshake_mechanism(&s->auth)),
				    ob_binary(data.data, data.len)};
	m.id.number = call->id;
	m.params = ob_array(items, 2);
	return obi_session_send(s, &m, NULL);
}

/* Send the next message of the mechanism. in is the last one of the peer, empty at the start. */
static void ask(struct obi_session *s, struct ob_bytes in)
{
	uint8_t memory[OBI_HANDSHAKE_DATA_MAX];
	struct ob_sink out = ob_sink_fixed(memory, sizeof memory);
	struct ob_error err = {0};
	int r = obi_handshake_ask(&s->auth, in, &out, &err);
	if (r < 0) {
		obi_session_fail(s, OB_EAUTH, "%s", err.text);
		return;
	}
	if (r == OB_AUTH_WAIT) {
		wait_to(s, OBI_WAITING_ASK);
		return;
	}
	r = send_request(s, ob_bytes_of(memory, out.len));
	explicit_bzero(memory, sizeof memory);
	if (r < 0) {
		obi_session_fail(s, r, "cannot send the authentication request");
	}
}

/* ---- Going on ---- */

void obi_authentication_continue(struct obi_session *s)
{
	const struct ob_bytes nothing = ob_bytes_of(NULL, 0);
	enum obi_auth_waiting what = s->waiting;
	s->waiting = OBI_WAITING_NOT;
	switch (what) {
	case OBI_WAITING_ANSWER:
		answer(s, &s->waiting_id, ob_bytes_text(obi_handshake_mechanism(&s->auth)), nothing,
		       false);
		break;
	case OBI_WAITING_ASK:
		ask(s, nothing);
		break;
	case OBI_WAITING_DONE:
		on_done(s, nothing);
		break;
	default:
		break;
	}
}
