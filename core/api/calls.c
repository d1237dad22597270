/* SPDX-License-Identifier: MIT */
/* The functions of ob_call, for handlers of incoming calls. */
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/text.h"
#include "base/value.h"
#include "rpc/call.h"
#include "api/runtime.h"

const char *ob_call_method(const ob_call *call)
{
	return call->method;
}

bool ob_call_is_notification(const ob_call *call)
{
	return call->notification;
}

void ob_call_identity(const ob_call *call, struct ob_identity *ret)
{
	uint32_t size = ret->size < sizeof *ret ? ret->size : (uint32_t)sizeof *ret;
	memcpy(ret, &call->identity, size);
	ret->size = size;
}

bool ob_call_is_canceled(const ob_call *call)
{
	return atomic_load(&call->canceled) != OB_OK;
}

/* A deferred call holds a reference to the loop, because it may outlive the runtime. */
const struct ob_value *ob_call_defer(ob_call *call)
{
	bool first = !call->deferred;
	if (obi_call_defer(call) < 0) {
		return NULL;
	}
	if (first) {
		call->owner = obi_loop_ref(((struct ob_runtime *)call->owner)->loop);
	}
	return &call->params;
}

/* ---- Answers ---- */

/* On the thread of the loop; the answer is in the call. */
static void send_deferred(struct obi_job *job)
{
	struct ob_call *call = (struct ob_call *)(void *)job;
	struct obi_loop *loop = call->owner;
	bool failed = call->error.type != OB_NIL;
	(void)obi_call_answer(call, failed ? &call->error : NULL, failed ? NULL : &call->result);
	obi_loop_unref(loop);
}

static int answer_deferred(ob_call *call)
{
	call->job.fn = send_deferred;
	if (!obi_loop_post(call->owner, &call->job)) {
		/* The loop is closed, and the session has ended. */
		send_deferred(&call->job);
	}
	return OB_OK;
}

/* Answer with error, or with result when error is nil. Both may be in the arena of the call. */
static int answer(ob_call *call, const struct ob_value *error, const struct ob_value *result)
{
	if (!call->deferred) {
		return obi_call_answer(call, error->type != OB_NIL ? error : NULL, result);
	}
	int r = obi_value_copy(error, &call->arena, &call->error);
	r = r == OB_OK ? obi_value_copy(result, &call->arena, &call->result) : r;
	if (r < 0) {
		call->error =
		    obi_error_value(&call->arena.ob, OB_RPC_TOO_BIG, "the result is too large");
	}
	answer_deferred(call);
	return r;
}

int ob_call_reply(ob_call *call, const struct ob_value *result)
{
	struct ob_value nil = ob_nil();
	return answer(call, &nil, result != NULL ? result : &nil);
}

int ob_call_replyf(ob_call *call, const char *format, ...)
{
	struct ob_builder b;
	struct ob_value result = ob_nil();
	va_list args;
	ob_builder_init(&b, &call->arena.ob);
	va_start(args, format);
	obi_build_format(&b, format, args);
	va_end(args);
	int r = ob_builder_finish(&b, &result);
	if (r < 0) {
		ob_call_fail(call, OB_RPC_INTERNAL, "the result could not be built");
		return r;
	}
	return ob_call_reply(call, &result);
}

int ob_call_fail(ob_call *call, int64_t code, const char *format, ...)
{
	char message[512];
	va_list args;
	va_start(args, format);
	vsnprintf(message, sizeof message, format, args);
	va_end(args);
	obi_text_clean(message); /* it may be cut within a character */
	struct ob_value nil = ob_nil();
	struct ob_value error = obi_error_value(&call->arena.ob, code, message);
	return answer(call, &error, &nil);
}

/* ---- Building by format ---- */

void ob_buildv(struct ob_builder *builder, const char *format, va_list args)
{
	obi_build_format(builder, format, args);
}

void ob_build(struct ob_builder *builder, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	obi_build_format(builder, format, args);
	va_end(args);
}
