/* SPDX-License-Identifier: MIT */
/* rpc/stream_facts - what the transport knows of a stream that authentication asks for. */
#ifndef OBI_RPC_STREAM_FACTS_H
#define OBI_RPC_STREAM_FACTS_H

#include <outboard/transport.h>

#include "rpc/handshake.h"

/* What is known of the peer. Without a mechanism that uses it there is no pidfd, which would cost a
 * descriptor as long as the stream lives. auth may be NULL. */
struct ob_peer obi_stream_peer_facts(const struct ob_transport_ops *transport,
				     struct ob_stream *stream,
				     const struct obi_handshake_setup *auth);

/* Write the channel binding, if the transport has one. OB_EPLUGIN: it returned no valid one. */
int obi_stream_binding(const struct ob_transport_ops *transport, struct ob_stream *stream,
		       struct ob_sink *out, struct ob_error *reterr);

#endif
