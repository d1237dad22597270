/* SPDX-License-Identifier: MIT */
/*
 * rpc/call - a call that a peer made, until it is answered.
 *
 * While its handler runs, the call borrows everything from the session. Once deferred it owns
 * copies, and may outlive the session; then its answer goes nowhere. Of a large message it makes no
 * copy, but takes over the memory: the input buffer, and the arena of the tree. The session gets
 * others when the message has been handled. All of it but the atomics and
 * the arena of a deferred call belongs to the thread of the loop.
 */
#ifndef OBI_RPC_CALL_H
#define OBI_RPC_CALL_H

#include <outboard/codec.h>
#include <outboard/outboard.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/job.h"
#include "rpc/batch.h"

/* OBI_ORPHAN_SHARE: the calls of ended sessions may hold so many times what one session may. */
enum { OBI_METHOD_MAX = 255, OBI_ORPHAN_SHARE = 8 };

/* OBI_LARGE: from this size on the memory of a message is taken over, if the message takes at least
 * one part in OBI_LARGE_SHARE of the buffer: the call must not hold many times what it needs. */
enum { OBI_LARGE = 64 * 1024, OBI_LARGE_SHARE = 4 };

struct obi_session;

/*
 * What calls hold whose sessions have ended without an answer to them: a peer that connects anew
 * must not begin with nothing to its account. Such a call may outlive its server, so whoever uses
 * the count has a reference, and the last one frees it.
 */
struct obi_orphan_count {
	atomic_uint users;
	atomic_size_t bytes;
};

/* A count with one reference. NULL: out of memory. */
struct obi_orphan_count *obi_orphan_count_new(void);
void obi_orphan_count_unref(struct obi_orphan_count *count); /* may be NULL */

/* The calls that the peer of one session made. Deferred ones are kept here only. */
struct obi_calls {
	struct obi_session *session;
	/* The message that is being handled, if a call may take it over: its bytes, where they are,
	 * and the arena of its tree. 0 bytes: it may not. */
	size_t message;
	struct obi_buf *input;
	struct obi_arena *tree;
	struct ob_call *taker;	  /* that takes it over as soon as it was handled; or NULL */
	size_t budget;		  /* bytes that the copies of one deferred call may take */
	size_t queue_max;	  /* bytes of notifications that a deferred call may have on their
				     way to the thread of the loop */
	struct ob_call *spare;	  /* ready for the next call; may be NULL */
	struct ob_call *deferred; /* to be answered later */
	uint32_t deferred_count;
	size_t deferred_bytes; /* that the deferred calls hold */
	/* What calls hold whose sessions have ended; shared by the sessions of a server. May be
	 * NULL: not counted. */
	struct obi_orphan_count *orphans;
};

struct ob_call {
	/* Carries the answer of a deferred call to the thread of the loop. The first member, so
	 * that a job can be cast to its call. */
	struct obi_job job;
	struct obi_calls *calls; /* NULL: the session has ended */
	/* Sends the answer; if the call is deferred, also takes it out of `calls` and releases it.
	 * NULL: the session has ended. */
	int (*answer)(struct ob_call *call, const struct ob_value *error,
		      const struct ob_value *result);
	/* Sends a notification to the caller, on the thread of the loop. `calls` must be set. */
	int (*notify)(struct ob_call *call, struct ob_bytes method, const struct ob_value *params,
		      struct ob_error *reterr);
	struct obi_batch *batch; /* the batch that it came in; NULL: none */
	struct ob_call *next;	 /* in the list of deferred calls */
	struct ob_call **slot;
	void *owner; /* leads to the loop; from the setup of the session */
	struct ob_id id;
	struct ob_value params;
	struct ob_value error; /* the answer on its way to the thread of the loop */
	struct ob_value result;
	struct ob_identity identity;
	struct obi_arena arena;
	struct obi_calls *giver; /* whose `taker` it is; or NULL */
	struct obi_buf message;	 /* that it took over, with the tree of its params */
	struct obi_arena tree;
	size_t held;			  /* bytes that it took when it was deferred */
	struct obi_orphan_count *orphans; /* it is counted there, with a reference; or NULL */
	bool notification;
	bool answered;
	bool deferred;
	atomic_int canceled; /* OB_OK; OB_ECANCELED: by the caller; OB_ECLOSED: its session ended */
	atomic_size_t noticed;	 /* bytes of its notifications on their way to that thread */
	atomic_int notice_error; /* why the last one was not sent, to be told by the next */
	size_t notices_max;
	uint8_t id_raw[OB_ID_MAX];
	char method[OBI_METHOD_MAX + 1];
};

/* Handles the calls and notifications of a peer, but for the methods of the protocol itself. */
struct obi_call_handler {
	/* Answer the call or defer it before returning. NULL: calls are refused as unknown. */
	void (*fn)(void *user, struct ob_call *call);
	void *user;
};

/* ---- For handlers, on the thread of the loop ---- */

/* Keep the call after its handler has returned: copy what it borrows, or take over the message.
 * OB_ENOMEM: it has been answered with an error. */
int obi_call_defer(struct ob_call *call);

/* Answer with error, or with result when error is NULL. Do not use the call afterwards. Returns
 * the same as ob_call_reply(). */
int obi_call_answer(struct ob_call *call, const struct ob_value *error,
		    const struct ob_value *result);
int obi_call_answer_error(struct ob_call *call, int64_t code, const char *message);

/* An error value {"code", "message"} in arena; just the code if the arena is full. */
struct ob_value obi_error_value(struct ob_arena *arena, int64_t code, const char *message);

/* ---- For the session ---- */

/* A call object for the next request; NULL: out of memory. */
struct ob_call *obi_call_take(struct obi_calls *calls);

/* The call was answered: take it out of the deferred ones, if it is deferred, and keep it for the
 * next request or free it. */
void obi_call_release(struct ob_call *call);

/* The message was handled. If a call takes it over, its memory is the call's now; `input` and
 * `tree` are empty, but for what follows the message in the input. OB_ENOMEM: that is lost. */
int obi_calls_hand_over(struct obi_calls *calls);

/* The deferred call with this id, or NULL. */
struct ob_call *obi_call_find(const struct obi_calls *calls, const struct ob_id *id);

/* The bytes that wait for answers of handlers, over which no call may be begun: those of the
 * session, or, for a peer that is not the parent, those of sessions that have ended. */
bool obi_calls_are_full(const struct obi_calls *calls, size_t max, bool is_parent);

/* The session has ended: cancel the deferred calls, which live on without it. */
void obi_calls_orphan(struct obi_calls *calls);

/* Free the spare call. */
void obi_calls_free(struct obi_calls *calls);

#endif
