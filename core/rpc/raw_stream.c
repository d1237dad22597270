/* SPDX-License-Identifier: MIT */
#include "rpc/raw_stream.h"

#include <limits.h>

#include "base/error.h"
#include "rpc/session.h"

/* ---- Beginning and end ---- */

/* Move a queue, which may hold more than OBI_RAW_QUEUE now. */
static void move_queue(struct obi_buf *to, struct obi_buf *from)
{
	*to = *from;
	obi_buf_init(from, from->max);
	to->max = obi_buf_len(to) > OBI_RAW_QUEUE ? obi_buf_len(to) : OBI_RAW_QUEUE;
	to->sink.max = to->start + to->max;
	to->keep = OBI_RAW_QUEUE;
}

static int open_records(struct obi_raw_stream *raw, struct ob_error *reterr)
{
	if (raw->records.auth == NULL || raw->ended) {
		return OB_OK;
	}
	int count =
	    obi_sealed_records_open(&raw->records, &raw->in, OBI_RECORD_MAX, INT_MAX, reterr);
	raw->ended = count >= 0 && raw->records.blank;
	return count < 0 ? OB_ECONNLOST : OB_OK;
}

void obi_raw_stream_begin(struct obi_raw_stream *raw, const struct ob_transport_ops *transport,
			  struct ob_stream *stream, struct obi_session *session)
{
	memset(raw, 0, sizeof *raw);
	raw->transport = transport;
	raw->stream = stream;
	raw->records = session->records;
	raw->records.ends = true;
	session->records = (struct obi_sealed_records){.auth = NULL};
	move_queue(&raw->in, &session->in);
	move_queue(&raw->out, &session->out);
	raw->ended = raw->records.auth != NULL && raw->records.blank;
	raw->strange = open_records(raw, NULL) < 0;
}

void obi_raw_stream_end(struct obi_raw_stream *raw)
{
	if (raw->transport == NULL) {
		return;
	}
	raw->transport->close(raw->stream);
	raw->stream = NULL;
	raw->transport = NULL;
	obi_sealed_records_end(&raw->records);
	obi_buf_free(&raw->in);
	obi_buf_free(&raw->out);
}

void obi_raw_stream_rest(struct obi_raw_stream *raw)
{
	if (obi_buf_len(&raw->in) == 0) {
		obi_buf_free(&raw->in);
	}
	if (obi_buf_len(&raw->out) == 0) {
		obi_buf_free(&raw->out);
	}
}

/* ---- Reading ---- */

struct ob_bytes obi_raw_stream_bytes(const struct obi_raw_stream *raw)
{
	struct ob_bytes all = obi_buf_bytes(&raw->in);
	return raw->records.auth != NULL ? ob_bytes_of(all.data, raw->records.opened) : all;
}

void obi_raw_stream_took(struct obi_raw_stream *raw, size_t n)
{
	obi_buf_consume(&raw->in, n);
	if (raw->records.auth != NULL) {
		raw->records.opened -= n;
	}
}

static ptrdiff_t at_end(struct obi_raw_stream *raw, struct ob_error *reterr)
{
	if (raw->records.auth != NULL) {
		return obi_fail(reterr, OB_ECONNLOST, 0,
				"the connection was cut: no end was announced");
	}
	raw->ended = true;
	return 0;
}

ptrdiff_t obi_raw_stream_fill(struct obi_raw_stream *raw, struct ob_error *reterr)
{
	struct iovec piece;
	if (raw->ended) {
		return 0;
	}
	if (raw->strange) {
		return obi_fail(reterr, OB_ECONNLOST, 0, "a record cannot be opened");
	}
	piece.iov_base = obi_buf_reserve(&raw->in, OBI_RAW_READ, &piece.iov_len);
	if (piece.iov_base == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory for data from the peer");
	}
	ptrdiff_t n = raw->transport->readv(raw->stream, &piece, 1, reterr);
	if (n <= 0) {
		return n == 0 ? at_end(raw, reterr) : n;
	}
	ob_sink_commit(obi_buf_sink(&raw->in), (size_t)n);
	int opened = open_records(raw, reterr);
	return opened < 0 ? opened : n;
}

/* ---- Writing ---- */

uint8_t *obi_raw_stream_room(struct obi_raw_stream *raw, size_t *ret_room)
{
	bool begins = raw->records.outgoing && obi_buf_len(&raw->out) == 0;
	if (begins && !obi_sealed_records_start(&raw->out)) {
		obi_buf_truncate(&raw->out, 0);
		return NULL;
	}
	uint8_t *room = obi_buf_reserve(&raw->out, OBI_RAW_READ, ret_room);
	if (room == NULL) {
		obi_buf_truncate(&raw->out, begins ? 0 : obi_buf_len(&raw->out));
	}
	return room;
}

void obi_raw_stream_queued(struct obi_raw_stream *raw, size_t n)
{
	ob_sink_commit(obi_buf_sink(&raw->out), n);
	/* Only a header that was reserved for these bytes is shorter than any record. */
	if (n == 0 && raw->records.outgoing && obi_buf_len(&raw->out) == OBI_RECORD_HEADER) {
		obi_buf_truncate(&raw->out, 0);
	}
}

/* Queue the end behind everything else. */
static int mark_end(struct obi_raw_stream *raw, struct ob_error *reterr)
{
	if (raw->ending && !raw->marked && obi_buf_len(&raw->out) == 0) {
		raw->marked = true;
		if (raw->records.outgoing && !obi_sealed_records_start(&raw->out)) {
			return obi_fail(reterr, OB_ENOMEM, 0, "out of memory for a record");
		}
	}
	return OB_OK;
}

static int next_pieces(struct obi_raw_stream *raw, struct obi_pieces *ret, struct ob_error *reterr)
{
	int r = mark_end(raw, reterr);
	ret->piece[0] = obi_buf_bytes(&raw->out);
	ret->count = ret->piece[0].len > 0;
	if (r == OB_OK && raw->records.outgoing && ret->count > 0) {
		r = obi_sealed_records_seal(&raw->records, &raw->out, ret, reterr);
	}
	return r;
}

static ptrdiff_t write_pieces(struct obi_raw_stream *raw, const struct obi_pieces *pieces,
			      struct ob_error *reterr)
{
	struct iovec list[OBI_SEALED_RECORDS_PIECES];
	for (int i = 0; i < pieces->count; i++) {
		list[i] =
		    (struct iovec){(void *)(uintptr_t)pieces->piece[i].data, pieces->piece[i].len};
	}
	ptrdiff_t n = raw->transport->writev(raw->stream, list, pieces->count, reterr);
	return n != 0 ? n
		      : obi_fail(reterr, OB_EIO, 0,
				 "the transport wrote nothing and reported no error");
}

static void wrote(struct obi_raw_stream *raw, size_t n)
{
	if (raw->records.sealed > 0) {
		obi_sealed_records_wrote(&raw->records, &raw->out, n);
	} else {
		obi_buf_consume(&raw->out, n);
	}
}

static int close_writing(struct obi_raw_stream *raw, struct ob_error *reterr)
{
	if (!raw->ending || raw->closed) {
		return OB_OK;
	}
	int r = raw->transport->shutdown_write(raw->stream, reterr);
	raw->closed = r == OB_OK;
	return r;
}

int obi_raw_stream_flush(struct obi_raw_stream *raw, struct ob_error *reterr)
{
	for (;;) {
		struct obi_pieces pieces;
		int r = next_pieces(raw, &pieces, reterr);
		if (r < 0 || pieces.count == 0) {
			return r < 0 ? r : close_writing(raw, reterr);
		}
		ptrdiff_t n = write_pieces(raw, &pieces, reterr);
		if (n < 0) {
			return (int)n;
		}
		wrote(raw, (size_t)n);
	}
}
