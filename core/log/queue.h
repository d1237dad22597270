/* SPDX-License-Identifier: MIT */
/*
 * log/queue - the lines that wait for a sink, in the order of their arrival.
 *
 * Each channel (a stream of a child, or the parent's own records about a child) has a share of the
 * queue: max divided by the number of channels that have lines waiting, and 4 KiB at least. A
 * channel that has used up its share loses records; the others do not. Losses are counted for each
 * channel, and reported in a record of their own. With n channels at most
 * max * (1 + ln n) + n * 4 KiB wait.
 *
 * A line that is longer than a quarter of the share may use three quarters of it; it is cut to what
 * is left of them and marked, if that is a quarter of the share at least. So a long record does not
 * vanish because it is long, and leaves room for the short ones behind it.
 *
 * A batch is taken out, written, and given back as written or lost; its lines count until then.
 * Nothing here locks, reads a clock or touches a descriptor.
 */
#ifndef OBI_LOG_QUEUE_H
#define OBI_LOG_QUEUE_H

#include <outboard/outboard.h>

#include "base/buf.h"

enum { OBI_LOG_SHARE_MIN = 4096, OBI_LOG_CHANNEL_BUCKETS = 256 };

struct obi_log_channel;

/* Lines, and for those that follow each other and are of one channel an entry: their length and the
 * channel. */
struct obi_log_lines {
	struct obi_buf text;
	struct obi_buf entries;
};

enum { OBI_LOG_HEAD_MAX = 256 };

/* The head of the line before: most lines have the same one, since what is read at once has one
 * time. */
struct obi_log_head {
	const struct obi_log_channel *channel; /* NULL: there is none */
	struct timespec time;
	int32_t utc_offset;
	int level;
	uint32_t flags;
	size_t len;
	uint8_t text[OBI_LOG_HEAD_MAX];
};

struct obi_log_queue {
	size_t max;
	bool json;
	bool color;
	struct obi_log_lines waiting;
	struct obi_log_lines batch;
	struct obi_buf line; /* the record at hand */
	struct obi_log_head head;
	struct obi_log_channel *own; /* of records without a name; it takes in the others when there
					is no memory for a channel */
	struct obi_log_channel *latest; /* of the record before */
	struct obi_log_channel *buckets[OBI_LOG_CHANNEL_BUCKETS];
	uint32_t channels;
	uint32_t sweep_at;  /* so many channels: free those that are idle */
	uint32_t busy;	    /* channels that have lines waiting */
	uint32_t shared_by; /* so many had `share` */
	size_t share;
	struct obi_log_channel *losers; /* channels that lost records; not reported yet */
	struct obi_log_channel **losers_end;
};

/* An empty queue for lines of one format. max below OBI_LOG_SHARE_MIN counts as that. Returns false
 * when there is no memory; the queue can be freed even so. */
bool obi_log_queue_init(struct obi_log_queue *queue, size_t max, bool json, bool color);
void obi_log_queue_free(struct obi_log_queue *queue);

/* Append the record, or a part of it, or count it as lost. */
void obi_log_queue_put(struct obi_log_queue *queue, const struct ob_log_record *record);

/* Bytes that wait and are not in the batch. */
static inline size_t obi_log_queue_len(const struct obi_log_queue *queue)
{
	return obi_buf_len(&queue->waiting.text);
}

static inline bool obi_log_queue_has_losses(const struct obi_log_queue *queue)
{
	return queue->losers != NULL;
}

/* Make a batch of all that waits, and a report of each loss with the time now. The batch before
 * must have been written or lost. */
void obi_log_queue_take(struct obi_log_queue *queue, struct timespec now);

/* What is left of the batch. Only the calls below change it, obi_log_queue_put() does not. */
static inline struct ob_bytes obi_log_queue_batch(const struct obi_log_queue *queue)
{
	return obi_buf_bytes(&queue->batch.text);
}

/* The first n bytes of the batch are written. */
void obi_log_queue_written(struct obi_log_queue *queue, size_t n);

/* The rest of the batch will not be written: its lines are lost. */
void obi_log_queue_lost(struct obi_log_queue *queue);

#endif
