/* SPDX-License-Identifier: MIT */
/* rpc/stream_handshake - drives the handshake of a transport: one step a turn of the loop. */
#ifndef OBI_RPC_STREAM_HANDSHAKE_H
#define OBI_RPC_STREAM_HANDSHAKE_H

#include <outboard/transport.h>

#include "rpc/waiter.h"

/* The owner sets the first part. All zero: there is none. */
struct obi_stream_handshake {
	struct obi_loop *loop;
	const struct ob_transport_ops *transport; /* that has a handshake */
	struct ob_stream *stream;
	/* Called once: err is NULL when the stream can be used. The owner may free the handshake
	 * in it. */
	void (*done)(void *user, const struct ob_error *err);
	void *user;

	enum ob_handshake_state state; /* how far it has come */
	struct obi_waiter waiter;
};

/* Take the first step. done may be called before this returns. */
void obi_stream_handshake_begin(struct obi_stream_handshake *h);

/* Take a step now: something may have arrived. done may be called. */
void obi_stream_handshake_look(struct obi_stream_handshake *h);

/* Stop. May be called again. The stream is not touched. */
void obi_stream_handshake_end(struct obi_stream_handshake *h);

#endif
