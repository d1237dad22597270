/* SPDX-License-Identifier: MIT */
/* chaos/stream - the program's side of a connection through a relay: it reads and writes in small
 * pieces and reports resets. */
#ifndef OB_TRANSPORTS_CHAOS_STREAM_H
#define OB_TRANSPORTS_CHAOS_STREAM_H

#include "chaos/relay.h"
#include "common/stream.h"

/* A stream without a connection: most allocations are done before there is one. NULL, with
 * *ret_sys: out of memory or descriptors. */
struct ob_stream *obi_chaos_stream_new(const struct ob_host *host,
				       const struct ob_transport_ops *inner, int *ret_sys);

/* Start with the connection `inner`, which is taken over. false: out of memory or threads; close
 * it. */
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
