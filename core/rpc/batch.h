/* SPDX-License-Identifier: MIT */
/*
 * rpc/batch - the answers to the requests that came in one message. They are sent in one message
 * when the last one is given, in the order in which they were given. Notifications have no answer;
 * a batch of notifications only is not answered.
 *
 * The answers wait here as encoded bytes. All answers together are one message. A result that would
 * make it larger than a message may be is replaced by the error TOO_BIG; room is reserved for such
 * errors. Once as many bytes as a message may have were encoded in vain, nothing more is encoded
 * for the batch but errors. The answers of all batches together are bounded, too.
 */
#ifndef OBI_RPC_BATCH_H
#define OBI_RPC_BATCH_H

#include <outboard/codec.h>

#include "base/buf.h"

struct obi_batch;

/* The batches of one session that are not answered yet. All zero: none. */
struct obi_batches {
	struct obi_batch *first;
	size_t bytes; /* of the answers that wait in them */
	size_t max;   /* from here on no results are added; 0: no limit */
};

struct obi_batch {
	struct obi_batches *list;
	const struct ob_codec_ops *codec;
	const struct ob_codec_params *params;
	struct obi_batch *next;
	struct obi_batch **slot;
	struct obi_buf answers;
	size_t results_max; /* results may fill the answers up to here; the rest is for errors */
	size_t wasted;	    /* bytes that were encoded in vain, about */
	uint32_t owed; /* answers that are still to come, and one while the batch is being read */
	bool failed;   /* not even an error had room */
};

/* A batch of count messages, which is being read. params must outlive it. message_max limits its
 * answer. NULL: out of memory. */
struct obi_batch *obi_batch_new(struct obi_batches *list, const struct ob_codec_ops *codec,
				const struct ob_codec_params *params, uint32_t count,
				size_t message_max);
void obi_batch_free(struct obi_batch *batch);

/* Add an answer. OB_ETOOBIG, OB_EINVAL, and OB_EAGAIN when all batches hold too much, are for
 * results only and leave nothing behind. */
int obi_batch_add(struct obi_batch *batch, const struct ob_message *m);

/* The batch was read, or a deferred call of it was answered. Returns whether this was the last
 * answer that was owed. */
bool obi_batch_settle(struct obi_batch *batch);

/* All answers as one message, which borrows from the batch; m->encoded is empty if there is nothing
 * to send. OB_ETOOBIG: not even an error had room. */
int obi_batch_message(const struct obi_batch *batch, struct ob_message *ret);

/* Free all batches but `reading`, which may be NULL. Their calls must not use them any more. */
void obi_batches_free(struct obi_batches *list, const struct obi_batch *reading);

#endif
