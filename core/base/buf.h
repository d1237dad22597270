/* SPDX-License-Identifier: MIT */
/*
 * base/buf - a byte queue with a hard maximum: written at the end, consumed at the front.
 *
 * It is an ob_sink with a read position, so codecs and plugins write into it directly. An empty
 * queue keeps its memory, so that a steady state allocates nothing. Memory is wiped before it is
 * freed.
 */
#ifndef OBI_BASE_BUF_H
#define OBI_BASE_BUF_H

#include <outboard/abi.h>

struct obi_buf {
	struct ob_sink sink; /* bytes [start, sink.len) are in the queue */
	size_t start;
	size_t max;	/* the maximum of bytes in the queue */
	size_t keep;	/* an empty queue frees memory beyond this */
	size_t touched; /* bytes of the memory that were ever written */
	bool starved;	/* the last failure was for lack of memory, and not for the maximum */
};

/* An empty queue of at most max bytes. Allocates nothing. */
void obi_buf_init(struct obi_buf *buf, size_t max);

/* Wipe and free. */
void obi_buf_free(struct obi_buf *buf);

static inline size_t obi_buf_len(const struct obi_buf *buf)
{
	return buf->sink.len - buf->start;
}

static inline struct ob_bytes obi_buf_bytes(const struct obi_buf *buf)
{
	size_t len = obi_buf_len(buf);
	return ob_bytes_of(len > 0 ? buf->sink.data + buf->start : NULL, len);
}

/* The sink to write to. After a failure, obi_buf_truncate() makes it usable again. */
static inline struct ob_sink *obi_buf_sink(struct obi_buf *buf)
{
	return &buf->sink;
}

/* Room for at least n bytes at the end; *ret_room is the actual size. NULL: over the maximum, or
 * out of memory. Follow with ob_sink_commit(). */
uint8_t *obi_buf_reserve(struct obi_buf *buf, size_t n, size_t *ret_room);

/* Shrink the memory of an empty queue to `keep` bytes, if it has more. */
void obi_buf_shrink(struct obi_buf *buf, size_t keep);

/* Drop n bytes at the front. */
void obi_buf_consume(struct obi_buf *buf, size_t n);

/* Cut the queue to its first n bytes and clear a failure. */
void obi_buf_truncate(struct obi_buf *buf, size_t n);

#endif
