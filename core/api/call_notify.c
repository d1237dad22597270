/* SPDX-License-Identifier: MIT */
/* Notifications to the caller of a call, such as its progress. */
#include <stdlib.h>

#include "api/client.h"
#include "base/error.h"
#include "base/value.h"
#include "rpc/call.h"

/* One that is on its way to the thread of the loop. The call lives longer: jobs run in the order in
 * which they are posted, and its answer is posted later. */
struct notice {
	struct obi_job job; /* the first member, so that a job can be cast to its notice */
	struct ob_call *call;
	size_t held;
	struct obi_arena arena;
	struct ob_bytes method;
	struct ob_value params;
};

/* Why nothing is to be sent to the caller any more; OB_OK: it is. */
static int refusal(struct ob_call *call, struct ob_error *reterr)
{
	switch (atomic_load(&call->canceled)) {
	case OB_OK:
		return OB_OK;
	case OB_ECANCELED:
		return obi_fail(reterr, OB_ECANCELED, 0, "the caller has canceled the call");
	default:
		return obi_fail(reterr, OB_ECLOSED, 0, "the connection of the caller has ended");
	}
}

/* ---- Deferred calls: by way of the loop ---- */

static void free_notice(struct notice *n)
{
	atomic_fetch_sub(&n->call->noticed, n->held);
	obi_arena_free(&n->arena);
	free(n);
}

/* On the thread of the loop. */
static void send_notice(struct obi_job *job)
{
	struct notice *n = (struct notice *)(void *)job;
	struct ob_call *call = n->call;
	int r = OB_OK;
	if (call->calls != NULL && atomic_load(&call->canceled) == OB_OK) {
		r = call->notify(call, n->method, &n->params, NULL);
	}
	if (r < 0) {
		atomic_store(&call->notice_error, r);
	}
	free_notice(n);
}

static int make_notice(struct ob_call *call, const char *method, const struct ob_value *params,
		       struct notice **ret, struct ob_error *reterr)
{
	struct notice *n = calloc(1, sizeof *n);
	if (n == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	n->job.fn = send_notice;
	n->call = call;
	obi_arena_init(&n->arena, call->arena.budget);
	char *copy = obi_arena_text(&n->arena, method, strlen(method));
	int r = copy != NULL ? obi_value_copy(params, &n->arena, &n->params) : OB_ENOMEM;
	if (r < 0) {
		free_notice(n);
		return obi_fail(reterr, r, 0,
				r == OB_ENOMEM ? "out of memory for a notification"
					       : "the parameters are nested too deep");
	}
	n->method = ob_bytes_text(copy);
	n->held = sizeof *n + obi_arena_size(&n->arena);
	atomic_fetch_add(&call->noticed, n->held);
	*ret = n;
	return OB_OK;
}

/* The error of an earlier one, which was found on the thread of the loop. */
static int earlier_error(struct ob_call *call, struct ob_error *reterr)
{
	int r = atomic_exchange(&call->notice_error, OB_OK);
	return r == OB_OK ? OB_OK
			  : obi_fail(reterr, r, 0, "an earlier notification was dropped: %s",
				     r == OB_EAGAIN    ? "too much is queued to the peer"
				     : r == OB_ETOOBIG ? "it is larger than message_max"
						       : "it could not be sent");
}

static int notify_later(struct ob_call *call, const char *method, const struct ob_value *params,
			struct ob_error *reterr)
{
	struct notice *n = NULL;
	int r = earlier_error(call, reterr);
	if (r == OB_OK && atomic_load(&call->noticed) >= call->notices_max) {
		r = obi_fail(reterr, OB_EAGAIN, 0,
			     "too many notifications wait for the loop (queue_max %zu)",
			     call->notices_max);
	}
	r = r == OB_OK ? make_notice(call, method, params, &n, reterr) : r;
	if (r < 0) {
		return r;
	}
	if (!obi_loop_post(call->owner, &n->job)) {
		free_notice(n);
		return obi_fail(reterr, OB_ECLOSED, 0, "the connection of the caller has ended");
	}
	return OB_OK;
}

/* ---- For users ---- */

int ob_call_notify(ob_call *call, const char *method, const struct ob_value *params,
		   struct ob_error *reterr)
{
	const struct ob_value none = ob_nil();
	size_t len = strlen(method);
	params = params != NULL ? params : &none;
	if (len == 0 || len > OBI_METHOD_MAX) {
		return obi_fail(reterr, OB_EINVAL, 0, "a method name must have 1 to %d bytes",
				OBI_METHOD_MAX);
	}
	if (params->type != OB_ARRAY && params->type != OB_MAP && params->type != OB_NIL) {
		return obi_fail(reterr, OB_EINVAL, 0, "params must be an array or a map");
	}
	int r = refusal(call, reterr);
	if (r < 0) {
		return r;
	}
	if (call->deferred) {
		return notify_later(call, method, params, reterr);
	}
	if (call->answered) {
		return obi_fail(reterr, OB_ECLOSED, 0, "the call was answered already");
	}
	return call->notify(call, ob_bytes_of(method, len), params, reterr);
}

int ob_call_notifyf(ob_call *call, struct ob_error *reterr, const char *method, const char *format,
		    ...)
{
	struct obi_arena arena;
	struct ob_value params;
	va_list args;
	obi_arena_init(&arena, SIZE_MAX / 4);
	va_start(args, format);
	int r = obi_build_params(&arena, format, args, &params, reterr);
	va_end(args);
	r = r == OB_OK ? ob_call_notify(call, method, &params, reterr) : r;
	obi_arena_free(&arena);
	return r;
}
