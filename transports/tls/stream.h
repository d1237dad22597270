/* SPDX-License-Identifier: MIT */
/* tls/stream - a connection under TLS. Most functions are as in struct ob_transport_ops. */
#ifndef OB_TRANSPORTS_TLS_STREAM_H
#define OB_TRANSPORTS_TLS_STREAM_H

#include "tls/state.h"
#include "tls/wire.h"

#include <outboard/transport.h>

/* Messages after the handshake (a new key, a ticket) without data between them. */
enum { OBI_TLS_CHATTER = 32 };

struct ob_stream {
	struct obi_tls_state *state;
	struct obi_tls_wire wire;
	SSL *ssl;
	bool dialer;
	bool inner_ready; /* the handshake of the inner transport is over, if it has one */
	bool ready;	  /* so is ours */
	bool heard;	  /* a valid message of the peer has arrived */
	bool proven;	  /* the peer has proved that its certificate is its own */
	bool notified;	  /* the end of our side was sent, or is in the wire */
	bool ended;	  /* the peer has announced its end */
	bool told;	  /* readv() has returned the end or the failure */
	uint32_t chatter;
	uint32_t records; /* sent with the current key */
	size_t owed;	  /* bytes in the wire that writev() has not reported */
	int failure;	  /* the code of a failure that stays, with why */
	char why[OBI_TLS_WHY];
	char subject[OBI_TLS_SUBJECT + 1]; /* of a verified certificate; empty: none */
	char name[OBI_TLS_SUBJECT + 1];	   /* what a dialer dialled; empty: no name is required */
};

/* A stream without a connection: most allocations are done before there is one. name may be NULL.
 * NULL: out of memory. */
struct ob_stream *obi_tls_stream_new(struct obi_tls_state *state,
				     const struct ob_transport_ops *inner, bool dialer,
				     const char *name);

/* Start with the connection `inner`, which is taken over. */
void obi_tls_stream_begin(struct ob_stream *stream, struct ob_stream *inner);

int obi_tls_stream_fd(struct ob_stream *stream);
ptrdiff_t obi_tls_stream_readv(struct ob_stream *stream, const struct iovec *pieces, int count,
			       struct ob_error *reterr);
ptrdiff_t obi_tls_stream_writev(struct ob_stream *stream, const struct iovec *pieces, int count,
				struct ob_error *reterr);
int obi_tls_stream_shutdown_write(struct ob_stream *stream, struct ob_error *reterr);
void obi_tls_stream_close(struct ob_stream *stream);
int obi_tls_stream_peer(struct ob_stream *stream, struct ob_peer *ret, struct ob_error *reterr);
int obi_tls_stream_want(struct ob_stream *stream, int events);
bool obi_tls_stream_pending(struct ob_stream *stream);
int obi_tls_stream_binding(struct ob_stream *stream, struct ob_sink *out);

/* tls/reason.c: set the failure and its reason after a call of OpenSSL has failed. Keeps an earlier
 * one. */
void obi_tls_stream_fail(struct ob_stream *stream);

/* Return the failure. */
int obi_tls_stream_failed(struct ob_stream *stream, struct ob_error *reterr);

#endif
