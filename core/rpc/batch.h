/* SPDX-License-Identifier: MIT */
/*
 * rpc/batch - several requests that came in one message, and whose answers go back in one: when the
 * last of them is there, in the order in which they were given. Notifications in it have no answer;
 * a batch of nothing else is answered with nothing.
 *
 * The answers wait here as encoded bytes. What waits in all batches of a session counts as queued:
 * beyond that limit, requests are told BUSY. All answers together are one message: a result that
 * would make them larger than a message may be becomes the error TOO_BIG, for which room is kept. A
 * batch belongs to its session, and ends with it.
 */
#ifndef OBI_RPC_BATCH_H
#define OBI_RPC_BATCH_H

#include <outboard/codec.h>

#include "base/buf.h"

struct obi_session;

struct obi_batch {
	struct obi_session *session;
	struct obi_batch *next; /* in the session's list */
	struct obi_batch **slot;
	struct obi_buf answers;
	size_t results_max; /* results may fill the answers up to here; the rest is for errors */
	uint32_t owed; /* answers that are still to come, and one while the batch is being read */
	bool failed;   /* not even an error had room */
};

/* Handle the messages of a batch. It is answered at once unless some of its calls are deferred. */
void obi_batch_dispatch(struct obi_session *s, const struct ob_message *m);

/* Add an answer. OB_ETOOBIG and OB_EINVAL, for results only, leave nothing behind. */
int obi_batch_add(struct obi_batch *batch, const struct ob_message *m);

/* A deferred call of it has been answered: send all answers if this was the last. It may close the
 * session. */
void obi_batch_settle(struct obi_batch *batch);

/* The session ends, and its calls know of no batch any more: free all but the one that is being
 * read, which frees itself. */
void obi_batches_drop(struct obi_session *s);

#endif
