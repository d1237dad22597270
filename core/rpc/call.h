/* SPDX-License-Identifier: MIT */
/*
 * rpc/call - a call that a peer made, while it is being answered.
 *
 * While its handler runs it borrows everything from the session. Once deferred it owns copies and
 * may outlive the session: then `session` is NULL and its answer goes nowhere. All of it but
 * `canceled` and the arena of a deferred call belongs to the loop's thread.
 */
#ifndef OBI_RPC_CALL_H
#define OBI_RPC_CALL_H

#include <outboard/codec.h>
#include <outboard/outboard.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/job.h"

enum { OBI_METHOD_MAX = 255 };

struct obi_session;
struct obi_batch;

struct ob_call {
	struct obi_job job; /* carries a deferred call's answer to the loop's thread; first, so that
			       it is the call */
	struct obi_session *session;
	struct obi_batch *batch; /* that it came in; NULL: in none */
	struct ob_call *next;	 /* in the session's list of deferred calls */
	struct ob_call **slot;
	void *owner; /* what the session's user set: the way to the loop */
	struct ob_id id;
	struct ob_value params;
	struct ob_value error; /* the answer on its way */
	struct ob_value result;
	struct ob_identity identity;
	struct obi_arena arena;
	bool notification;
	bool answered;
	bool deferred;
	atomic_bool canceled;
	uint8_t id_raw[OB_ID_MAX];
	char method[OBI_METHOD_MAX + 1];
};

/* Handles the calls and notifications of a peer, but for the methods of the protocol itself. */
struct obi_call_handler {
	/* Answer the call or defer it before returning. NULL: calls are refused as unknown. */
	void (*fn)(void *user, struct ob_call *call);
	void *user;
};

/* ---- On the loop's thread ---- */

/* Keep the call after its handler has returned: copy what it borrows. OB_ENOMEM: it has been
 * answered with an error. */
int obi_call_defer(struct ob_call *call);

/* Answer with error, or with result when error is NULL. Do not use the call afterwards. Returns
 * the same as ob_call_reply(). */
int obi_call_answer(struct ob_call *call, const struct ob_value *error,
		    const struct ob_value *result);
int obi_call_answer_error(struct ob_call *call, int64_t code, const char *message);

/* An error value {"code", "message"} in arena; nil when it is full. */
struct ob_value obi_error_value(struct ob_arena *arena, int64_t code, const char *message);

#endif
