/* SPDX-License-Identifier: MIT */
/*
 * rpc/session - the protocol of one connection, without the connection: bytes in, bytes out, calls
 * both ways.
 *
 * The owner (rpc/connection) reads into obi_session_room(), tells of it with
 * obi_session_received(), and writes out what is queued in obi_session_output(). The session
 * decides the rest: authentication, framing, limits, replies, deadlines. It knows no fd and no
 * clock; it is told the time.
 *
 * States go forward only: AUTH -> OPEN -> CLOSED; but an acceptor to whom a mechanism that seals
 * has said "done" is CONFIRMING until the first record of the dialer opens, since only that proves
 * that somebody is there now. A callback may call any function here but obi_session_free().
 */
#ifndef OBI_RPC_SESSION_H
#define OBI_RPC_SESSION_H

#include <outboard/codec.h>

#include "base/buf.h"
#include "rpc/handshake.h"
#include "rpc/batch.h"
#include "rpc/call.h"
#include "rpc/limits.h"
#include "rpc/pending.h"
#include "rpc/sealed_records.h"

/* A byte of a message may be an element, which takes 16 bytes as a value, and 4 more while keys are
 * compared. */
enum { OBI_VALUE_PER_BYTE = 20 };

enum obi_session_state {
	OBI_SESSION_AUTH,
	OBI_SESSION_CONFIRMING,
	OBI_SESSION_OPEN,
	OBI_SESSION_CLOSED
};

struct obi_session_events {
	/* Authentication passed, or none was asked for. */
	void (*opened)(void *user);
	/* It is CLOSED now; every pending call has ended. err->code is OB_ECONNLOST after an end of
	 * stream. Called once. */
	void (*closed)(void *user, const struct ob_error *err);
	/* The peer wants to supervise us; it named the instance it expects (empty: none). OB_OK or
	 * an error for it. */
	int (*supervise)(void *user, struct ob_bytes instance);
	/* There is output where there was none. */
	void (*want_write)(void *user);
	/* There may be an earlier deadline than before. */
	void (*want_timer)(void *user);
	void *user;
};

struct obi_session_setup {
	const struct ob_codec_ops *codec;
	const struct obi_handshake_setup
	    *auth; /* NULL: none, and then the peer is a foreign server: nothing of ours is sent */
	enum ob_auth_role role;
	struct ob_peer peer;
	struct obi_rpc_limits limits;
	struct obi_session_events events;
	struct obi_call_handler handler;
	void *call_owner; /* for ob_call.owner */
};

struct obi_session {
	struct obi_session_setup setup;
	enum obi_session_state state;
	bool dispatching;  /* inside obi_session_received() */
	bool peer_is_ours; /* completed outboard.auth, so knows $/cancel and $/bye */
	bool peer_bye;	   /* announced its end */
	bool said_bye;	   /* we did: nothing new is begun */
	bool supervised;
	uint64_t ignored; /* replies that nobody waited for */
	struct obi_buf in;
	struct obi_buf out;
	size_t need; /* scan can get no further before so many bytes are in `in` */
	struct ob_scan scan;
	struct ob_limits codec_limits;
	struct obi_arena arena; /* of the message being handled */
	struct obi_handshake auth;
	struct obi_sealed_records records;
	struct obi_pending_table pending;
	struct ob_call *spare;	  /* ready for the next call */
	struct ob_call *deferred; /* calls to be answered later */
	uint32_t deferred_count;
	struct obi_batch *batches; /* not answered yet */
	struct obi_batch *batch;   /* whose message is being handled, if it is one of a batch */
	size_t batched;		   /* bytes of answers that wait in batches */
};

/* Begin. setup is copied; what it points to must outlive the session. The owner must then call
 * obi_session_begin(). */
void obi_session_init(struct obi_session *s, const struct obi_session_setup *setup);

/* Check the peer's facts and, as a dialer, queue the first message. It may open, or close, at once.
 */
void obi_session_begin(struct obi_session *s, int64_t now);

/* Close (if need be) and free what it holds. Not inside one of its callbacks. */
void obi_session_free(struct obi_session *s);

/* Where to read to; never NULL unless memory ran out, and then the session has closed itself. */
uint8_t *obi_session_room(struct obi_session *s, size_t *ret_room);

/*
 * Of a session that is not OPEN yet. A first message of a mechanism that seals is PROVEN before a
 * record has opened, unless it has come before: who recorded one has proved nothing.
 */
enum obi_handshake_progress obi_session_progress(const struct obi_session *s);

/* n bytes were read there: handle every message that is complete. */
void obi_session_received(struct obi_session *s, size_t n, int64_t now);

/* The stream ended, or broke: err says how; NULL is an orderly end. */
void obi_session_ended(struct obi_session *s, const struct ob_error *err);

/* Whether something is to be written. */
static inline bool obi_session_has_output(const struct obi_session *s)
{
	return obi_buf_len(&s->out) > 0 && !s->records.dead;
}

/* The next bytes to be written, until obi_session_wrote(); all of them, or a few records. May close
 * the session, if it cannot seal. */
void obi_session_pieces(struct obi_session *s, struct obi_pieces *ret);

/* The first of these pieces, or nothing. */
struct ob_bytes obi_session_output(struct obi_session *s);

/* n bytes of the pieces were written. */
void obi_session_wrote(struct obi_session *s, size_t n);

/* Whether it is over, or about to be: nothing new can be said. */
static inline bool obi_session_ends(const struct obi_session *s)
{
	return s->state == OBI_SESSION_CLOSED || s->said_bye;
}

/* Whether nobody waits for an answer, on either side, and nothing is to be written. */
bool obi_session_is_quiet(const struct obi_session *s);

/* Tell a peer that understands it that we end in good order, and nothing was cut. */
void obi_session_bye(struct obi_session *s);

/* End it from this side with code and text, after a bye. */
void obi_session_close(struct obi_session *s, int code, const char *text);

/*
 * Call the peer. fn is called exactly once if this returns OB_OK, never inside it. method is
 * complete. OB_EDOWN: not open; OB_EAGAIN: too many calls or bytes queued; OB_ETOOBIG; OB_EINVAL:
 * params the codec cannot carry.
 */
int obi_session_call(struct obi_session *s, struct ob_bytes method, const struct ob_value *params,
		     int64_t deadline, ob_reply_fn *fn, void *user, uint32_t *ret_id,
		     struct ob_error *reterr);

/* End a call of ours with code; the peer is told. Unknown ids: nothing. */
void obi_session_cancel(struct obi_session *s, uint32_t id, int code);

/* Take a call of ours out without ending it; the peer is told that nobody waits. false: there is
 * none of that id. */
bool obi_session_forget(struct obi_session *s, uint32_t id);

int obi_session_notify(struct obi_session *s, struct ob_bytes method, const struct ob_value *params,
		       struct ob_error *reterr);

/* The earliest deadline of a call, or INT64_MAX. */
int64_t obi_session_deadline(const struct obi_session *s);

/* Who the peer is, as far as it has proved that yet. Views live as long as the session. */
struct ob_identity obi_session_identity(const struct obi_session *s);

/* End the calls that are due. */
void obi_session_expire(struct obi_session *s, int64_t now);

#endif
