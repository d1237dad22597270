/* SPDX-License-Identifier: MIT */
/* chaos/stream - a connection through a relay, as the program sees it: it reads and writes in small
 * pieces, and learns of resets. */
#ifndef OB_TRANSPORTS_CHAOS_STREAM_H
#define OB_TRANSPORTS_CHAOS_STREAM_H

#include "chaos/relay.h"
#include "common/stream.h"

/* A stream without a connection, so that little can fail once there is one. NULL with *ret_sys: no
 * memory, no descriptors. */
struct ob_stream *obi_chaos_stream_new(const struct ob_host *host,
				       const struct ob_transport_ops *inner, int *ret_sys);

/* It gets its connection, whatever comes of it. false: no memory, no thread; close it. */
bool obi_chaos_stream_begin(struct ob_stream *stream, struct ob_stream *inner,
			    const struct obi_chaos_params *params, enum obi_chaos_side side,
			    uint64_t connection);

ptrdiff_t obi_chaos_stream_readv(struct ob_stream *stream, const struct iovec *pieces, int count,
				 struct ob_error *reterr);
ptrdiff_t obi_chaos_stream_writev(struct ob_stream *stream, const struct iovec *pieces, int count,
				  struct ob_error *reterr);
int obi_chaos_stream_peer(struct ob_stream *stream, struct ob_peer *ret, struct ob_error *reterr);
void obi_chaos_stream_close(struct ob_stream *stream);

#endif
