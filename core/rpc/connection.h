/* SPDX-License-Identifier: MIT */
/*
 * rpc/connection - one connection: a stream of a transport, the session that speaks on it, and
 * their watchers.
 *
 * A link dials or is given an accepted stream. It ends once, with `closed`, after which it only
 * waits to be freed. Any function here may be called inside its callbacks, obi_connection_free()
 * included.
 */
#ifndef OBI_RPC_CONNECTION_H
#define OBI_RPC_CONNECTION_H

#include <outboard/transport.h>

#include "loop/loop.h"
#include "rpc/call.h"
#include "rpc/handshake.h"
#include "rpc/limits.h"
#include "rpc/pending.h"

struct obi_connection;

struct obi_connection_events {
	void (*opened)(void *user, struct obi_connection *link);
	void (*closed)(void *user, struct obi_connection *link, const struct ob_error *err);
	int (*supervise)(void *user, struct obi_connection *link,
			 struct ob_bytes instance); /* may be NULL */
	/* It has begun to end by itself, in good order: nothing new can be said. `closed` follows.
	 * May be NULL. */
	void (*ending)(void *user, struct obi_connection *link);
	void *user;
};

struct obi_connection_setup {
	struct obi_loop *loop;
	const struct ob_host *host;
	const struct ob_transport_ops *transport;
	const struct ob_codec_ops *codec;
	const struct obi_handshake_setup *auth; /* NULL: a foreign server */
	struct obi_rpc_limits limits;
	int64_t open_timeout_ms; /* absolute, from dial or accept until it is open */
	uint32_t heartbeat_ms;	 /* for transports that set keepalive from it */
	bool check_owner;	 /* dial: a unix socket must belong to `owner`, and be no link */
	uint32_t owner;
	struct obi_connection_events events;
	struct obi_call_handler handler;
	void *call_owner;
};

/* Speak on an accepted stream, which belongs to the link from here on, failure included. */
int obi_connection_accept(const struct obi_connection_setup *setup, struct ob_stream *stream,
			  struct obi_connection **ret_link, struct ob_error *reterr);

/* Dial uri. OB_OK: it is under way, and `opened` or `closed` follows, not before this returns. */
int obi_connection_dial(const struct obi_connection_setup *setup, const char *uri,
			struct obi_connection **ret_link, struct ob_error *reterr);

bool obi_connection_is_open(const struct obi_connection *link);

/* Whether the connection is closed or being shut down, so that no new calls can be made. */
bool obi_connection_is_ending(const struct obi_connection *link);

/* ---- Calls ---- */

/*
 * Call the peer. If this returns OB_OK, fn (may be NULL) is called exactly once, but not before
 * this returns. method is complete, with its interface. *ret_call (may be NULL) is the one record
 * of the call, valid until it has ended; its owner may be set. OB_EDOWN: not open; OB_EAGAIN: too
 * many calls in flight or bytes queued; OB_ETOOBIG; OB_EINVAL: the codec cannot encode params.
 */
int obi_connection_call(struct obi_connection *link, struct ob_bytes method,
			const struct ob_value *params, int64_t deadline, ob_reply_fn *fn,
			void *user, struct obi_pending **ret_call, struct ob_error *reterr);

int obi_connection_notify(struct obi_connection *link, struct ob_bytes method,
			  const struct ob_value *params, struct ob_error *reterr);

/* Take a call out without calling its fn, and send the peer $/cancel: the call with this id and
 * owner, or any call of this owner. NULL: there is none. The caller frees it. */
struct obi_pending *obi_connection_take(struct obi_connection *link, uint32_t id,
					const void *owner);
struct obi_pending *obi_connection_take_owned(struct obi_connection *link, const void *owner);

/* Whether the call came in on this connection. */
bool obi_connection_carries(const struct obi_connection *link, const struct ob_call *call);

/* ---- The peer ---- */

/* The identity that the peer has proved so far. Valid as long as the connection. */
struct ob_identity obi_connection_identity(const struct obi_connection *link);

/* When the last bytes came, CLOCK_MONOTONIC ms. */
int64_t obi_connection_last_heard(const struct obi_connection *link);

/* Whether any bytes ever came. */
bool obi_connection_has_heard(const struct obi_connection *link);

/* How far the peer of an accepted connection has come with authentication. */
enum obi_handshake_progress obi_connection_progress(const struct obi_connection *link);

/* Read what has arrived now, not when the loop comes to it. The link may end, and be freed, in it.
 */
void obi_connection_look(struct obi_connection *link);

/* What the kernel vouches for about the peer; size is 0 while it dials. */
const struct ob_peer *obi_connection_peer(const struct obi_connection *link);

/* Write out what is queued, as far as it goes at once, and end with code and text. */
void obi_connection_close(struct obi_connection *link, int code, const char *text);

/* Write out everything, half-close, and end at the peer's end of stream or after ms. */
void obi_connection_shutdown(struct obi_connection *link, int64_t ms);

/* Do that, if its keys are worn and nobody would be disturbed; whether it did. `ending` comes
 * first. The link must be open. */
bool obi_connection_end_if_worn(struct obi_connection *link);

/* Close without a callback, and free. Calls in flight end with code, OB_ECLOSED or OB_ECONNLOST.
 * link may be NULL. */
void obi_connection_drop(struct obi_connection *link, int code, const char *text);
void obi_connection_free(struct obi_connection *link);

#endif
