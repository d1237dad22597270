/* SPDX-License-Identifier: MIT */
/* Accepting: the gate decides who gets a seat; here are the descriptors and the timer that it does
 * not know. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "server/connections.h"

enum { ACCEPT_PAUSE_MS = 100, ACCEPTS_A_TURN = 64 };

static const struct ob_transport_ops *transport_of(const struct ob_server *s)
{
	return &s->endpoint.transport->as.transport;
}

static void pause_accepting(struct ob_server *s, int64_t ms)
{
	obi_io_stop(&s->accept_io);
	obi_timer_set(s->rt->loop, &s->pause, ms);
}

/* Whoever knocks is told apart by this; a peer's pidfd would cost a descriptor each. false: it has
 * gone already. */
static bool find_source(const struct ob_server *s, struct ob_stream *stream, struct obi_origin *ret)
{
	struct ob_peer peer = {.size = offsetof(struct ob_peer, pidfd)};
	struct ob_error err;
	if (transport_of(s)->peer != NULL && transport_of(s)->peer(stream, &peer, &err) < 0) {
		return false;
	}
	*ret = obi_origin_of_peer(&peer);
	return true;
}

static struct obi_server_connection *connection_of(struct obi_admission_slot *seat)
{
	return (
	    struct obi_server_connection *)(void *)((char *)seat -
						    offsetof(struct obi_server_connection, seat));
}

/*
 * Its next word may have arrived and only not been read: look, before its silence is held against
 * it. Whether that changed anything: it came further, or opened, or ended.
 */
static bool look_at(struct ob_server *s, struct obi_server_connection *c)
{
	s->looking = c;
	obi_connection_look(c->link);
	if (s->looking != c) {
		return true;
	}
	s->looking = NULL;
	return obi_admission_rise(
	    &c->seat, (enum obi_admission_rank)obi_connection_progress(c->link), obi_now_ms());
}

/* What the gate knows of them may be old: they have been read from since. */
static void update_ranks(struct ob_server *s)
{
	int64_t now = obi_now_ms();
	for (struct obi_admission_slot *seat = s->gate.first; seat != NULL; seat = seat->next) {
		(void)obi_admission_rise(
		    seat,
		    (enum obi_admission_rank)obi_connection_progress(connection_of(seat)->link),
		    now);
	}
}

static struct obi_admission_answer ask(struct ob_server *s, struct obi_origin from)
{
	struct obi_admission_answer answer = obi_admission_ask(&s->gate, from, obi_now_ms());
	if (answer.verdict == OBI_ADMISSION_ENTER || answer.verdict == OBI_ADMISSION_BLOCKED) {
		return answer;
	}
	update_ranks(s);
	for (;;) {
		answer = obi_admission_ask(&s->gate, from, obi_now_ms());
		struct obi_server_connection *c =
		    answer.victim != NULL ? connection_of(answer.victim) : NULL;
		if (c != NULL && look_at(s, c)) {
			continue;
		}
		if (answer.verdict != OBI_ADMISSION_EVICT) {
			return answer;
		}
		obi_connections_warn(s, OBI_WARN_STRANGER, &c->from, "a connection was refused",
				     "too many connections that have not authenticated");
		obi_connections_drop(c);
	}
}

static void refuse(struct ob_server *s, struct ob_stream *stream, struct obi_origin from,
		   const struct obi_admission_answer *answer)
{
	char why[96];
	transport_of(s)->close(stream);
	if (answer->verdict == OBI_ADMISSION_BLOCKED) {
		snprintf(why, sizeof why, "too many failures from there; for %lld ms more",
			 (long long)answer->ms);
	} else {
		snprintf(why, sizeof why, "too many connections that have not authenticated");
	}
	obi_connections_warn(s, OBI_WARN_STRANGER, &from, "a connection was refused", why);
}

/* false: it has to wait, and all behind it. */
static bool let_in(struct ob_server *s, struct ob_stream *stream)
{
	struct obi_origin from;
	if (!find_source(s, stream, &from)) {
		transport_of(s)->close(stream);
		return true;
	}
	struct obi_admission_answer answer = ask(s, from);
	switch (answer.verdict) {
	case OBI_ADMISSION_ENTER:
		obi_connections_stream(s, stream, from);
		return true;
	case OBI_ADMISSION_WAIT:
		s->waiting = stream;
		pause_accepting(s, answer.ms > 0 ? answer.ms : 1);
		return false;
	default:
		refuse(s, stream, from, &answer);
		return true;
	}
}

/*
 * Out of descriptors: a waiting connection would make the listener readable for ever. Give up the
 * reserve to take and close it, so that the peer learns of it, and leave the rest for a moment.
 */
static void refuse_one(struct ob_server *s)
{
	struct ob_stream *stream;
	close(s->reserve_fd);
	if (transport_of(s)->accept(s->listener, &stream, NULL) == OB_OK) {
		transport_of(s)->close(stream);
	}
	s->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pause_accepting(s, ACCEPT_PAUSE_MS);
	obi_connections_warn(s, OBI_WARN_STRANGER, NULL, "cannot accept connections for a moment",
			     "out of file descriptors or memory");
}

static void on_acceptable(void *user, int events)
{
	struct ob_server *s = user;
	struct ob_error err = {0};
	(void)events;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		struct ob_stream *stream;
		int r = transport_of(s)->accept(s->listener, &stream, &err);
		if (r == OB_EAGAIN || (r == OB_OK && !let_in(s, stream))) {
			return;
		}
		if (r == OB_ENOMEM) {
			refuse_one(s);
			return;
		}
		if (r < 0) {
			obi_connections_warn(s, OBI_WARN_STRANGER, NULL,
					     "cannot accept connections for a moment", err.text);
			pause_accepting(s, ACCEPT_PAUSE_MS);
			return;
		}
	}
}

static void resume_accepting(void *user)
{
	struct ob_server *s = user;
	struct ob_stream *stream = s->waiting;
	s->waiting = NULL;
	if (stream == NULL || let_in(s, stream)) {
		obi_io_set(s->rt->loop, &s->accept_io, transport_of(s)->listener_fd(s->listener),
			   OB_READABLE);
	}
}

void obi_accept_go_on(struct ob_server *s)
{
	if (s->waiting != NULL) {
		obi_timer_set(s->rt->loop, &s->pause, 0);
	}
}

void obi_accept_begin(struct ob_server *s)
{
	s->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	s->accept_io.fn = on_acceptable;
	s->pause.fn = resume_accepting;
	s->accept_io.user = s->pause.user = s;
	resume_accepting(s);
}

void obi_accept_end(struct ob_server *s)
{
	obi_io_stop(&s->accept_io);
	obi_timer_stop(&s->pause);
	if (s->waiting != NULL) {
		transport_of(s)->close(s->waiting);
		s->waiting = NULL;
	}
	if (s->reserve_fd >= 0) {
		close(s->reserve_fd);
		s->reserve_fd = -1;
	}
}
