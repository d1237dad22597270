/* SPDX-License-Identifier: MIT */
/*
 * rpc/session - the state of the protocol on one connection, without the connection: what may be
 * sent, what waits for replies, and how it ends.
 *
 * It knows no descriptor and no clock; its owner (rpc/connection) passes in bytes and the time.
 * Input goes the way receive -> dispatch or authentication -> answer; each of these files calls
 * only those behind it and this one. Output is queued here, and the owner writes it.
 *
 * States go forward only: AUTH -> OPEN -> CLOSED. An acceptor whose sealing mechanism has passed is
 * CONFIRMING until the first record of the dialer opens: only that proves that the dialer takes
 * part now and did not replay recorded messages. A callback may call any function here but
 * obi_session_free().
 */
#ifndef OBI_RPC_SESSION_H
#define OBI_RPC_SESSION_H

#include "base/buf.h"
#include "rpc/batch.h"
#include "rpc/call.h"
#include "rpc/handshake.h"
#include "rpc/hello.h"
#include "rpc/limits.h"
#include "rpc/pending.h"
#include "rpc/sealed_records.h"

/* Memory that one byte of a message may take once decoded: the byte may be an element, which takes
 * 16 bytes as a value, and 4 more while keys are compared. */
enum { OBI_VALUE_PER_BYTE = 20, OBI_READ_SIZE = 64 * 1024 };

enum obi_session_state {
	OBI_SESSION_AUTH,
	OBI_SESSION_CONFIRMING,
	OBI_SESSION_OPEN,
	OBI_SESSION_CLOSED
};

struct obi_session_events {
	/* The session is OPEN: authentication has passed, or none is required. */
	void (*opened)(void *user);
	/* The session is CLOSED, and every pending call has ended. err->code is OB_ECONNLOST after
	 * an end of stream. Called once. */
	void (*closed)(void *user, const struct ob_error *err);
	/* The peer asks to supervise this process, which it expects to be this instance (empty:
	 * any). Returns OB_OK, or an error that the peer gets. May be NULL: refused. */
	int (*supervise)(void *user, struct ob_bytes instance);
	/* There is output where there was none. */
	void (*want_write)(void *user);
	/* obi_session_deadline() may be earlier than before. */
	void (*want_timer)(void *user);
	/* An authenticator waits: call obi_authentication_continue() when it is time. want NULL:
	 * it waits no more, and its descriptor is about to be closed. */
	void (*auth_wait)(void *user, const struct ob_want *want);
	void *user;
};

struct obi_session_setup {
	const struct ob_host *host;
	const struct ob_codec_ops *codec;
	void *codec_state; /* for its params */
	/* NULL: no authentication. The peer is then a foreign server, and gets no messages of the
	 * protocol itself. */
	const struct obi_handshake_setup *auth;
	enum ob_auth_role role;
	const char *uri; /* that a dialer has dialled; NULL: not known */
	struct ob_peer peer;
	struct ob_bytes binding; /* of the transport; empty: it has none */
	struct obi_rpc_limits limits;
	struct obi_session_events events;
	struct obi_call_handler handler;
	struct obi_hello_handler hello;
	void *call_owner;		  /* for ob_call.owner */
	struct obi_orphan_count *orphans; /* for deferred calls that outlive it; may be NULL */
	uint32_t listener;		  /* enum ob_listener_kind, for the identity of the peer */
};

enum obi_auth_waiting {
	OBI_WAITING_NOT = 0,
	OBI_WAITING_ANSWER,
	OBI_WAITING_ASK,
	OBI_WAITING_DONE
};

struct obi_session {
	struct obi_session_setup setup;
	enum obi_session_state state;
	bool receiving;	   /* inside obi_receive() */
	bool held;	   /* no further message is handled, and none is read, until it is reset */
	bool peer_is_ours; /* completed outboard.auth, so it knows $/cancel and $/bye */
	bool peer_bye;	   /* the peer sent $/bye */
	bool said_bye;	   /* this side sent it: nothing new can be sent */
	uint64_t ignored;  /* messages that were dropped: replies to no call, and the like */
	struct obi_buf in;
	struct obi_buf out;
	struct ob_identity identity; /* of the peer, once the session is OPEN */
	struct obi_claims *claims;   /* of that identity; NULL: none */
	size_t need; /* bytes that must be in the input before it makes sense to scan it again */
	struct ob_scan scan;
	struct ob_codec_params codec_params;
	struct obi_arena arena; /* of the message that is being handled */
	struct obi_handshake auth;
	enum obi_auth_waiting waiting; /* what a waiting authenticator is to go on with */
	struct ob_id waiting_id;       /* ANSWER: of the request; its raw bytes are below */
	uint8_t waiting_raw[OB_ID_MAX];
	struct obi_sealed_records records;
	struct obi_pending_table pending; /* calls of ours */
	struct obi_calls calls;		  /* calls of the peer */
	struct obi_batches batches;	  /* batches of the peer */
	struct obi_batch *reading;	  /* the batch whose messages are being handled; or NULL */
};

/* Begin. setup is copied; what it points to must outlive the session. Call
 * obi_authentication_begin() next. */
void obi_session_init(struct obi_session *s, const struct obi_session_setup *setup);

/* Close, if it is not closed, and free what it holds. Not inside one of its callbacks. */
void obi_session_free(struct obi_session *s);

/* What the peer has done so far, in a session that is not OPEN yet. A first message of a sealing
 * mechanism counts as PROVEN before a record was opened, unless the same message was seen before:
 * it may be a replay. */
enum obi_handshake_progress obi_session_progress(const struct obi_session *s);

/* ---- Output ---- */

static inline bool obi_session_has_output(const struct obi_session *s)
{
	return obi_buf_len(&s->out) > 0 && !s->records.dead;
}

/* The next bytes to be written: all of the output, or a few records of it. Closes the session if it
 * cannot seal. */
void obi_session_pieces(struct obi_session *s, struct obi_pieces *ret);

/* The first of these pieces, or no bytes. */
struct ob_bytes obi_session_output(struct obi_session *s);

/* n bytes of the pieces were written. */
void obi_session_wrote(struct obi_session *s, size_t n);

/* ---- The end ---- */

/* The stream ended. err says how it broke; NULL: an orderly end. */
void obi_session_ended(struct obi_session *s, const struct ob_error *err);

/* Whether the session is closed or said $/bye: nothing new can be sent. */
static inline bool obi_session_is_ending(const struct obi_session *s)
{
	return s->state == OBI_SESSION_CLOSED || s->said_bye;
}

/* Whether no call is in flight either way, and nothing is to be written. */
bool obi_session_is_quiet(const struct obi_session *s);

/* Send $/bye, if the peer understands it: the end that follows is orderly, and nothing was cut. */
void obi_session_bye(struct obi_session *s);

/* Give back the memory of queues that are empty, but for a little: small messages pass also where
 * there is no memory. Not inside one of its callbacks. */
void obi_session_rest(struct obi_session *s);

/* Say bye, and close with code and text. */
void obi_session_close(struct obi_session *s, int code, const char *text);

/* ---- Calls of ours ---- */

/*
 * Call the peer. If this returns OB_OK, fn (may be NULL) is called exactly once, but not before
 * this returns. method is complete. *ret_call (may be NULL) is valid until the call has ended; its
 * owner may be set. OB_EDOWN: not open; OB_EAGAIN: too many calls or bytes queued; OB_ETOOBIG;
 * OB_EINVAL: the codec cannot encode params.
 */
int obi_session_call(struct obi_session *s, struct ob_bytes method, const struct ob_value *params,
		     int64_t deadline, ob_reply_fn *fn, void *user, struct obi_pending **ret_call,
		     struct ob_error *reterr);

/* Take a call out without calling its fn, and send the peer $/cancel. NULL: there is none of this
 * id and owner. The caller frees it. */
struct obi_pending *obi_session_take(struct obi_session *s, uint32_t id, const void *owner);

/* The same with any call of this owner. */
struct obi_pending *obi_session_take_owned(struct obi_session *s, const void *owner);

int obi_session_notify(struct obi_session *s, struct ob_bytes method, const struct ob_value *params,
		       struct ob_error *reterr);

/* The earliest deadline of a call, or INT64_MAX. */
int64_t obi_session_deadline(const struct obi_session *s);

/* End the calls that are due. */
void obi_session_expire(struct obi_session *s, int64_t now);

/* ---- For answer, authentication, dispatch and receive ---- */

/* Go to OPEN. */
void obi_session_open(struct obi_session *s);

/* Queue a message. OB_ETOOBIG, which *reterr explains, and OB_EINVAL leave nothing behind;
 * OB_ENOMEM: the queue is full, or there is no memory (out.starved). */
int obi_session_send(struct obi_session *s, const struct ob_message *m, struct ob_error *reterr);

/* The peer broke the protocol, or is refused: close without a bye. */
void obi_session_fail(struct obi_session *s, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
