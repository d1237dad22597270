/* SPDX-License-Identifier: MIT */
/* rpc/stream_io - moves bytes between a stream of a transport and the session on it. */
#ifndef OBI_RPC_STREAM_IO_H
#define OBI_RPC_STREAM_IO_H

#include "loop/loop.h"
#include "rpc/session.h"

/* The owner sets the first part, and closes the stream. */
struct obi_stream_io {
	struct obi_loop *loop;
	const struct ob_transport_ops *transport;
	struct ob_stream *stream; /* NULL: none, or closed */
	struct obi_session *session;
	struct obi_io io;	/* its fn calls obi_stream_io_write() and _read() as due */
	struct obi_timer again; /* its fn calls obi_stream_io_read(): there is more to read than the
				   descriptor shows */
	bool closing;		/* shutting down: close the writing side when all is written */

	bool half_closed; /* the writing side is closed */
	bool heard;	  /* bytes have arrived */
};

/* Which of obi_stream_io_write() and _read() are due after these events: bits of enum ob_io. A
 * transport with want() may need to write in order to read, and the other way round. */
static inline int obi_stream_io_due(const struct obi_stream_io *io, int events)
{
	return io->transport->want != NULL ? OB_READABLE | OB_WRITABLE : events;
}

/* Write as much of the output as can be written at once. false: the connection broke. */
bool obi_stream_io_write(struct obi_stream_io *io, struct ob_error *reterr);

/* Read once, so that no connection starves the others, and wait for more. The session may end, and
 * the stream be closed, in it. */
void obi_stream_io_read(struct obi_stream_io *io);

/* Wait for what is to be done next. */
void obi_stream_io_watch(struct obi_stream_io *io);

/* The stream is about to be closed. Who seals tells an end that was announced from a cut. */
void obi_stream_io_announce_end(struct obi_stream_io *io);

/* Wait no more. */
void obi_stream_io_stop(struct obi_stream_io *io);

#endif
