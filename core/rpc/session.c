/* SPDX-License-Identifier: MIT */
#include "rpc/session.h"

#include "rpc/authentication.h"
#include "base/error.h"

/* Memory that a deferred call may take, beside OBI_VALUE_PER_BYTE for each byte of a message. */
enum { DEFERRED_CONSTANT = 64 * 1024 };

/* Bytes of each queue that a session at rest keeps: an answer of `health` fits. */
enum { REST_KEEP = 512 };

/* So many calls of the library may be in flight beside those of the user. */
enum { OWN_CALLS = 16 };

void obi_session_init(struct obi_session *s, const struct obi_session_setup *setup)
{
	const struct obi_rpc_limits *limits = &setup->limits;
	size_t most = (size_t)limits->queue +
		      (limits->queue > limits->message ? limits->queue : limits->message);
	memset(s, 0, sizeof *s);
	s->setup = *setup;
	obi_buf_init(&s->out, most + OBI_RECORD_HEADER + OB_AUTH_OVERHEAD_MAX);
	obi_buf_init(&s->in,
		     (size_t)limits->message + OBI_RECORD_HEADER + OBI_RECORD_MAX + OBI_READ_SIZE);
	obi_arena_init(&s->arena, 0);
	s->need = 1;
	s->codec_params.size = sizeof s->codec_params;
	s->codec_params.host = setup->host;
	s->codec_params.state = setup->codec_state;
	s->codec_params.depth = limits->depth;
	s->codec_params.batch = limits->calls;
	s->codec_params.message = limits->preauth;
	obi_pending_init(&s->pending);
	s->batches.max = limits->queue;
	s->calls.session = s;
	s->calls.orphans = setup->orphans;
	s->calls.input = &s->in;
	s->calls.tree = &s->arena;
	s->calls.queue_max = limits->queue;
	s->calls.budget = OBI_VALUE_PER_BYTE * (size_t)limits->message + DEFERRED_CONSTANT;
}

void obi_session_free(struct obi_session *s)
{
	obi_session_fail(s, OB_ECLOSED, "closed");
	obi_authentication_end(s);
	obi_claims_free(s->claims);
	obi_sealed_records_end(&s->records);
	obi_pending_free(&s->pending);
	obi_calls_free(&s->calls);
	obi_buf_free(&s->in);
	obi_buf_free(&s->out);
	obi_arena_free(&s->arena);
}

static void set_identity(struct obi_session *s)
{
	struct obi_handshake *auth = &s->auth;
	s->claims = obi_handshake_take_claims(auth);
	s->identity = (struct ob_identity){
	    .size = sizeof s->identity,
	    .known = s->setup.peer.known & ~(uint32_t)OB_PEER_SUBJECT,
	    .uid = s->setup.peer.uid,
	    .gid = s->setup.peer.gid,
	    .pid = s->setup.peer.pid,
	    .cid = s->setup.peer.cid,
	    .subject = ob_bytes_of(auth->subject, auth->subject_len),
	    .claims = s->claims != NULL ? &s->claims->map : NULL,
	    .listener = s->setup.listener,
	};
	if (auth->setup != NULL && auth->setup->count > 0) {
		s->identity.method =
		    ob_bytes_text(auth->setup->mechanisms[auth->setup->count - 1].name);
	}
}

void obi_session_open(struct obi_session *s)
{
	set_identity(s);
	s->setup.peer.known &= ~(uint32_t)OB_PEER_SUBJECT; /* it is valid as long as the stream */
	s->setup.peer.subject = ob_bytes_of(NULL, 0);
	s->state = OBI_SESSION_OPEN;
	s->codec_params.message = s->setup.limits.message;
	s->setup.events.opened(s->setup.events.user);
}

enum obi_handshake_progress obi_session_progress(const struct obi_session *s)
{
	bool unconfirmed = s->state == OBI_SESSION_CONFIRMING || s->state == OBI_SESSION_CLOSED;
	if (s->auth.proved && !(unconfirmed && s->auth.repeated)) {
		return OBI_PROGRESS_PROVEN;
	}
	return s->auth.proved || s->auth.exchange != NULL ? OBI_PROGRESS_TALKING
							  : OBI_PROGRESS_NONE;
}

/* ---- The end ---- */

static void finish(struct obi_session *s, const struct ob_error *err)
{
	struct obi_pending *call;
	if (s->state == OBI_SESSION_CLOSED) {
		return;
	}
	s->state = OBI_SESSION_CLOSED;
	/* The callbacks below may free what the authentication was set up with. */
	obi_authentication_end(s);
	struct ob_error lost = *err;
	lost.code = err->code == OB_ECLOSED ? OB_ECLOSED : OB_ECONNLOST;
	while ((call = obi_pending_take_any(&s->pending)) != NULL) {
		obi_pending_end(&s->pending, call, lost.code, NULL, &lost);
	}
	obi_calls_orphan(&s->calls);
	obi_batches_free(&s->batches, s->reading);
	s->setup.events.closed(s->setup.events.user, err);
}

void obi_session_fail(struct obi_session *s, int code, const char *format, ...)
{
	struct ob_error err;
	va_list args;
	va_start(args, format);
	obi_failv(&err, code, 0, format, args);
	va_end(args);
	finish(s, &err);
}

void obi_session_ended(struct obi_session *s, const struct ob_error *err)
{
	struct ob_error end;
	if (err != NULL) {
		end = *err;
	} else if (s->state != OBI_SESSION_OPEN) {
		obi_fail(&end, OB_EREFUSED, 0,
			 "the peer closed the connection before it was authenticated");
	} else if (obi_buf_len(&s->in) > 0) {
		obi_fail(&end, OB_ECONNLOST, 0, "the connection ended within a message");
	} else if (s->records.auth != NULL && !s->peer_bye) {
		obi_fail(&end, OB_ECONNLOST, 0, "the connection was cut: the peer sent no $/bye");
	} else {
		obi_fail(&end, OB_ECONNLOST, 0, "the peer closed the connection%s",
			 s->peer_bye ? " after $/bye" : "");
	}
	finish(s, &end);
}

void obi_session_bye(struct obi_session *s)
{
	if (s->state == OBI_SESSION_OPEN && s->peer_is_ours) {
		(void)obi_session_notify(s, ob_bytes_text("$/bye"), NULL, NULL);
	}
	s->said_bye = true;
}

bool obi_session_is_quiet(const struct obi_session *s)
{
	return s->pending.used == 0 && s->calls.deferred_count == 0 && s->batches.first == NULL &&
	       !s->receiving && obi_buf_len(&s->out) == 0;
}

void obi_session_rest(struct obi_session *s)
{
	obi_buf_shrink(&s->in, REST_KEEP);
	obi_buf_shrink(&s->out, REST_KEEP);
}

void obi_session_close(struct obi_session *s, int code, const char *text)
{
	obi_session_bye(s);
	obi_session_fail(s, code, "%s", text);
}

/* ---- Output ---- */

/* A message was encoded, and is larger than it may be, or failed with code. What does not fit where
 * a message of the largest size would is too large, too. */
static int refuse_size(const struct obi_session *s, int code, size_t begin, struct ob_error *reterr)
{
	uint32_t max = s->setup.limits.message;
	if (code == OB_OK) {
		return obi_fail(reterr, OB_ETOOBIG, 0,
				"message of %zu bytes is larger than message_max (%u)",
				obi_buf_len(&s->out) - begin, max);
	}
	if (code == OB_ETOOBIG ||
	    (code == OB_ENOMEM && !s->out.starved && s->out.max - begin >= max)) {
		return obi_fail(reterr, OB_ETOOBIG, 0, "message is larger than message_max (%u)",
				max);
	}
	return code;
}

int obi_session_send(struct obi_session *s, const struct ob_message *m, struct ob_error *reterr)
{
	size_t before = obi_buf_len(&s->out);
	if (before == 0 && s->records.outgoing && !obi_sealed_records_start(&s->out)) {
		obi_buf_truncate(&s->out, 0);
		return OB_ENOMEM;
	}
	size_t begin = obi_buf_len(&s->out);
	s->out.starved = false; /* of an earlier message: a full queue does not touch it */
	int r = s->setup.codec->encode(m, &s->codec_params, obi_buf_sink(&s->out), reterr);
	if (r < 0 || obi_buf_len(&s->out) - begin > s->setup.limits.message) {
		r = refuse_size(s, r, begin, reterr);
		obi_buf_truncate(&s->out, before);
		return r;
	}
	if (before == 0) {
		s->setup.events.want_write(s->setup.events.user);
	}
	return OB_OK;
}

void obi_session_pieces(struct obi_session *s, struct obi_pieces *ret)
{
	struct ob_error err;
	ret->piece[0] = obi_buf_bytes(&s->out);
	ret->count = ret->piece[0].len > 0;
	if (!s->records.outgoing || ret->count == 0) {
		return;
	}
	int r = obi_sealed_records_seal(&s->records, &s->out, ret, &err);
	if (r < 0) {
		obi_session_fail(s, OB_ECONNLOST, "%s", err.text);
		ret->count = 0;
	}
}

struct ob_bytes obi_session_output(struct obi_session *s)
{
	struct obi_pieces pieces;
	obi_session_pieces(s, &pieces);
	return pieces.count > 0 ? pieces.piece[0] : ob_bytes_of(NULL, 0);
}

void obi_session_wrote(struct obi_session *s, size_t n)
{
	if (s->records.sealed > 0) {
		obi_sealed_records_wrote(&s->records, &s->out, n);
	} else {
		obi_buf_consume(&s->out, n);
	}
}

static int refuse_queue(const struct obi_session *s, struct ob_error *reterr)
{
	return obi_fail(reterr, OB_EAGAIN, 0,
			"too much is queued to the peer already (queue_max %u)",
			s->setup.limits.queue);
}

static int refuse_send(int r, struct ob_error *reterr, const struct obi_session *s)
{
	switch (r) {
	case OB_ETOOBIG:
		return r; /* reterr says it */
	case OB_ENOMEM:
		return s->out.starved ? obi_fail(reterr, r, 0, "out of memory for a message")
				      : refuse_queue(s, reterr);
	default:
		return obi_fail(reterr, r, 0, "the parameters cannot be encoded");
	}
}

/* Whether a call or notification can be sent now. */
static int check_open(struct obi_session *s, const struct ob_value *params, struct ob_error *reterr)
{
	if (s->state != OBI_SESSION_OPEN || s->said_bye) {
		return obi_fail(reterr, OB_EDOWN, 0, "RPC not connected");
	}
	if (params != NULL && params->type != OB_ARRAY && params->type != OB_MAP &&
	    params->type != OB_NIL) {
		return obi_fail(reterr, OB_EINVAL, 0, "params must be an array or a map");
	}
	if (obi_buf_len(&s->out) >= s->setup.limits.queue) {
		return refuse_queue(s, reterr);
	}
	return OB_OK;
}

int obi_session_notify(struct obi_session *s, struct ob_bytes method, const struct ob_value *params,
		       struct ob_error *reterr)
{
	struct ob_message m = {.size = sizeof m, .kind = OB_NOTIFY, .method = method};
	int r = check_open(s, params, reterr);
	if (r < 0) {
		return r;
	}
	m.params = params != NULL ? *params : ob_nil();
	r = obi_session_send(s, &m, reterr);
	return r < 0 ? refuse_send(r, reterr, s) : OB_OK;
}

/* ---- Calls of ours ---- */

/* The library's own questions, such as heartbeats, do not wait for the user's calls: silence would
 * be taken for the peer's. */
static uint32_t calls_at_most(const struct obi_session *s, struct ob_bytes method)
{
	static const char own[] = "outboard";
	bool is_own = method.len > sizeof own - 1 && memcmp(method.data, own, sizeof own - 1) == 0;
	return s->setup.limits.calls + (is_own ? OWN_CALLS : 0);
}

int obi_session_call(struct obi_session *s, struct ob_bytes method, const struct ob_value *params,
		     int64_t deadline, ob_reply_fn *fn, void *user, struct obi_pending **ret_call,
		     struct ob_error *reterr)
{
	struct ob_message m = {.size = sizeof m, .kind = OB_REQUEST, .method = method};
	int r = check_open(s, params, reterr);
	if (r < 0) {
		return r;
	}
	if (s->pending.used >= calls_at_most(s, method)) {
		return obi_fail(reterr, OB_EAGAIN, 0,
				"%u calls are in flight already (calls_max %u)", s->pending.used,
				s->setup.limits.calls);
	}
	bool sooner = deadline < s->pending.earliest;
	struct obi_pending *call = obi_pending_add(&s->pending, deadline);
	if (call == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	call->fn = fn;
	call->user = user;
	m.id.number = call->id;
	m.params = params != NULL ? *params : ob_nil();
	r = obi_session_send(s, &m, reterr);
	if (r < 0) {
		obi_pending_give_back(&s->pending, obi_pending_take(&s->pending, call->id));
		return refuse_send(r, reterr, s);
	}
	if (ret_call != NULL) {
		*ret_call = call;
	}
	if (sooner) {
		s->setup.events.want_timer(s->setup.events.user);
	}
	return OB_OK;
}

/* Tell the peer, if it understands it, that the reply is not needed any more. */
static void send_cancel(struct obi_session *s, uint32_t id)
{
	struct ob_value items[1] = {ob_int(id)};
	struct ob_value params = ob_array(items, 1);
	if (s->peer_is_ours && s->state == OBI_SESSION_OPEN) {
		(void)obi_session_notify(s, ob_bytes_text("$/cancel"), &params, NULL);
	}
}

struct obi_pending *obi_session_take(struct obi_session *s, uint32_t id, const void *owner)
{
	const struct obi_pending *call = obi_pending_find(&s->pending, id);
	if (call == NULL || call->owner != owner) {
		return NULL;
	}
	send_cancel(s, id);
	return obi_pending_take(&s->pending, id);
}

struct obi_pending *obi_session_take_owned(struct obi_session *s, const void *owner)
{
	struct obi_pending *call = obi_pending_take_owned(&s->pending, owner);
	if (call != NULL) {
		send_cancel(s, call->id);
	}
	return call;
}

int64_t obi_session_deadline(const struct obi_session *s)
{
	return s->pending.used > 0 ? s->pending.earliest : INT64_MAX;
}

void obi_session_expire(struct obi_session *s, int64_t now)
{
	struct obi_pending *call;
	struct ob_error err;
	while ((call = obi_pending_take_due(&s->pending, now)) != NULL) {
		send_cancel(s, call->id);
		obi_fail(&err, OB_ETIMEDOUT, 0, "no reply in time");
		obi_pending_end(&s->pending, call, OB_ETIMEDOUT, NULL, &err);
	}
}
