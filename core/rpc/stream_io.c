/* SPDX-License-Identifier: MIT */
#include "rpc/stream_io.h"

#include "base/error.h"
#include "rpc/receive.h"

/* ---- Writing: the descriptor is watched for it only while it is full ---- */

/* OB_EAGAIN: again when the stream is writable. The owner limits the time. */
static void half_close(struct obi_stream_io *io)
{
	if (io->closing && !io->half_closed) {
		io->half_closed = io->transport->shutdown_write(io->stream, NULL) != OB_EAGAIN;
	}
}

static ptrdiff_t write_pieces(struct obi_stream_io *io, const struct obi_pieces *pieces,
			      struct ob_error *err)
{
	struct iovec list[OBI_SEALED_RECORDS_PIECES];
	for (int i = 0; i < pieces->count; i++) {
		list[i] =
		    (struct iovec){(void *)(uintptr_t)pieces->piece[i].data, pieces->piece[i].len};
	}
	return io->transport->writev(io->stream, list, pieces->count, err);
}

bool obi_stream_io_write(struct obi_stream_io *io, struct ob_error *reterr)
{
	for (;;) {
		struct obi_pieces out;
		obi_session_pieces(io->session, &out);
		if (io->stream == NULL) {
			return true;
		}
		if (out.count == 0) {
			half_close(io);
			return true;
		}
		ptrdiff_t n = write_pieces(io, &out, reterr);
		if (n == 0) {
			n = obi_fail(reterr, OB_EIO, 0,
				     "the transport wrote nothing and reported no error");
		}
		if (n < 0) {
			return n == OB_EAGAIN;
		}
		obi_session_wrote(io->session, (size_t)n);
	}
}

void obi_stream_io_announce_end(struct obi_stream_io *io)
{
	if ((io->transport->flags & OB_TRANSPORT_SEALED) != 0 && !io->half_closed &&
	    !obi_session_has_output(io->session)) {
		(void)io->transport->shutdown_write(io->stream, NULL);
	}
}

/* ---- Waiting ---- */

static void watch_descriptor(struct obi_stream_io *io)
{
	const struct ob_transport_ops *t = io->transport;
	bool waiting = obi_session_has_output(io->session) || (io->closing && !io->half_closed);
	int events = (io->session->held ? 0 : OB_READABLE) | (waiting ? OB_WRITABLE : 0);
	obi_io_set(io->loop, &io->io, t->fd(io->stream),
		   t->want != NULL ? t->want(io->stream, events) : events);
}

static void watch_pending(struct obi_stream_io *io)
{
	const struct ob_transport_ops *t = io->transport;
	if (t->pending != NULL && !io->session->held && t->pending(io->stream)) {
		obi_timer_set(io->loop, &io->again, 0); /* in the next turn */
	}
}

void obi_stream_io_watch(struct obi_stream_io *io)
{
	if (io->stream == NULL) {
		return; /* sealing failed, which closed the session */
	}
	watch_descriptor(io);
	watch_pending(io);
}

void obi_stream_io_stop(struct obi_stream_io *io)
{
	obi_io_stop(&io->io);
	obi_timer_stop(&io->again);
}

/* ---- Reading ---- */

/* Returns false if there was nothing. */
static bool read_once(struct obi_stream_io *io)
{
	struct ob_error err;
	size_t room;
	uint8_t *data = obi_receive_room(io->session, &room);
	if (data == NULL) {
		return false;
	}
	struct iovec piece = {data, room};
	ptrdiff_t n = io->transport->readv(io->stream, &piece, 1, &err);
	if (n > 0) {
		io->heard = true;
		obi_receive(io->session, (size_t)n);
	} else if (n == 0) {
		obi_session_ended(io->session, NULL);
	} else if (n != OB_EAGAIN) {
		obi_session_ended(io->session, &err);
	}
	return n != OB_EAGAIN;
}

/* What was read may have changed what the transport wants. Output is left to the write that is due:
 * watching for it now, and not after that write, would cost two calls of the kernel. */
static void watch_after_read(struct obi_stream_io *io)
{
	if (!obi_session_has_output(io->session)) {
		watch_descriptor(io);
	}
}

/* A transport that had nothing is not asked again before the next event, whatever pending() says.
 */
void obi_stream_io_read(struct obi_stream_io *io)
{
	const struct ob_transport_ops *t = io->transport;
	obi_timer_stop(&io->again);
	if (io->session->held) {
		watch_descriptor(io);
		return;
	}
	bool had = read_once(io);
	if (io->stream == NULL || (t->want == NULL && t->pending == NULL)) {
		return;
	}
	watch_after_read(io);
	if (had) {
		watch_pending(io);
	}
}
