/* SPDX-License-Identifier: MIT */
/*
 * log/ring - the last lines of a log, for a reader that acknowledges what it has.
 *
 * The lines are one stream of bytes. An offset is a place in it, counted from its beginning. When a
 * line does not fit, the oldest lines are dropped, and counted. A reader names the offset up to
 * which it has everything: what is before that is freed. Not locked.
 */
#ifndef OBI_LOG_RING_H
#define OBI_LOG_RING_H

#include <outboard/abi.h>

struct obi_log_ring {
	uint8_t *bytes;
	size_t max;	/* bytes of lines that are kept */
	size_t size;	/* allocated: grows up to max */
	size_t at;	/* where the first line begins */
	size_t len;	/* bytes that are kept */
	uint64_t begin; /* offset of the first of them */
	/* The last answer ended there. */
	uint64_t sent_end;
	/* Lines that were dropped: before the last answer; of those that it had; of those behind.
	 */
	uint64_t dropped_before, dropped_sent, dropped_unsent;
};

/* What a read gives. */
struct obi_log_ring_part {
	uint64_t
	    offset; /* of the first byte; behind the one that was asked for, if lines are missing */
	uint64_t dropped; /* lines that are missing before it */
};

void obi_log_ring_init(struct obi_log_ring *ring, size_t max);
void obi_log_ring_free(struct obi_log_ring *ring);

/* Append a line, which ends with a newline. False: it is longer than the ring, or there is no
 * memory; it is counted as dropped. */
bool obi_log_ring_add(struct obi_log_ring *ring, struct ob_bytes line);

static inline uint64_t obi_log_ring_end(const struct obi_log_ring *ring)
{
	return ring->begin + ring->len;
}

/*
 * Free what is before offset, and copy at most max bytes from there into out, which has the room.
 * offset NULL, or one that the stream has not reached: the reader has nothing, and gets all.
 */
struct obi_log_ring_part obi_log_ring_read(struct obi_log_ring *ring, const uint64_t *offset,
					   size_t max, struct ob_sink *out);

/* Whether such a read would give nothing. */
bool obi_log_ring_is_read(const struct obi_log_ring *ring, const uint64_t *offset);

#endif
