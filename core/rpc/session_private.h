/* SPDX-License-Identifier: MIT */
/* rpc/session_private - what session.c, dispatch.c and call.c share with each other and with nobody
 * else. */
#ifndef OBI_RPC_SESSION_PRIVATE_H
#define OBI_RPC_SESSION_PRIVATE_H

#include "rpc/session.h"

/* Append a message to the output. OB_ETOOBIG and OB_EINVAL leave nothing behind; OB_ENOMEM: the
 * queue is full. */
int obi_session_send(struct obi_session *s, const struct ob_message *m, struct ob_error *reterr);

/* The peer broke the rules, or is refused: end it. No bye. */
void obi_session_fail(struct obi_session *s, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The mechanism whose turn it was has passed: seal from now on if it does, and go to OPEN if it was
 * the last. */
void obi_session_passed(struct obi_session *s);

/* Handle one decoded message; more: bytes are buffered behind it. */
void obi_session_dispatch(struct obi_session *s, const struct ob_message *m, bool more);

/* The same once it is OPEN, of one that is no batch. */
void obi_session_dispatch_one(struct obi_session *s, const struct ob_message *m);

/* Send an answer, by itself or among those of its batch. */
static inline int obi_session_answer(struct obi_session *s, struct obi_batch *batch,
				     const struct ob_message *m)
{
	return batch != NULL ? obi_batch_add(batch, m) : obi_session_send(s, m, NULL);
}

/* Dialer: begin the exchange of the mechanism whose turn it is. */
void obi_session_dial_auth(struct obi_session *s, struct ob_bytes in);

/* A call object for the next request; NULL when memory ran out. */
struct ob_call *obi_call_take(struct obi_session *s);

/* It has been answered: keep it for the next, or free it. s may be NULL. */
void obi_call_give_back(struct obi_session *s, struct ob_call *call);

/* The session ends: the deferred calls live on without it. */
void obi_calls_orphan(struct obi_session *s);

/* The deferred call with this id, or NULL. */
struct ob_call *obi_call_find(struct obi_session *s, const struct ob_id *id);

#endif
