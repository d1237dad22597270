/* SPDX-License-Identifier: MIT */
#include "rpc/call.h"

#include <stdlib.h>

#include "base/value.h"

struct ob_value obi_error_value(struct ob_arena *arena, int64_t code, const char *message)
{
	struct ob_pair *pairs = ob_arena_alloc(arena, 2 * sizeof *pairs);
	if (pairs == NULL) {
		return ob_int(code);
	}
	pairs[0].key = ob_string("code");
	pairs[0].value = ob_int(code);
	pairs[1].key = ob_string("message");
	pairs[1].value = ob_string(message);
	return ob_map(pairs, 2);
}

/* ---- What orphans hold ---- */

struct obi_orphan_count *obi_orphan_count_new(void)
{
	struct obi_orphan_count *count = calloc(1, sizeof *count);
	if (count != NULL) {
		atomic_store(&count->users, 1);
	}
	return count;
}

void obi_orphan_count_unref(struct obi_orphan_count *count)
{
	if (count != NULL && atomic_fetch_sub(&count->users, 1) == 1) {
		free(count);
	}
}

static void count_orphan(struct ob_call *call, struct obi_orphan_count *count)
{
	if (count != NULL) {
		atomic_fetch_add(&count->users, 1);
		atomic_fetch_add(&count->bytes, call->held);
		call->orphans = count;
	}
}

static void uncount_orphan(struct ob_call *call)
{
	if (call->orphans != NULL) {
		atomic_fetch_sub(&call->orphans->bytes, call->held);
		obi_orphan_count_unref(call->orphans);
		call->orphans = NULL;
	}
}

bool obi_calls_are_full(const struct obi_calls *calls, size_t max, bool is_parent)
{
	return calls->deferred_bytes >= max ||
	       (!is_parent && calls->orphans != NULL &&
		atomic_load(&calls->orphans->bytes) / OBI_ORPHAN_SHARE >= max);
}

/* ---- The calls of a session ---- */

struct ob_call *obi_call_take(struct obi_calls *calls)
{
	struct ob_call *call = calls->spare;
	calls->spare = NULL;
	if (call == NULL && (call = calloc(1, sizeof *call)) != NULL) {
		obi_arena_init(&call->arena, 0);
		obi_arena_init(&call->tree, 0);
		obi_buf_init(&call->message, 0);
	}
	if (call != NULL) {
		call->calls = calls;
		call->notification = call->answered = call->deferred = false;
		atomic_store_explicit(&call->canceled, OB_OK, memory_order_relaxed);
		call->arena.budget = calls->budget;
	}
	return call;
}

static void drop_message(struct ob_call *call)
{
	if (call->giver != NULL) {
		call->giver->taker = NULL;
		call->giver = NULL;
	}
	if (call->message.sink.data == NULL) {
		return;
	}
	/* The session gets its buffer back, if it has taken no other one: so that a large call
	 * after the other takes no new memory. A very large one is freed by this. */
	obi_buf_consume(&call->message, obi_buf_len(&call->message));
	if (call->calls != NULL && call->calls->input->sink.data == NULL) {
		*call->calls->input = call->message;
		obi_buf_init(&call->message, 0);
	}
	obi_buf_free(&call->message);
	obi_arena_free(&call->tree);
}

static void free_call(struct ob_call *call)
{
	obi_arena_free(&call->arena);
	free(call);
}

static void list_deferred(struct ob_call *call)
{
	struct obi_calls *calls = call->calls;
	call->next = calls->deferred;
	call->slot = &calls->deferred;
	if (call->next != NULL) {
		call->next->slot = &call->next;
	}
	calls->deferred = call;
	calls->deferred_count++;
	calls->deferred_bytes += call->held;
}

static void unlist_deferred(struct ob_call *call)
{
	*call->slot = call->next;
	if (call->next != NULL) {
		call->next->slot = call->slot;
	}
	call->calls->deferred_count--;
	call->calls->deferred_bytes -= call->held;
}

void obi_call_release(struct ob_call *call)
{
	struct obi_calls *calls = call->calls;
	if (calls != NULL && call->deferred) {
		unlist_deferred(call);
	}
	uncount_orphan(call);
	drop_message(call);
	if (calls == NULL || calls->spare != NULL) {
		free_call(call);
		return;
	}
	obi_arena_reset(&call->arena);
	calls->spare = call;
}

void obi_calls_orphan(struct obi_calls *calls)
{
	while (calls->deferred != NULL) {
		struct ob_call *call = calls->deferred;
		unlist_deferred(call);
		count_orphan(call, calls->orphans);
		call->calls = NULL;
		call->answer = NULL;
		call->batch = NULL;
		atomic_store(&call->canceled, OB_ECLOSED);
	}
}

void obi_calls_free(struct obi_calls *calls)
{
	if (calls->spare != NULL) {
		free_call(calls->spare);
		calls->spare = NULL;
	}
}

static bool same_id(const struct ob_id *a, const struct ob_id *b)
{
	return a->foreign == b->foreign &&
	       (a->foreign ? ob_bytes_equal(a->raw, b->raw) : a->number == b->number);
}

struct ob_call *obi_call_find(const struct obi_calls *calls, const struct ob_id *id)
{
	struct ob_call *call = calls->deferred;
	while (call != NULL && (call->notification || !same_id(&call->id, id))) {
		call = call->next;
	}
	return call;
}

/* ---- Deferring and answering ---- */

static int copy_claims(struct ob_call *call)
{
	struct ob_value *copy;
	if (call->identity.claims == NULL) {
		return OB_OK;
	}
	copy = ob_arena_alloc(&call->arena.ob, sizeof *copy);
	if (copy == NULL || obi_value_copy(call->identity.claims, &call->arena, copy) < 0) {
		return OB_ENOMEM;
	}
	call->identity.claims = copy;
	return OB_OK;
}

/* Whether the call takes over the message. */
static bool takes_over(const struct ob_call *call)
{
	const struct obi_calls *calls = call->calls;
	return calls->message >= OBI_LARGE && calls->taker == NULL &&
	       calls->message >= calls->input->sink.cap / OBI_LARGE_SHARE;
}

static int copy_borrowed(struct ob_call *call, bool with_params)
{
	struct ob_value params = call->params;
	int r = with_params ? obi_value_copy(&call->params, &call->arena, &params) : OB_OK;
	void *subject =
	    obi_arena_copy(&call->arena, call->identity.subject.data, call->identity.subject.len);
	char *method = obi_arena_text(&call->arena, (const char *)call->identity.method.data,
				      call->identity.method.len);
	if (r < 0 || subject == NULL || method == NULL || copy_claims(call) < 0) {
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
	struct obi_calls *calls = call->calls;
	bool taken = takes_over(call);
	if (copy_borrowed(call, !taken) < 0) {
		obi_call_answer_error(call, OB_RPC_INTERNAL, "out of memory");
		return OB_ENOMEM;
	}
	call->deferred = true;
	call->notices_max = calls->queue_max;
	atomic_store(&call->notice_error, OB_OK);
	call->held = sizeof *call + obi_arena_size(&call->arena);
	if (taken) {
		call->giver = calls;
		calls->taker = call;
		call->held += calls->input->sink.cap + obi_arena_size(calls->tree);
	}
	list_deferred(call);
	if (call->batch != NULL) {
		call->batch->owed++;
	}
	return OB_OK;
}

int obi_calls_hand_over(struct obi_calls *calls)
{
	struct ob_call *call = calls->taker;
	size_t len = calls->message;
	calls->message = 0;
	if (call == NULL) {
		return OB_OK;
	}
	calls->taker = NULL;
	call->giver = NULL;
	call->message = *calls->input;
	call->tree = *calls->tree;
	obi_arena_init(calls->tree, call->tree.budget);
	obi_buf_init(calls->input, call->message.max);
	/* What follows the message. */
	struct ob_bytes all = obi_buf_bytes(&call->message);
	return ob_sink_put(obi_buf_sink(calls->input), all.data + len, all.len - len) ? OB_OK
										      : OB_ENOMEM;
}

int obi_call_answer(struct ob_call *call, const struct ob_value *error,
		    const struct ob_value *result)
{
	if (call->answer != NULL) {
		return call->answer(call, error, result);
	}
	obi_call_release(call);
	return OB_OK;
}

int obi_call_answer_error(struct ob_call *call, int64_t code, const char *message)
{
	struct ob_value error = obi_error_value(&call->arena.ob, code, message);
	return obi_call_answer(call, &error, NULL);
}
