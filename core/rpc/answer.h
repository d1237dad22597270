/* SPDX-License-Identifier: MIT */
/* rpc/answer - answers to the requests of a peer: encoded, and queued alone or in their batch. */
#ifndef OBI_RPC_ANSWER_H
#define OBI_RPC_ANSWER_H

#include "rpc/session.h"

/* Answer a request of the protocol itself with error, or with result when error is NULL. May end
 * the session. */
void obi_answer(struct obi_session *s, const struct ob_id *id, const struct ob_value *error,
		const struct ob_value *result);
void obi_answer_error(struct obi_session *s, const struct ob_id *id, int64_t code,
		      const char *message);

/* The answer function of the calls of a session; see struct ob_call. */
int obi_answer_call(struct ob_call *call, const struct ob_value *error,
		    const struct ob_value *result);

/* The notify function of the calls of a session; see struct ob_call. */
int obi_answer_notify(struct ob_call *call, struct ob_bytes method, const struct ob_value *params,
		      struct ob_error *reterr);

/* The batch was read, or a deferred call of it was answered: if no answer is missing any more, send
 * all of them and free the batch. May end the session. */
void obi_answer_batch(struct obi_session *s, struct obi_batch *batch);

#endif
