/* SPDX-License-Identifier: MIT */
#include "rpc/session.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/value.h"
#include "rpc/session_private.h"

enum { DEFERRED_BUDGET_SLACK = 64 * 1024 };

struct ob_value obi_error_value(struct ob_arena *arena, int64_t code, const char *message)
{
	struct ob_pair *pairs = ob_arena_alloc(arena, 2 * sizeof *pairs);
	if (pairs == NULL) {
		return ob_nil();
	}
	pairs[0].key = ob_string("code");
	pairs[0].value = ob_int(code);
	pairs[1].key = ob_string("message");
	pairs[1].value = ob_string(message);
	return ob_map(pairs, 2);
}

/* ---- The calls of a session ---- */

struct ob_call *obi_call_take(struct obi_session *s)
{
	struct ob_call *call = s->spare;
	s->spare = NULL;
	if (call == NULL && (call = calloc(1, sizeof *call)) != NULL) {
		obi_arena_init(&call->arena, 0);
	}
	if (call != NULL) {
		call->session = s;
		call->owner = s->setup.call_owner;
		call->notification = call->answered = call->deferred = false;
		atomic_store_explicit(&call->canceled, false, memory_order_relaxed);
		call->arena.budget =
		    OBI_VALUE_PER_BYTE * (size_t)s->setup.limits.message + DEFERRED_BUDGET_SLACK;
	}
	return call;
}

void obi_call_give_back(struct obi_session *s, struct ob_call *call)
{
	if (s == NULL || s->spare != NULL) {
		obi_arena_free(&call->arena);
		free(call);
		return;
	}
	obi_arena_reset(&call->arena);
	s->spare = call;
}

static void link_deferred(struct obi_session *s, struct ob_call *call)
{
	call->next = s->deferred;
	call->slot = &s->deferred;
	if (call->next != NULL) {
		call->next->slot = &call->next;
	}
	s->deferred = call;
	s->deferred_count++;
}

static void unlink_deferred(struct ob_call *call)
{
	*call->slot = call->next;
	if (call->next != NULL) {
		call->next->slot = call->slot;
	}
	call->session->deferred_count--;
}

void obi_calls_orphan(struct obi_session *s)
{
	while (s->deferred != NULL) {
		struct ob_call *call = s->deferred;
		unlink_deferred(call);
		call->session = NULL;
		call->batch = NULL;
		atomic_store(&call->canceled, true);
	}
}

static bool same_id(const struct ob_id *a, const struct ob_id *b)
{
	return a->foreign == b->foreign &&
	       (a->foreign ? ob_bytes_equal(a->raw, b->raw) : a->number == b->number);
}

struct ob_call *obi_call_find(struct obi_session *s, const struct ob_id *id)
{
	struct ob_call *call = s->deferred;
	while (call != NULL && (call->notification || !same_id(&call->id, id))) {
		call = call->next;
	}
	return call;
}

static int copy_borrowed(struct ob_call *call)
{
	struct ob_value params;
	int r = obi_value_copy(&call->params, &call->arena, &params);
	void *subject =
	    obi_arena_copy(&call->arena, call->identity.subject.data, call->identity.subject.len);
	char *method = obi_arena_text(&call->arena, (const char *)call->identity.method.data,
				      call->identity.method.len);
	if (r < 0 || subject == NULL || method == NULL) {
		return OB_ENOMEM;
	}
	call->params = params;
	call->identity.subject.data = subject;
	call->identity.method.data = (const uint8_t *)method;
	return OB_OK;
}

int obi_call_defer(struct ob_call *call)
{
	if (call->deferred) {
		return OB_OK;
	}
	if (copy_borrowed(call) < 0) {
		obi_call_answer_error(call, OB_RPC_INTERNAL, "out of memory");
		return OB_ENOMEM;
	}
	call->deferred = true;
	link_deferred(call->session, call);
	if (call->batch != NULL) {
		call->batch->owed++;
	}
	return OB_OK;
}

/* ---- Answering ---- */

/* Send what was asked for, or if it cannot be sent, say why. */
static int send_answer(struct ob_call *call, const struct ob_value *error,
		       const struct ob_value *result)
{
	struct ob_message m = {.size = sizeof m, .kind = OB_RESPONSE, .id = call->id};
	m.error = error != NULL ? *error : ob_nil();
	m.result = result != NULL ? *result : ob_nil();
	int r = obi_session_answer(call->session, call->batch, &m);
	if (r == OB_OK || (r != OB_ETOOBIG && r != OB_EINVAL)) {
		return r;
	}
	m.error =
	    obi_error_value(&call->arena.ob, r == OB_ETOOBIG ? OB_RPC_TOO_BIG : OB_RPC_INTERNAL,
			    r == OB_ETOOBIG ? "the result is larger than the message limit"
					    : "the result cannot be encoded");
	m.result = ob_nil();
	int again = obi_session_answer(call->session, call->batch, &m);
	return again == OB_OK ? r : again;
}

int obi_call_answer(struct ob_call *call, const struct ob_value *error,
		    const struct ob_value *result)
{
	struct obi_session *s = call->session;
	int r = OB_OK;
	if (s != NULL && s->state == OBI_SESSION_OPEN && !call->notification && !call->answered) {
		r = send_answer(call, error, result);
	}
	call->answered = true;
	if (call->deferred) {
		struct obi_batch *batch = call->batch;
		if (s != NULL) {
			unlink_deferred(call);
		}
		obi_call_give_back(s, call);
		if (batch != NULL) {
			obi_batch_settle(batch);
		}
	}
	if (r == OB_ENOMEM) {
		obi_session_close(s, OB_EAGAIN, "the peer does not read: too much is queued");
	}
	return r;
}

int obi_call_answer_error(struct ob_call *call, int64_t code, const char *message)
{
	struct ob_value error = obi_error_value(&call->arena.ob, code, message);
	if (error.type == OB_NIL) {
		error = ob_int(code);
	}
	return obi_call_answer(call, &error, NULL);
}
