/* SPDX-License-Identifier: MIT */
#include "rpc/connection.h"

#include <stdlib.h>

#include "base/error.h"
#include "rpc/auth_wait.h"
#include "rpc/authentication.h"
#include "rpc/dialing.h"
#include "rpc/receive.h"
#include "rpc/session.h"

enum { RENEW_MS = 1000 };

struct obi_connection {
	struct obi_connection_setup setup;
	struct obi_dialing dialing;
	struct ob_stream *stream;
	struct obi_session session;
	bool has_session;
	bool closed;
	bool draining; /* shutting down: write all, then wait for the end of the stream */
	bool half_closed;
	bool freed; /* by its owner: released when the last callback has returned */
	bool has_heard;
	uint32_t busy; /* functions of this file on the stack */
	struct obi_io io;
	struct obi_timer open_timer;
	struct obi_timer call_timer;
	struct obi_task flush;
	struct obi_auth_wait auth_wait;
};

static void enter(struct obi_connection *conn)
{
	conn->busy++;
}

static void release(struct obi_connection *conn);

static void leave(struct obi_connection *conn)
{
	if (--conn->busy == 0 && conn->freed) {
		release(conn);
	}
}

/* ---- The end ---- */

static void drop_stream(struct obi_connection *conn)
{
	const struct ob_transport_ops *t = conn->setup.transport;
	obi_io_stop(&conn->io);
	obi_timer_stop(&conn->open_timer);
	obi_timer_stop(&conn->call_timer);
	obi_auth_wait_for(&conn->auth_wait, conn->setup.loop, NULL);
	obi_task_stop(&conn->flush);
	obi_dialing_end(&conn->dialing);
	t->close(conn->stream);
	conn->stream = NULL;
}

static void flush_some(struct obi_connection *conn);

/* The session or the dial has ended: report it, once. */
static void end(struct obi_connection *conn, const struct ob_error *err)
{
	if (conn->closed) {
		return;
	}
	conn->closed = true;
	if (conn->stream != NULL) {
		flush_some(conn);
	}
	drop_stream(conn);
	if (!conn->freed && conn->setup.events.closed != NULL) {
		conn->setup.events.closed(conn->setup.events.user, conn, err);
	}
}

static void release(struct obi_connection *conn)
{
	drop_stream(conn);
	if (conn->has_session) {
		obi_session_free(&conn->session);
	}
	free(conn);
}

void obi_connection_free(struct obi_connection *conn)
{
	obi_connection_drop(conn, OB_ECLOSED, "closed");
}

void obi_connection_drop(struct obi_connection *conn, int code, const char *text)
{
	if (conn == NULL || conn->freed) {
		return;
	}
	conn->freed = true;
	enter(conn);
	if (conn->has_session) {
		obi_session_close(&conn->session, code, text);
	}
	leave(conn);
}

void obi_connection_close(struct obi_connection *conn, int code, const char *text)
{
	struct ob_error err;
	enter(conn);
	if (conn->has_session) {
		obi_session_close(&conn->session, code, text);
	} else {
		obi_fail(&err, code, 0, "%s", text);
		end(conn, &err);
	}
	leave(conn);
}

/* ---- Writing: once a turn; the socket is watched only while it is full ---- */

static void half_close(struct obi_connection *conn)
{
	if (conn->draining && !conn->half_closed) {
		conn->half_closed = true;
		(void)conn->setup.transport->shutdown_write(conn->stream, NULL);
	}
}

static ptrdiff_t write_pieces(struct obi_connection *conn, const struct obi_pieces *pieces,
			      struct ob_error *err)
{
	struct iovec list[OBI_SEALED_RECORDS_PIECES];
	for (int i = 0; i < pieces->count; i++) {
		list[i] =
		    (struct iovec){(void *)(uintptr_t)pieces->piece[i].data, pieces->piece[i].len};
	}
	return conn->setup.transport->writev(conn->stream, list, pieces->count, err);
}

/* Returns false when the connection broke. */
static bool flush_out(struct obi_connection *conn, struct ob_error *err)
{
	for (;;) {
		struct obi_pieces out;
		obi_session_pieces(&conn->session, &out);
		if (conn->stream == NULL) {
			return true;
		}
		if (out.count == 0) {
			half_close(conn);
			return true;
		}
		ptrdiff_t n = write_pieces(conn, &out, err);
		if (n == 0) {
			n = obi_fail(err, OB_EIO, 0,
				     "the transport wrote nothing and reported no error");
		}
		if (n < 0) {
			return n == OB_EAGAIN;
		}
		obi_session_wrote(&conn->session, (size_t)n);
	}
}

/* The keys have sealed enough: shut down; the dialer then dials again, with new keys. */
static void end_to_renew(struct obi_connection *conn)
{
	obi_connection_shutdown(conn, RENEW_MS);
	if (conn->setup.events.ending != NULL) {
		conn->setup.events.ending(conn->setup.events.user, conn);
	}
}

bool obi_connection_renew_keys(struct obi_connection *conn)
{
	bool due = obi_sealed_records_key_state(&conn->session.records) != OBI_KEYS_GOOD;
	if (!due || conn->draining || !obi_session_is_quiet(&conn->session)) {
		return false;
	}
	end_to_renew(conn);
	return true;
}

static void end_if_exhausted(struct obi_connection *conn)
{
	if (!conn->draining &&
	    obi_sealed_records_key_state(&conn->session.records) == OBI_KEYS_EXHAUSTED) {
		end_to_renew(conn);
	}
}

static void watch(struct obi_connection *conn)
{
	bool waiting = obi_session_has_output(&conn->session);
	if (conn->stream == NULL) {
		return; /* sealing failed, which closed the session */
	}
	obi_io_set(conn->setup.loop, &conn->io, conn->setup.transport->fd(conn->stream),
		   OB_READABLE | (waiting ? OB_WRITABLE : 0));
}

static void flush_some(struct obi_connection *conn)
{
	struct ob_error err;
	(void)flush_out(conn, &err);
}

static void on_flush(void *user)
{
	struct obi_connection *conn = user;
	struct ob_error err;
	if (conn->stream == NULL) {
		return;
	}
	enter(conn);
	if (!flush_out(conn, &err)) {
		obi_session_ended(&conn->session, &err);
	} else {
		watch(conn);
		end_if_exhausted(conn);
	}
	leave(conn);
}

/* ---- Reading: one read a turn, so that no connection starves the others ---- */

static void on_readable(struct obi_connection *conn)
{
	struct ob_error err;
	size_t room;
	uint8_t *data = obi_receive_room(&conn->session, &room);
	if (data == NULL) {
		return;
	}
	struct iovec piece = {data, room};
	ptrdiff_t n = conn->setup.transport->readv(conn->stream, &piece, 1, &err);
	if (n > 0) {
		conn->has_heard = true;
		obi_receive(&conn->session, (size_t)n);
	} else if (n == 0) {
		obi_session_ended(&conn->session, NULL);
	} else if (n != OB_EAGAIN) {
		obi_session_ended(&conn->session, &err);
	}
}

static void on_io(void *user, int events)
{
	struct obi_connection *conn = user;
	enter(conn);
	if ((events & OB_WRITABLE) != 0) {
		on_flush(conn);
	}
	if ((events & OB_READABLE) != 0 && !conn->closed) {
		on_readable(conn);
	}
	leave(conn);
}

/* ---- Events of the session ---- */

static void session_opened(void *user)
{
	struct obi_connection *conn = user;
	obi_timer_stop(&conn->open_timer);
	conn->setup.events.opened(conn->setup.events.user, conn);
}

static void session_closed(void *user, const struct ob_error *err)
{
	end(user, err);
}

static int session_supervise(void *user, struct ob_bytes instance)
{
	struct obi_connection *conn = user;
	if (conn->setup.events.supervise == NULL) {
		return OB_EPERM;
	}
	return conn->setup.events.supervise(conn->setup.events.user, conn, instance);
}

static void session_want_write(void *user)
{
	struct obi_connection *conn = user;
	if (conn->stream != NULL) {
		obi_task_queue(conn->setup.loop, &conn->flush);
	}
}

static void arm_calls(struct obi_connection *conn)
{
	int64_t deadline = obi_session_deadline(&conn->session);
	if (deadline != INT64_MAX && !conn->closed) {
		int64_t ms = deadline - obi_now_ms();
		obi_timer_set(conn->setup.loop, &conn->call_timer, ms > 0 ? ms : 0);
	}
}

static void session_want_timer(void *user)
{
	arm_calls(user);
}

static void session_auth_wait(void *user, const struct ob_want *want)
{
	struct obi_connection *conn = user;
	obi_auth_wait_for(&conn->auth_wait, conn->setup.loop, want);
}

static void on_auth_ready(void *user)
{
	struct obi_connection *conn = user;
	enter(conn);
	obi_authentication_continue(&conn->session);
	leave(conn);
}

static void on_call_timer(void *user)
{
	struct obi_connection *conn = user;
	enter(conn);
	obi_session_expire(&conn->session, obi_now_ms());
	arm_calls(conn);
	leave(conn);
}

static void on_open_timer(void *user)
{
	struct obi_connection *conn = user;
	obi_connection_close(conn, OB_ETIMEDOUT,
			     conn->draining ? "closed" : "not connected and authenticated in time");
}

/* ---- The beginning ---- */

static struct obi_connection *make(const struct obi_connection_setup *setup)
{
	struct obi_connection *conn = calloc(1, sizeof *conn);
	if (conn == NULL) {
		return NULL;
	}
	conn->setup = *setup;
	conn->auth_wait.ready = on_auth_ready;
	conn->auth_wait.user = conn;
	conn->io.user = conn->open_timer.user = conn->call_timer.user = conn->flush.user = conn;
	conn->open_timer.fn = on_open_timer;
	conn->call_timer.fn = on_call_timer;
	conn->flush.fn = on_flush;
	if (setup->open_timeout_ms > 0) {
		obi_timer_set(setup->loop, &conn->open_timer, setup->open_timeout_ms);
	}
	return conn;
}

/* What is known of the peer. Its pidfd costs a descriptor as long as the stream lives. */
static struct ob_peer ask_peer(struct obi_connection *conn)
{
	const struct obi_handshake_setup *auth = conn->setup.auth;
	struct ob_peer peer = {.size = offsetof(struct ob_peer, pidfd), .pidfd = -1};
	struct ob_error err = {0};
	for (uint32_t i = 0; auth != NULL && i < auth->count; i++) {
		if ((auth->mechanisms[i].ops->flags & OB_AUTH_USES_PIDFD) != 0) {
			peer.size = sizeof peer;
		}
	}
	if (conn->setup.transport->peer != NULL) {
		(void)conn->setup.transport->peer(conn->stream, &peer, &err);
	}
	peer.size = sizeof peer;
	return peer;
}

static void start_session(struct obi_connection *conn, enum ob_auth_role role)
{
	struct obi_session_setup s = {
	    .host = conn->setup.host,
	    .codec = conn->setup.codec,
	    .codec_state = conn->setup.codec_state,
	    .auth = conn->setup.auth,
	    .role = role,
	    .peer = ask_peer(conn),
	    .limits = conn->setup.limits,
	    .events = {session_opened, session_closed, session_supervise, session_want_write,
		       session_want_timer, session_auth_wait, conn},
	    .handler = conn->setup.handler,
	    .call_owner = conn->setup.call_owner,
	    .orphans = conn->setup.orphans,
	};
	obi_session_init(&conn->session, &s);
	conn->has_session = true;
	conn->io.fn = on_io;
	obi_io_set(conn->setup.loop, &conn->io, conn->setup.transport->fd(conn->stream),
		   OB_READABLE);
	enter(conn);
	obi_authentication_begin(&conn->session);
	leave(conn);
}

/* The session may refuse the peer at once. It begins from the loop, so that this end is reported
 * from there, like any other. */
static void on_accepted(void *user)
{
	struct obi_connection *conn = user;
	conn->flush.fn = on_flush;
	start_session(conn, OB_AUTH_ACCEPTOR);
}

void obi_connection_look(struct obi_connection *conn)
{
	enter(conn);
	if (!conn->closed && !conn->has_session) {
		obi_task_stop(&conn->flush);
		on_accepted(conn);
	}
	if (!conn->closed) {
		on_readable(conn);
	}
	leave(conn);
}

int obi_connection_accept(const struct obi_connection_setup *setup, struct ob_stream *stream,
			  struct obi_connection **ret_connection, struct ob_error *reterr)
{
	struct obi_connection *conn = make(setup);
	if (conn == NULL) {
		setup->transport->close(stream);
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	conn->stream = stream;
	conn->flush.fn = on_accepted;
	obi_task_queue(setup->loop, &conn->flush);
	*ret_connection = conn;
	return OB_OK;
}

static void on_dialed(void *user, struct ob_stream *stream, const struct ob_error *err)
{
	struct obi_connection *conn = user;
	if (err == NULL) {
		conn->stream = stream;
		start_session(conn, OB_AUTH_DIALER);
		return;
	}
	enter(conn);
	end(conn, err);
	leave(conn);
}

int obi_connection_dial(const struct obi_connection_setup *setup, const char *uri,
			struct obi_connection **ret_connection, struct ob_error *reterr)
{
	bool known = setup->check_owner && setup->auth != NULL;
	struct obi_connection *conn = make(setup);
	if (conn == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	conn->dialing =
	    (struct obi_dialing){.loop = setup->loop,
				 .host = setup->host,
				 .transport = setup->transport,
				 .params = {.size = sizeof conn->dialing.params,
					    .heartbeat_ms = setup->heartbeat_ms,
					    .owner = known ? setup->auth->allowed_uid : UINT32_MAX,
					    .state = setup->transport_state},
				 .retry = setup->open_timeout_ms > 0,
				 .done = on_dialed,
				 .user = conn};
	int r = obi_dialing_begin(&conn->dialing, uri, reterr);
	if (r < 0) {
		obi_connection_free(conn);
		return r;
	}
	*ret_connection = conn;
	return OB_OK;
}

/* ---- Calls and facts ---- */

bool obi_connection_is_ending(const struct obi_connection *conn)
{
	return obi_session_is_ending(&conn->session);
}

int obi_connection_call(struct obi_connection *conn, struct ob_bytes method,
			const struct ob_value *params, int64_t deadline, ob_reply_fn *fn,
			void *user, struct obi_pending **ret_call, struct ob_error *reterr)
{
	return obi_session_call(&conn->session, method, params, deadline, fn, user, ret_call,
				reterr);
}

int obi_connection_notify(struct obi_connection *conn, struct ob_bytes method,
			  const struct ob_value *params, struct ob_error *reterr)
{
	return obi_session_notify(&conn->session, method, params, reterr);
}

struct obi_pending *obi_connection_take(struct obi_connection *conn, uint32_t id, const void *owner)
{
	return obi_session_take(&conn->session, id, owner);
}

struct obi_pending *obi_connection_take_owned(struct obi_connection *conn, const void *owner)
{
	return obi_session_take_owned(&conn->session, owner);
}

bool obi_connection_carries(const struct obi_connection *conn, const struct ob_call *call)
{
	return call->calls == &conn->session.calls;
}

const struct ob_identity *obi_connection_identity(const struct obi_connection *conn)
{
	return &conn->session.identity;
}

bool obi_connection_is_open(const struct obi_connection *conn)
{
	return conn->has_session && !conn->closed && conn->session.state == OBI_SESSION_OPEN;
}

bool obi_connection_has_heard(const struct obi_connection *conn)
{
	return conn->has_heard;
}

enum obi_handshake_progress obi_connection_progress(const struct obi_connection *conn)
{
	return conn->has_session ? obi_session_progress(&conn->session) : OBI_PROGRESS_NONE;
}

void obi_connection_shutdown(struct obi_connection *conn, int64_t ms)
{
	if (conn->closed || !obi_connection_is_open(conn)) {
		obi_connection_close(conn, OB_ECLOSED, "closed");
		return;
	}
	obi_session_bye(&conn->session);
	conn->draining = true;
	obi_timer_set(conn->setup.loop, &conn->open_timer, ms);
	obi_task_queue(conn->setup.loop, &conn->flush);
}
