/* SPDX-License-Identifier: MIT */
#include "rpc/connection.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "rpc/authentication.h"
#include "rpc/dialing.h"
#include "rpc/receive.h"
#include "rpc/rest.h"
#include "rpc/stream_facts.h"
#include "rpc/stream_handshake.h"
#include "rpc/stream_io.h"

enum { RENEW_MS = 1000 };

struct obi_connection {
	struct obi_connection_setup setup;
	char *uri; /* that is dialled, or was; NULL: accepted */
	struct obi_dialing dialing;
	struct obi_stream_io wire;
	enum ob_auth_role role;
	struct obi_stream_handshake handshake;
	uint8_t binding[OB_BINDING_MAX]; /* of the stream */
	struct obi_session session;
	bool begun; /* with the stream: the handshake, or the session at once */
	bool has_session;
	bool closed;
	bool freed;    /* by its owner: released when the last callback has returned */
	uint32_t busy; /* functions of this file on the stack */
	struct obi_timer open_timer;
	struct obi_timer call_timer;
	struct obi_task flush;
	struct obi_rest rest;
	struct obi_waiter auth_waiter;
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
	obi_stream_io_stop(&conn->wire);
	obi_timer_stop(&conn->open_timer);
	obi_timer_stop(&conn->call_timer);
	obi_waiter_wait(&conn->auth_waiter, conn->setup.loop, NULL);
	obi_task_stop(&conn->flush);
	obi_rest_stop(&conn->rest);
	obi_dialing_end(&conn->dialing);
	obi_stream_handshake_end(&conn->handshake);
	conn->setup.transport->close(conn->wire.stream);
	conn->wire.stream = NULL;
}

static void write_the_last(struct obi_connection *conn)
{
	struct ob_error err;
	if (conn->has_session && conn->wire.stream != NULL) {
		(void)obi_stream_io_write(&conn->wire, &err);
		obi_stream_io_announce_end(&conn->wire);
	}
}

/* The session or the dial has ended: report it, once. */
static void end(struct obi_connection *conn, const struct ob_error *err)
{
	if (conn->closed) {
		return;
	}
	conn->closed = true;
	write_the_last(conn);
	drop_stream(conn);
	/* What was made with settings of plugins: the owner may free these in a callback that is
	 * still on the stack. */
	if (conn->has_session) {
		obi_sealed_records_end(&conn->session.records);
	}
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
	free(conn->uri);
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

/* ---- Reading and writing: once a turn, and output right behind the input that caused it ---- */

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
	if (!due || conn->wire.closing || !obi_session_is_quiet(&conn->session)) {
		return false;
	}
	end_to_renew(conn);
	return true;
}

static void end_if_exhausted(struct obi_connection *conn)
{
	if (!conn->wire.closing &&
	    obi_sealed_records_key_state(&conn->session.records) == OBI_KEYS_EXHAUSTED) {
		end_to_renew(conn);
	}
}

static void on_flush(void *user)
{
	struct obi_connection *conn = user;
	struct ob_error err;
	if (conn->wire.stream == NULL) {
		return;
	}
	enter(conn);
	obi_rest_note_use(&conn->rest);
	if (!obi_stream_io_write(&conn->wire, &err)) {
		obi_session_ended(&conn->session, &err);
	} else {
		obi_stream_io_watch(&conn->wire);
		end_if_exhausted(conn);
	}
	leave(conn);
}

/* Write what was queued while the input was handled. At the end of the turn the peers of many
 * connections would get their answers together, and their next messages would come together: the
 * two sides would take turns instead of working at the same time. */
static void flush_now(struct obi_connection *conn)
{
	if (!conn->closed && conn->flush.slot != NULL) {
		obi_task_stop(&conn->flush);
		on_flush(conn);
	}
}

static void on_io(void *user, int events)
{
	struct obi_connection *conn = user;
	enter(conn);
	events = obi_stream_io_due(&conn->wire, events);
	if ((events & OB_WRITABLE) != 0) {
		on_flush(conn);
	}
	if ((events & OB_READABLE) != 0 && !conn->closed) {
		obi_rest_note_use(&conn->rest);
		obi_stream_io_read(&conn->wire);
		flush_now(conn);
	}
	leave(conn);
}

static void on_more_to_read(void *user)
{
	on_io(user, OB_READABLE);
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
	if (conn->wire.stream != NULL) {
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
	obi_waiter_wait(&conn->auth_waiter, conn->setup.loop, want);
}

static void on_auth_ready(void *user, int revents)
{
	struct obi_connection *conn = user;
	(void)revents;
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
	bool shaking = conn->begun && !conn->has_session;
	const char *name = conn->setup.open_timeout_name;
	char text[128] = "closed";
	if (!conn->wire.closing) {
		snprintf(text, sizeof text, "%s within %lld ms%s%s%s",
			 shaking ? "handshake: not completed" : "not connected and authenticated",
			 (long long)conn->setup.open_timeout_ms, name != NULL ? " (" : "",
			 name != NULL ? name : "", name != NULL ? ")" : "");
	}
	obi_connection_close(conn, OB_ETIMEDOUT, text);
}

/* ---- The beginning ---- */

static struct obi_connection *make(const struct obi_connection_setup *setup)
{
	struct obi_connection *conn = calloc(1, sizeof *conn);
	if (conn == NULL) {
		return NULL;
	}
	conn->setup = *setup;
	conn->wire = (struct obi_stream_io){.loop = setup->loop,
					    .transport = setup->transport,
					    .session = &conn->session,
					    .io = {.fn = on_io, .user = conn},
					    .again = {.fn = on_more_to_read, .user = conn}};
	conn->auth_waiter.ready = on_auth_ready;
	conn->auth_waiter.user = conn->flush.user = conn;
	conn->open_timer.user = conn->call_timer.user = conn;
	conn->open_timer.fn = on_open_timer;
	conn->call_timer.fn = on_call_timer;
	conn->flush.fn = on_flush;
	obi_rest_init(&conn->rest, setup->loop, &conn->session);
	if (setup->open_timeout_ms > 0) {
		obi_timer_set(setup->loop, &conn->open_timer, setup->open_timeout_ms);
	}
	return conn;
}

static void start_session(struct obi_connection *conn)
{
	struct ob_error err;
	struct obi_session_setup s = {
	    .host = conn->setup.host,
	    .codec = conn->setup.codec,
	    .codec_state = conn->setup.codec_state,
	    .auth = conn->setup.auth,
	    .role = conn->role,
	    .uri = conn->uri,
	    .limits = conn->setup.limits,
	    .events = {session_opened, session_closed, session_supervise, session_want_write,
		       session_want_timer, session_auth_wait, conn},
	    .handler = conn->setup.handler,
	    .hello = conn->setup.hello,
	    .call_owner = conn->setup.call_owner,
	    .orphans = conn->setup.orphans,
	    .listener = conn->setup.listener,
	};
	struct ob_sink binding = ob_sink_fixed(conn->binding, sizeof conn->binding);
	if (s.auth != NULL &&
	    obi_stream_binding(conn->setup.transport, conn->wire.stream, &binding, &err) < 0) {
		end(conn, &err);
		return;
	}
	s.binding = ob_bytes_of(conn->binding, binding.len);
	s.peer = obi_stream_peer_facts(conn->setup.transport, conn->wire.stream, s.auth);
	obi_session_init(&conn->session, &s);
	conn->has_session = true;
	obi_stream_io_watch(&conn->wire);
	obi_authentication_begin(&conn->session);
}

static void on_handshake_done(void *user, const struct ob_error *err)
{
	struct obi_connection *conn = user;
	enter(conn);
	if (err != NULL) {
		end(conn, err);
	} else {
		conn->wire.heard = true;
		start_session(conn);
	}
	leave(conn);
}

/* Begin with the stream. */
static void begin(struct obi_connection *conn, enum ob_auth_role role)
{
	conn->begun = true;
	conn->role = role;
	enter(conn);
	if (conn->setup.transport->handshake == NULL) {
		start_session(conn);
	} else {
		conn->handshake = (struct obi_stream_handshake){.loop = conn->setup.loop,
								.transport = conn->setup.transport,
								.stream = conn->wire.stream,
								.done = on_handshake_done,
								.user = conn};
		obi_stream_handshake_begin(&conn->handshake);
	}
	leave(conn);
}

/* The session may refuse the peer at once. It begins from the loop, so that this end is reported
 * from there, like any other. */
static void on_accepted(void *user)
{
	struct obi_connection *conn = user;
	conn->flush.fn = on_flush;
	begin(conn, OB_AUTH_ACCEPTOR);
}

void obi_connection_look(struct obi_connection *conn)
{
	enter(conn);
	if (!conn->closed && !conn->begun) {
		obi_task_stop(&conn->flush);
		on_accepted(conn);
	} else if (!conn->closed && !conn->has_session) {
		obi_stream_handshake_look(&conn->handshake);
	}
	if (!conn->closed && conn->has_session) {
		obi_stream_io_read(&conn->wire);
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
	conn->wire.stream = stream;
	conn->flush.fn = on_accepted;
	obi_task_queue(setup->loop, &conn->flush);
	*ret_connection = conn;
	return OB_OK;
}

static void on_dialed(void *user, struct ob_stream *stream, const struct ob_error *err)
{
	struct obi_connection *conn = user;
	if (err == NULL) {
		conn->wire.stream = stream;
		begin(conn, OB_AUTH_DIALER);
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
	conn->uri = strdup(uri);
	int r = conn->uri != NULL ? obi_dialing_begin(&conn->dialing, conn->uri, reterr)
				  : obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	if (r < 0) {
		obi_connection_free(conn);
		return r;
	}
	*ret_connection = conn;
	return OB_OK;
}

/* ---- Calls and facts ---- */

void obi_connection_hand_over(struct obi_connection *conn,
			      const struct obi_connection_events *events,
			      const struct obi_call_handler *handler)
{
	conn->setup.events = *events;
	conn->session.setup.handler = *handler;
	conn->session.setup.hello = (struct obi_hello_handler){.judge = NULL};
}

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
	return conn->wire.heard || conn->handshake.state > OB_HANDSHAKE_SILENT;
}

/* What the handshake of the transport has shown. */
static enum obi_handshake_progress shown(const struct obi_connection *conn)
{
	bool known = conn->has_session && (conn->session.setup.peer.known & OB_PEER_SUBJECT) != 0;
	if (known || (!conn->has_session && conn->handshake.state == OB_HANDSHAKE_PROVEN)) {
		return OBI_PROGRESS_PROVEN;
	}
	return conn->handshake.state > OB_HANDSHAKE_SILENT ? OBI_PROGRESS_TALKING
							   : OBI_PROGRESS_NONE;
}

enum obi_handshake_progress obi_connection_progress(const struct obi_connection *conn)
{
	enum obi_handshake_progress by_session =
	    conn->has_session ? obi_session_progress(&conn->session) : OBI_PROGRESS_NONE;
	enum obi_handshake_progress by_transport = shown(conn);
	return by_session > by_transport ? by_session : by_transport;
}

void obi_connection_shutdown(struct obi_connection *conn, int64_t ms)
{
	if (conn->closed || !obi_connection_is_open(conn)) {
		obi_connection_close(conn, OB_ECLOSED, "closed");
		return;
	}
	obi_session_bye(&conn->session);
	conn->wire.closing = true;
	obi_timer_set(conn->setup.loop, &conn->open_timer, ms);
	obi_task_queue(conn->setup.loop, &conn->flush);
}

/* ---- Becoming a byte stream ---- */

bool obi_connection_has_only(const struct obi_connection *conn, const struct ob_call *call)
{
	const struct obi_session *s = &conn->session;
	return call->batch == NULL && s->pending.used == 0 && s->batches.first == NULL &&
	       s->calls.deferred == call && s->calls.deferred_count == 1;
}

void obi_connection_hold(struct obi_connection *conn)
{
	conn->session.held = true;
}

void obi_connection_resume(struct obi_connection *conn)
{
	enter(conn);
	conn->session.held = false;
	if (!conn->session.receiving) {
		obi_receive(&conn->session, 0);
	}
	obi_stream_io_watch(&conn->wire);
	leave(conn);
}

void obi_connection_take_stream(struct obi_connection *conn, struct obi_raw_stream *ret)
{
	struct ob_stream *stream = conn->wire.stream;
	conn->wire.stream = NULL;
	drop_stream(conn); /* and everything else that waits */
	obi_raw_stream_begin(ret, conn->setup.transport, stream, &conn->session);
}
