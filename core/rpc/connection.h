/* SPDX-License-Identifier: MIT */
/*
 * rpc/connection - one connection: a stream of a transport, the session on it, and their watchers.
 * Everything above rpc/ uses a connection, not its session.
 *
 * A connection dials, or gets an accepted stream. It ends once, with the event `closed`; then the
 * owner frees it. Any function here may be called inside its callbacks, obi_connection_free()
 * included.
 */
#ifndef OBI_RPC_CONNECTION_H
#define OBI_RPC_CONNECTION_H

#include <outboard/transport.h>

#include "loop/loop.h"
#include "rpc/call.h"
#include "rpc/handshake.h"
#include "rpc/hello.h"
#include "rpc/limits.h"
#include "rpc/pending.h"
#include "rpc/raw_stream.h"
#include "rpc/stream_tickets.h"

struct obi_connection;

struct obi_connection_events {
	void (*opened)(void *user, struct obi_connection *conn);
	void (*closed)(void *user, struct obi_connection *conn, const struct ob_error *err);
	/* The peer asks to supervise this process; see struct obi_session_events. May be NULL. */
	int (*supervise)(void *user, struct obi_connection *conn, struct ob_bytes instance);
	/* The connection has begun to shut down by itself, in order to be dialled again with new
	 * keys: nothing new can be sent. `closed` follows. May be NULL. */
	void (*ending)(void *user, struct obi_connection *conn);
	void *user;
};

struct obi_connection_setup {
	struct obi_loop *loop;
	const struct ob_host *host;
	const struct ob_transport_ops *transport;
	void *transport_state; /* for its params */
	const struct ob_codec_ops *codec;
	void *codec_state;			/* for its params */
	const struct obi_handshake_setup *auth; /* NULL: a foreign server */
	struct obi_rpc_limits limits;
	int64_t open_timeout_ms;       /* from dial or accept until it is open */
	const char *open_timeout_name; /* the option that says so, for errors; NULL: none does */
	uint32_t heartbeat_ms;	       /* transports may set keepalive by it */
	/* dial: a unix socket must belong to auth->allowed_uid, and be no symbolic link */
	bool check_owner;
	struct obi_connection_events events;
	struct obi_call_handler handler;
	struct obi_hello_handler hello;
	/* Of a child that dials: the streams that it was asked for; NULL: none can be. */
	struct obi_stream_tickets *tickets;
	void *call_owner;
	struct obi_orphan_count *orphans; /* see struct obi_session_setup; may be NULL */
	uint32_t listener;		  /* accept: enum ob_listener_kind */
};

/* Begin on an accepted stream, which belongs to the connection from here on, also on failure. */
int obi_connection_accept(const struct obi_connection_setup *setup, struct ob_stream *stream,
			  struct obi_connection **ret_connection, struct ob_error *reterr);

/* Dial uri. If this returns OB_OK, `opened` or `closed` follows, but not before this returns. */
int obi_connection_dial(const struct obi_connection_setup *setup, const char *uri,
			struct obi_connection **ret_connection, struct ob_error *reterr);

bool obi_connection_is_open(const struct obi_connection *conn);

/* The connection, which is open, has another owner from here on: these are its events, and this
 * handles the calls of the peer. outboard.hello is not taken any more. */
void obi_connection_hand_over(struct obi_connection *conn,
			      const struct obi_connection_events *events,
			      const struct obi_call_handler *handler);

/* Whether the connection is closed or being shut down, so that no new calls can be made. */
bool obi_connection_is_ending(const struct obi_connection *conn);

/* ---- Calls ---- */

/*
 * Call the peer. If this returns OB_OK, fn (may be NULL) is called exactly once, but not before
 * this returns. method is complete, with its interface. *ret_call (may be NULL) is the one record
 * of the call, valid until it has ended; its owner may be set. OB_EDOWN: not open; OB_EAGAIN: too
 * many calls in flight or bytes queued; OB_ETOOBIG; OB_EINVAL: the codec cannot encode params.
 */
int obi_connection_call(struct obi_connection *conn, struct ob_bytes method,
			const struct ob_value *params, int64_t deadline, ob_reply_fn *fn,
			void *user, struct obi_pending **ret_call, struct ob_error *reterr);

int obi_connection_notify(struct obi_connection *conn, struct ob_bytes method,
			  const struct ob_value *params, struct ob_error *reterr);

/* Take a call out without calling its fn, and send the peer $/cancel: the call with this id and
 * owner, or any call of this owner. NULL: there is none. The caller frees it. */
struct obi_pending *obi_connection_take(struct obi_connection *conn, uint32_t id,
					const void *owner);
struct obi_pending *obi_connection_take_owned(struct obi_connection *conn, const void *owner);

/* Whether the call came in on this connection. */
bool obi_connection_carries(const struct obi_connection *conn, const struct ob_call *call);

/* ---- The peer ---- */

/* The identity that the peer has proved. Valid while the connection is open. */
const struct ob_identity *obi_connection_identity(const struct obi_connection *conn);

/* Whether any bytes have arrived. */
bool obi_connection_has_heard(const struct obi_connection *conn);

/* What the peer of an accepted connection has done so far to authenticate, in the handshake of the
 * transport or behind it. */
enum obi_handshake_progress obi_connection_progress(const struct obi_connection *conn);

/* Read what has arrived at once, without waiting for the loop. The connection may end, and be
 * freed, in this call. */
void obi_connection_look(struct obi_connection *conn);

/* Write as much of the queue as can be written at once, and end with code and text. */
void obi_connection_close(struct obi_connection *conn, int code, const char *text);

/* Write the whole queue, close the writing side, and end when the peer ends the stream, or after
 * ms. */
void obi_connection_shutdown(struct obi_connection *conn, int64_t ms);

/* Shut down for new keys, with the event `ending`, if the keys are due to be renewed and no call is
 * in flight. Returns whether it did. The connection must be open. */
bool obi_connection_renew_keys(struct obi_connection *conn);

/* ---- Becoming a byte stream ---- */

/* Whether nothing is in flight either way but this call of the peer, which was deferred. */
bool obi_connection_has_only(const struct obi_connection *conn, const struct ob_call *call);

/* Handle no message behind the one that is being handled, and read none, until it is resumed. */
void obi_connection_hold(struct obi_connection *conn);
void obi_connection_resume(struct obi_connection *conn);

/* Take the stream of the connection, which is open and held, with what was read and queued. The
 * connection is of no use any more; it is still to be freed. Not inside one of its callbacks. */
void obi_connection_take_stream(struct obi_connection *conn, struct obi_raw_stream *ret);

/* Close without a callback, and free. Calls in flight end with code, OB_ECLOSED or OB_ECONNLOST.
 * conn may be NULL. */
void obi_connection_drop(struct obi_connection *conn, int code, const char *text);
void obi_connection_free(struct obi_connection *conn);

#endif
