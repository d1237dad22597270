/* SPDX-License-Identifier: MIT */
#include "rpc/connection.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/uri.h"
#include "rpc/authentication.h"
#include "rpc/receive.h"
#include "rpc/session.h"

enum { RENEW_MS = 1000, DIAL_AGAIN_MS = 10 };

struct obi_connection {
	struct obi_connection_setup setup;
	struct ob_dial *dial;
	struct ob_stream *stream;
	struct obi_session session;
	bool has_session;
	bool closed;
	bool draining; /* shut down: write all, then wait for the peer's end */
	bool half_closed;
	bool doomed; /* to be freed when the last callback has returned */
	bool has_heard;
	uint32_t busy; /* callbacks of ours on the stack */
	int64_t heard;
	struct obi_io io;
	struct obi_timer open_timer;
	struct obi_timer dial_timer;
	struct obi_timer call_timer;
	struct obi_task flush;
	struct obi_arena arena; /* of the URI being dialled */
	char *uri;
};

static void enter(struct obi_connection *link)
{
	link->busy++;
}

static void release(struct obi_connection *link);

static void leave(struct obi_connection *link)
{
	if (--link->busy == 0 && link->doomed) {
		release(link);
	}
}

/* ---- The end ---- */

static void drop_stream(struct obi_connection *link)
{
	const struct ob_transport_ops *t = link->setup.transport;
	obi_io_stop(&link->io);
	obi_timer_stop(&link->open_timer);
	obi_timer_stop(&link->dial_timer);
	obi_timer_stop(&link->call_timer);
	obi_task_stop(&link->flush);
	t->dial_close(link->dial);
	t->close(link->stream);
	link->dial = NULL;
	link->stream = NULL;
}

static void flush_some(struct obi_connection *link);

/* The session, or the dial, is over: tell the owner, once. */
static void end(struct obi_connection *link, const struct ob_error *err)
{
	if (link->closed) {
		return;
	}
	link->closed = true;
	if (link->stream != NULL) {
		flush_some(link);
	}
	drop_stream(link);
	if (!link->doomed && link->setup.events.closed != NULL) {
		link->setup.events.closed(link->setup.events.user, link, err);
	}
}

static void fail_dial(struct obi_connection *link, const struct ob_error *err)
{
	enter(link);
	end(link, err);
	leave(link);
}

static void release(struct obi_connection *link)
{
	drop_stream(link);
	if (link->has_session) {
		obi_session_free(&link->session);
	}
	obi_arena_free(&link->arena);
	free(link->uri);
	free(link);
}

void obi_connection_free(struct obi_connection *link)
{
	obi_connection_drop(link, OB_ECLOSED, "closed");
}

void obi_connection_drop(struct obi_connection *link, int code, const char *text)
{
	if (link == NULL || link->doomed) {
		return;
	}
	link->doomed = true;
	enter(link);
	if (link->has_session) {
		obi_session_close(&link->session, code, text);
	}
	leave(link);
}

void obi_connection_close(struct obi_connection *link, int code, const char *text)
{
	struct ob_error err;
	enter(link);
	if (link->has_session) {
		obi_session_close(&link->session, code, text);
	} else {
		obi_fail(&err, code, 0, "%s", text);
		end(link, &err);
	}
	leave(link);
}

/* ---- Writing: once a turn, as much as goes; the watcher only when the socket is full ---- */

static void half_close(struct obi_connection *link)
{
	if (link->draining && !link->half_closed) {
		link->half_closed = true;
		(void)link->setup.transport->shutdown_write(link->stream, NULL);
	}
}

static ptrdiff_t write_pieces(struct obi_connection *link, const struct obi_pieces *pieces,
			      struct ob_error *err)
{
	struct iovec list[OBI_SEALED_RECORDS_PIECES];
	for (int i = 0; i < pieces->count; i++) {
		list[i] =
		    (struct iovec){(void *)(uintptr_t)pieces->piece[i].data, pieces->piece[i].len};
	}
	return link->setup.transport->writev(link->stream, list, pieces->count, err);
}

/* Returns false when the connection broke. */
static bool flush_out(struct obi_connection *link, struct ob_error *err)
{
	for (;;) {
		struct obi_pieces out;
		obi_session_pieces(&link->session, &out);
		if (link->stream == NULL) {
			return true;
		}
		if (out.count == 0) {
			half_close(link);
			return true;
		}
		ptrdiff_t n = write_pieces(link, &out, err);
		if (n == 0) {
			n = obi_fail(err, OB_EIO, 0,
				     "the transport writes nothing, and does not say why");
		}
		if (n < 0) {
			return n == OB_EAGAIN;
		}
		obi_session_wrote(&link->session, (size_t)n);
	}
}

/* Its keys have done their part: end in good order, and whoever dialled dials anew. */
static void end_to_renew(struct obi_connection *link)
{
	obi_connection_shutdown(link, RENEW_MS);
	if (link->setup.events.ending != NULL) {
		link->setup.events.ending(link->setup.events.user, link);
	}
}

bool obi_connection_end_if_worn(struct obi_connection *link)
{
	bool worn = obi_sealed_records_wear(&link->session.records) != OBI_WEAR_NONE;
	if (!worn || link->draining || !obi_session_is_quiet(&link->session)) {
		return false;
	}
	end_to_renew(link);
	return true;
}

static void end_if_spent(struct obi_connection *link)
{
	if (!link->draining && obi_sealed_records_wear(&link->session.records) == OBI_WEAR_SPENT) {
		end_to_renew(link);
	}
}

static void watch(struct obi_connection *link)
{
	bool waiting = obi_session_has_output(&link->session);
	if (link->stream == NULL) {
		return; /* nothing could be sealed, and that was the end */
	}
	obi_io_set(link->setup.loop, &link->io, link->setup.transport->fd(link->stream),
		   OB_READABLE | (waiting ? OB_WRITABLE : 0));
}

static void flush_some(struct obi_connection *link)
{
	struct ob_error err;
	(void)flush_out(link, &err);
}

static void on_flush(void *user)
{
	struct obi_connection *link = user;
	struct ob_error err;
	if (link->stream == NULL) {
		return;
	}
	enter(link);
	if (!flush_out(link, &err)) {
		obi_session_ended(&link->session, &err);
	} else {
		watch(link);
		end_if_spent(link);
	}
	leave(link);
}

/* ---- Reading: one read a turn, so that no connection starves another ---- */

static void on_readable(struct obi_connection *link)
{
	struct ob_error err;
	size_t room;
	uint8_t *data = obi_receive_room(&link->session, &room);
	if (data == NULL) {
		return;
	}
	struct iovec piece = {data, room};
	ptrdiff_t n = link->setup.transport->readv(link->stream, &piece, 1, &err);
	if (n > 0) {
		link->heard = obi_loop_now(link->setup.loop);
		link->has_heard = true;
		obi_receive(&link->session, (size_t)n);
	} else if (n == 0) {
		obi_session_ended(&link->session, NULL);
	} else if (n != OB_EAGAIN) {
		obi_session_ended(&link->session, &err);
	}
}

static void on_io(void *user, int events)
{
	struct obi_connection *link = user;
	enter(link);
	if ((events & OB_WRITABLE) != 0) {
		on_flush(link);
	}
	if ((events & OB_READABLE) != 0 && !link->closed) {
		on_readable(link);
	}
	leave(link);
}

/* ---- What the session tells ---- */

static void session_opened(void *user)
{
	struct obi_connection *link = user;
	obi_timer_stop(&link->open_timer);
	link->setup.events.opened(link->setup.events.user, link);
}

static void session_closed(void *user, const struct ob_error *err)
{
	end(user, err);
}

static int session_supervise(void *user, struct ob_bytes instance)
{
	struct obi_connection *link = user;
	if (link->setup.events.supervise == NULL) {
		return OB_EPERM;
	}
	return link->setup.events.supervise(link->setup.events.user, link, instance);
}

static void session_want_write(void *user)
{
	struct obi_connection *link = user;
	if (link->stream != NULL) {
		obi_task_queue(link->setup.loop, &link->flush);
	}
}

static void arm_calls(struct obi_connection *link)
{
	int64_t deadline = obi_session_deadline(&link->session);
	if (deadline != INT64_MAX && !link->closed) {
		int64_t ms = deadline - obi_now_ms();
		obi_timer_set(link->setup.loop, &link->call_timer, ms > 0 ? ms : 0);
	}
}

static void session_want_timer(void *user)
{
	arm_calls(user);
}

static void on_call_timer(void *user)
{
	struct obi_connection *link = user;
	enter(link);
	obi_session_expire(&link->session, obi_now_ms());
	arm_calls(link);
	leave(link);
}

static void on_open_timer(void *user)
{
	struct obi_connection *link = user;
	obi_connection_close(link, OB_ETIMEDOUT,
			     link->draining ? "closed" : "not connected and authenticated in time");
}

/* ---- The beginning ---- */

static struct obi_connection *make(const struct obi_connection_setup *setup)
{
	struct obi_connection *link = calloc(1, sizeof *link);
	if (link == NULL) {
		return NULL;
	}
	link->setup = *setup;
	link->io.user = link->open_timer.user = link->dial_timer.user = link->call_timer.user =
	    link->flush.user = link;
	link->open_timer.fn = on_open_timer;
	link->call_timer.fn = on_call_timer;
	link->flush.fn = on_flush;
	link->heard = obi_now_ms();
	obi_arena_init(&link->arena, 64 * 1024);
	if (setup->open_timeout_ms > 0) {
		obi_timer_set(setup->loop, &link->open_timer, setup->open_timeout_ms);
	}
	return link;
}

static void start_session(struct obi_connection *link, enum ob_auth_role role)
{
	struct obi_session_setup s = {
	    .codec = link->setup.codec,
	    .auth = link->setup.auth,
	    .role = role,
	    .peer = {.size = sizeof s.peer, .pidfd = -1},
	    .limits = link->setup.limits,
	    .events = {session_opened, session_closed, session_supervise, session_want_write,
		       session_want_timer, link},
	    .handler = link->setup.handler,
	    .call_owner = link->setup.call_owner,
	};
	struct ob_error err = {0};
	if (link->setup.transport->peer != NULL) {
		(void)link->setup.transport->peer(link->stream, &s.peer, &err);
	}
	obi_session_init(&link->session, &s);
	link->has_session = true;
	link->io.fn = on_io;
	obi_io_set(link->setup.loop, &link->io, link->setup.transport->fd(link->stream),
		   OB_READABLE);
	enter(link);
	obi_authentication_begin(&link->session);
	leave(link);
}

/* An accepted connection may be refused at once: then its end is told from the loop, as any other.
 */
static void on_accepted(void *user)
{
	struct obi_connection *link = user;
	link->flush.fn = on_flush;
	start_session(link, OB_AUTH_ACCEPTOR);
}

void obi_connection_look(struct obi_connection *link)
{
	enter(link);
	if (!link->closed && !link->has_session) {
		obi_task_stop(&link->flush);
		on_accepted(link);
	}
	if (!link->closed) {
		on_readable(link);
	}
	leave(link);
}

int obi_connection_accept(const struct obi_connection_setup *setup, struct ob_stream *stream,
			  struct obi_connection **ret_link, struct ob_error *reterr)
{
	struct obi_connection *link = make(setup);
	if (link == NULL) {
		setup->transport->close(stream);
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	link->stream = stream;
	link->flush.fn = on_accepted;
	obi_task_queue(setup->loop, &link->flush);
	*ret_link = link;
	return OB_OK;
}

static void go_on_dialing(struct obi_connection *link, int revents);

static void on_dial_io(void *user, int events)
{
	go_on_dialing(user, events);
}

static void on_dial_timer(void *user)
{
	go_on_dialing(user, 0);
}

static void wait_for(struct obi_connection *link, const struct ob_want *want)
{
	obi_io_stop(&link->io);
	link->io.fn = on_dial_io;
	if (want->fd >= 0 && want->events != 0) {
		obi_io_set(link->setup.loop, &link->io, want->fd, want->events);
	}
	obi_timer_stop(&link->dial_timer);
	link->dial_timer.fn = on_dial_timer;
	if (want->deadline >= 0) {
		int64_t ms = want->deadline - obi_now_ms();
		obi_timer_set(link->setup.loop, &link->dial_timer, ms > 0 ? ms : 0);
	}
}

static void go_on_dialing(struct obi_connection *link, int revents)
{
	const struct ob_transport_ops *t = link->setup.transport;
	struct ob_want want = {.fd = -1, .deadline = -1};
	struct ob_error err = {0};
	int r = t->finish_dial(link->dial, revents, &link->stream, &want, &err);
	if (r == OB_EAGAIN) {
		wait_for(link, &want);
		return;
	}
	obi_io_stop(&link->io);
	obi_timer_stop(&link->dial_timer);
	t->dial_close(link->dial);
	link->dial = NULL;
	if (r < 0) {
		fail_dial(link, &err);
		return;
	}
	start_session(link, OB_AUTH_DIALER);
}

static int begin_dial(struct obi_connection *link, struct ob_error *reterr);

static void on_dial_again(void *user)
{
	struct obi_connection *link = user;
	struct ob_error err = {0};
	if (begin_dial(link, &err) < 0) {
		fail_dial(link, &err);
	}
}

/* A full backlog gives nothing to wait for, and a place in it soon. The open timeout ends this. */
static int dial_again_later(struct obi_connection *link)
{
	link->dial_timer.fn = on_dial_again;
	obi_timer_set(link->setup.loop, &link->dial_timer, DIAL_AGAIN_MS);
	return OB_OK;
}

static int begin_dial(struct obi_connection *link, struct ob_error *reterr)
{
	struct ob_stream_params params = {.size = sizeof params,
					  .heartbeat_ms = link->setup.heartbeat_ms,
					  .check_owner = link->setup.check_owner,
					  .owner = link->setup.owner};
	struct ob_want want = {.fd = -1, .deadline = -1};
	struct ob_uri parsed;
	obi_arena_reset(&link->arena);
	int r = obi_uri_parse(link->uri, &link->arena.ob, &parsed, reterr);
	if (r < 0) {
		return r;
	}
	r = link->setup.transport->dial(link->setup.host, &parsed, &params, &link->dial, &want,
					reterr);
	if (r < 0) {
		link->dial = NULL;
		return r == OB_EAGAIN && link->setup.open_timeout_ms > 0 ? dial_again_later(link)
									 : r;
	}
	wait_for(link, &want);
	return OB_OK;
}

int obi_connection_dial(const struct obi_connection_setup *setup, const char *uri,
			struct obi_connection **ret_link, struct ob_error *reterr)
{
	struct obi_connection *link = make(setup);
	if (link == NULL || (link->uri = strdup(uri)) == NULL) {
		obi_connection_free(link);
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	int r = begin_dial(link, reterr);
	if (r < 0) {
		obi_connection_free(link);
		return r;
	}
	*ret_link = link;
	return OB_OK;
}

/* ---- Asking ---- */

bool obi_connection_is_ending(const struct obi_connection *link)
{
	return obi_session_is_ending(&link->session);
}

int obi_connection_call(struct obi_connection *link, struct ob_bytes method,
			const struct ob_value *params, int64_t deadline, ob_reply_fn *fn,
			void *user, struct obi_pending **ret_call, struct ob_error *reterr)
{
	return obi_session_call(&link->session, method, params, deadline, fn, user, ret_call,
				reterr);
}

int obi_connection_notify(struct obi_connection *link, struct ob_bytes method,
			  const struct ob_value *params, struct ob_error *reterr)
{
	return obi_session_notify(&link->session, method, params, reterr);
}

struct obi_pending *obi_connection_take(struct obi_connection *link, uint32_t id, const void *owner)
{
	return obi_session_take(&link->session, id, owner);
}

struct obi_pending *obi_connection_take_owned(struct obi_connection *link, const void *owner)
{
	return obi_session_take_owned(&link->session, owner);
}

bool obi_connection_carries(const struct obi_connection *link, const struct ob_call *call)
{
	return call->calls == &link->session.calls;
}

struct ob_identity obi_connection_identity(const struct obi_connection *link)
{
	return obi_session_identity(&link->session);
}

bool obi_connection_is_open(const struct obi_connection *link)
{
	return link->has_session && !link->closed && link->session.state == OBI_SESSION_OPEN;
}

int64_t obi_connection_last_heard(const struct obi_connection *link)
{
	return link->heard;
}

bool obi_connection_has_heard(const struct obi_connection *link)
{
	return link->has_heard;
}

enum obi_handshake_progress obi_connection_progress(const struct obi_connection *link)
{
	return link->has_session ? obi_session_progress(&link->session) : OBI_PROGRESS_NONE;
}

const struct ob_peer *obi_connection_peer(const struct obi_connection *link)
{
	return &link->session.setup.peer;
}

void obi_connection_shutdown(struct obi_connection *link, int64_t ms)
{
	if (link->closed || !obi_connection_is_open(link)) {
		obi_connection_close(link, OB_ECLOSED, "closed");
		return;
	}
	obi_session_bye(&link->session);
	link->draining = true;
	obi_timer_set(link->setup.loop, &link->open_timer, ms);
	obi_task_queue(link->setup.loop, &link->flush);
}
