/* SPDX-License-Identifier: MIT */
#include "rpc/answer.h"

#include "base/error.h"

static const char unread[] = "the peer does not read: too much is queued (queue_max)";

/* OB_ETOOBIG and OB_EAGAIN are explained in *err. */
static int send_to(struct obi_session *s, struct obi_batch *batch, const struct ob_message *m,
		   struct ob_error *err)
{
	if (batch == NULL) {
		return obi_session_send(s, m, err);
	}
	int r = obi_batch_add(batch, m);
	if (r == OB_ETOOBIG) {
		obi_fail(err, r, 0, "the answers to the batch are larger than message_max (%u)",
			 s->setup.limits.message);
	} else if (r == OB_EAGAIN) {
		obi_fail(err, r, 0,
			 "the answers of open batches hold too many bytes (queue_max %u)",
			 s->setup.limits.queue);
	}
	return r;
}

static struct ob_value why_not_sent(struct ob_arena *arena, int code, const struct ob_error *err)
{
	switch (code) {
	case OB_ETOOBIG:
		return obi_error_value(arena, OB_RPC_TOO_BIG, err->text);
	case OB_EAGAIN:
		return obi_error_value(arena, OB_RPC_BUSY, err->text);
	default:
		return obi_error_value(arena, OB_RPC_INTERNAL, "the result cannot be encoded");
	}
}

/* Send the answer; if it cannot be sent, send an error that says why, since each id has to be
 * answered. */
static int send_answer(struct obi_session *s, struct obi_batch *batch, const struct ob_id *id,
		       struct ob_arena *arena, const struct ob_value *error,
		       const struct ob_value *result)
{
	struct ob_message m = {.size = sizeof m, .kind = OB_RESPONSE, .id = *id};
	m.error = error != NULL ? *error : ob_nil();
	m.result = result != NULL ? *result : ob_nil();
	struct ob_error err;
	int r = send_to(s, batch, &m, &err);
	if (r != OB_ETOOBIG && r != OB_EINVAL && r != OB_EAGAIN) {
		return r;
	}
	m.error = why_not_sent(arena, r, &err);
	m.result = ob_nil();
	struct ob_error ignored;
	int again = send_to(s, batch, &m, &ignored);
	return again == OB_OK ? r : again;
}

/* Why there was no room for an answer. */
static int shortage_code(const struct obi_session *s)
{
	return s->out.starved ? OB_ENOMEM : OB_EAGAIN;
}

static const char *shortage(const struct obi_session *s)
{
	return s->out.starved ? "out of memory for an answer" : unread;
}

void obi_answer(struct obi_session *s, const struct ob_id *id, const struct ob_value *error,
		const struct ob_value *result)
{
	if (send_answer(s, s->reading, id, &s->arena.ob, error, result) == OB_ENOMEM) {
		obi_session_fail(s, shortage_code(s), "%s", shortage(s));
	}
}

void obi_answer_error(struct obi_session *s, const struct ob_id *id, int64_t code,
		      const char *message)
{
	struct ob_value error = obi_error_value(&s->arena.ob, code, message);
	obi_answer(s, id, &error, NULL);
}

void obi_answer_batch(struct obi_session *s, struct obi_batch *batch)
{
	struct ob_message m;
	int r = OB_OK;
	if (!obi_batch_settle(batch)) {
		return;
	}
	if (s->state == OBI_SESSION_OPEN) {
		r = obi_batch_message(batch, &m);
		r = r == OB_OK && m.encoded.len > 0 ? obi_session_send(s, &m, NULL) : r;
	}
	obi_batch_free(batch);
	if (r == OB_ENOMEM) {
		obi_session_close(s, shortage_code(s), shortage(s));
	} else if (r < 0) {
		obi_session_close(s, r, "the answers to a batch are larger than message_max");
	}
}

int obi_answer_notify(struct ob_call *call, struct ob_bytes method, const struct ob_value *params,
		      struct ob_error *reterr)
{
	int r = obi_session_notify(call->calls->session, method, params, reterr);
	return r == OB_EDOWN ? obi_fail(reterr, OB_ECLOSED, 0, "the connection is being closed")
			     : r;
}

int obi_answer_call(struct ob_call *call, const struct ob_value *error,
		    const struct ob_value *result)
{
	struct obi_session *s = call->calls->session;
	struct obi_batch *batch = call->batch;
	int r = OB_OK;
	if (s->state == OBI_SESSION_OPEN && !call->notification && !call->answered) {
		r = send_answer(s, batch, &call->id, &call->arena.ob, error, result);
	}
	call->answered = true;
	if (call->deferred) {
		obi_call_release(call);
		if (batch != NULL) {
			obi_answer_batch(s, batch);
		}
	}
	if (r == OB_ENOMEM) {
		obi_session_close(s, shortage_code(s), shortage(s));
	}
	return r;
}
