/* SPDX-License-Identifier: MIT */
#include "rpc/answer.h"

static const char unread[] = "the peer does not read: too much is queued";

static int send_to(struct obi_session *s, struct obi_batch *batch, const struct ob_message *m)
{
	return batch != NULL ? obi_batch_add(batch, m) : obi_session_send(s, m, NULL);
}

static struct ob_value why_not_sent(struct ob_arena *arena, int code)
{
	switch (code) {
	case OB_ETOOBIG:
		return obi_error_value(arena, OB_RPC_TOO_BIG,
				       "the result is larger than the message limit");
	case OB_EAGAIN:
		return obi_error_value(arena, OB_RPC_BUSY,
				       "the answers of open batches hold too many bytes");
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
	int r = send_to(s, batch, &m);
	if (r != OB_ETOOBIG && r != OB_EINVAL && r != OB_EAGAIN) {
		return r;
	}
	m.error = why_not_sent(arena, r);
	m.result = ob_nil();
	int again = send_to(s, batch, &m);
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
		obi_session_close(s, r, "the answers to a batch are larger than the message limit");
	}
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
