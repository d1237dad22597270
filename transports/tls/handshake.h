/* SPDX-License-Identifier: MIT */
/* tls/handshake - the handshake of a stream, and the decision about the peer's certificate. */
#ifndef OB_TRANSPORTS_TLS_HANDSHAKE_H
#define OB_TRANSPORTS_TLS_HANDSHAKE_H

#include <outboard/transport.h>

#include <openssl/ssl.h>

/* Install the callbacks of a context. Its connections have a struct ob_stream as app data. */
void obi_tls_watch(SSL_CTX *context);

/* As in struct ob_transport_ops. */
int obi_tls_stream_handshake(struct ob_stream *stream, int revents, struct ob_want *ret_want,
			     struct ob_error *reterr);

#endif
