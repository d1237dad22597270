/* SPDX-License-Identifier: MIT */
/*
 * rpc/raw_stream - a connection that has become a byte stream: the stream of its transport, its
 * sealing state, and what was read and queued before. outboard-agent.connect makes one, at both
 * ends.
 *
 * Where the connection seals, the bytes are in records, and an empty record announces the end: a
 * stream that ends without it was cut. Elsewhere bytes and ends are those of the transport.
 *
 * The owner watches the descriptor.
 */
#ifndef OBI_RPC_RAW_STREAM_H
#define OBI_RPC_RAW_STREAM_H

#include <outboard/transport.h>

#include "base/buf.h"
#include "rpc/sealed_records.h"

struct obi_session;

/* OBI_RAW_QUEUE: the most bytes that are kept for either way. */
enum { OBI_RAW_QUEUE = 256 * 1024, OBI_RAW_READ = 96 * 1024 };

/* All zero: there is none. */
struct obi_raw_stream {
	const struct ob_transport_ops *transport;
	struct ob_stream *stream;
	struct obi_sealed_records records;
	struct obi_buf in;
	struct obi_buf out;
	bool ending;  /* nothing follows what is queued */
	bool marked;  /* the record that says so is queued */
	bool closed;  /* all is written, and so is the end */
	bool ended;   /* the peer has announced its end */
	bool strange; /* what was read before cannot be opened: reading fails */
};

/* Take over what a session has, and the stream under it. The session is of no use any more; it is
 * still to be freed. */
void obi_raw_stream_begin(struct obi_raw_stream *raw, const struct ob_transport_ops *transport,
			  struct ob_stream *stream, struct obi_session *session);

/* Close the stream, wipe and free. May be called again. */
void obi_raw_stream_end(struct obi_raw_stream *raw);

/* Free the memory of empty queues. */
void obi_raw_stream_rest(struct obi_raw_stream *raw);

/* ---- Reading ---- */

/* The bytes that the owner may take; then it says how many it took. */
struct ob_bytes obi_raw_stream_bytes(const struct obi_raw_stream *raw);
void obi_raw_stream_took(struct obi_raw_stream *raw, size_t n);

/* Whether there is room for another read. */
static inline bool obi_raw_stream_may_fill(const struct obi_raw_stream *raw)
{
	return !raw->ended && obi_buf_len(&raw->in) + OBI_RAW_READ <= OBI_RAW_QUEUE;
}

/* Read once. A positive number: something has arrived, perhaps the end with it, perhaps no whole
 * record; 0: the peer has announced its end; OB_EAGAIN; or a failure, after which nothing can be
 * read. There must be room. */
ptrdiff_t obi_raw_stream_fill(struct obi_raw_stream *raw, struct ob_error *reterr);

/* ---- Writing ---- */

/* Whether more may be queued. */
static inline bool obi_raw_stream_may_queue(const struct obi_raw_stream *raw)
{
	return !raw->ending &&
	       obi_buf_len(&raw->out) + OBI_RAW_READ + OBI_RECORD_HEADER + OB_AUTH_OVERHEAD_MAX <=
		   OBI_RAW_QUEUE;
}

/* Room for at least OBI_RAW_READ bytes; NULL: out of memory. Follow with _queued(), also if n is 0.
 */
uint8_t *obi_raw_stream_room(struct obi_raw_stream *raw, size_t *ret_room);
void obi_raw_stream_queued(struct obi_raw_stream *raw, size_t n);

/* Nothing follows: the next flush writes the end, too. */
static inline void obi_raw_stream_finish(struct obi_raw_stream *raw)
{
	raw->ending = true;
}

/* Whether something is to be written. */
static inline bool obi_raw_stream_waits(const struct obi_raw_stream *raw)
{
	return obi_buf_len(&raw->out) > 0 || (raw->ending && !raw->closed);
}

/* Write what is queued. OB_OK: all of it was; OB_EAGAIN: the stream is full; or a failure. */
int obi_raw_stream_flush(struct obi_raw_stream *raw, struct ob_error *reterr);

#endif
