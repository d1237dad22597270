/* SPDX-License-Identifier: MIT */
#include "chaos/relay.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- Sources and sinks ---- */

static ptrdiff_t far_result(ssize_t n)
{
	return n >= 0 ? n : errno == EAGAIN ? OB_EAGAIN : OB_ECONNLOST;
}

static ptrdiff_t take(struct obi_chaos_relay *r, int way, void *to, size_t len,
		      struct ob_error *err)
{
	struct iovec piece = {to, len};
	if (way == OBI_CHAOS_LANE_IN) {
		return r->inner->readv(r->stream, &piece, 1, err);
	}
	ssize_t n;
	do {
		n = recv(r->far, to, len, 0);
	} while (n < 0 && errno == EINTR);
	return far_result(n);
}

static ptrdiff_t give(struct obi_chaos_relay *r, int way, struct ob_bytes bytes,
		      struct ob_error *err)
{
	struct iovec piece = {(void *)(uintptr_t)bytes.data, bytes.len};
	if (way == OBI_CHAOS_LANE_OUT) {
		return r->inner->writev(r->stream, &piece, 1, err);
	}
	ssize_t n;
	do {
		n = send(r->far, bytes.data, bytes.len, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return far_result(n);
}

/* ---- Ends ---- */

/* Set the error of the program's calls in this direction. */
static void tell(struct obi_chaos_carrier *c, const struct ob_error *err)
{
	if (!atomic_load(&c->told)) {
		c->why = *err;
		atomic_store(&c->told, true);
	}
}

/* Pass on the end of the source, after all of its bytes. */
static void finish(struct obi_chaos_relay *r, int way)
{
	struct obi_chaos_carrier *c = &r->carriers[way];
	if (way == OBI_CHAOS_LANE_OUT) {
		c->finished = r->inner->shutdown_write(r->stream, NULL) != OB_EAGAIN;
		c->wants_sink = !c->finished;
		return;
	}
	c->finished = true;
	if (c->failure.code != 0) {
		tell(c, &c->failure);
		tell(&r->carriers[OBI_CHAOS_LANE_OUT], &c->failure);
		r->carriers[OBI_CHAOS_LANE_OUT].finished = true;
		(void)shutdown(r->far, SHUT_RDWR);
	} else {
		(void)shutdown(r->far, SHUT_WR);
	}
}

/* Stop this direction: the sink has failed. */
static void break_off(struct obi_chaos_relay *r, int way, const struct ob_error *err)
{
	struct obi_chaos_carrier *c = &r->carriers[way];
	c->finished = c->ended = true;
	if (way == OBI_CHAOS_LANE_OUT) {
		tell(c, err);
		(void)shutdown(r->far, SHUT_RD);
	}
}

/*
 * To break the stream is the fault itself, so it goes by the descriptor, and not by the table of
 * the transport inside. End the stream like a crashed peer: a TCP socket sends a reset, any other
 * socket ends. On a descriptor that is not a socket both calls fail. The raw system call is for
 * ThreadSanitizer: it treats connect() as the creation of a descriptor and reports a race with the
 * loop, which may still remove its watch of the dial.
 */
static void reset_stream(struct obi_chaos_relay *r)
{
	const struct sockaddr none = {.sa_family = AF_UNSPEC};
	int fd = r->inner->fd(r->stream);
	if (syscall(SYS_connect, fd, &none, sizeof none) != 0) {
		(void)shutdown(fd, SHUT_RDWR);
	}
}

static void cut(struct obi_chaos_relay *r, int way)
{
	struct ob_error err = {0};
	r->host->fail(&err, OB_ECONNLOST, 0,
		      "chaos: connection %llu was reset after %llu bytes %s (seed %llu)",
		      (unsigned long long)r->connection,
		      (unsigned long long)r->carriers[way].lane.given,
		      way == OBI_CHAOS_LANE_OUT ? "out" : "in", (unsigned long long)r->seed);
	r->cut = true;
	tell(&r->carriers[OBI_CHAOS_LANE_OUT], &err);
	tell(&r->carriers[OBI_CHAOS_LANE_IN], &err);
	reset_stream(r);
	(void)shutdown(r->far, SHUT_RDWR);
}

/* ---- Transfer ---- */

/* Read until the lane is full. */
static void fill(struct obi_chaos_relay *r, int way)
{
	struct obi_chaos_carrier *c = &r->carriers[way];
	uint8_t *to;
	size_t room;
	c->wants_source = false;
	while (!c->ended && (room = obi_chaos_lane_room(&c->lane, &to)) > 0) {
		ptrdiff_t n = take(r, way, to, room, &c->failure);
		if (n == OB_EAGAIN) {
			c->wants_source = true;
			return;
		}
		if (n > 0) {
			obi_chaos_lane_took(&c->lane, (size_t)n, r->host->now_ms());
		} else {
			c->ended = true;
			c->failure.code = n < 0 ? (int)n : 0;
		}
	}
}

static void no_later_than(struct obi_chaos_relay *r, int64_t when)
{
	if (r->deadline < 0 || when < r->deadline) {
		r->deadline = when;
	}
}

/* Forward a piece. Returns whether there may be more to do. */
static bool give_piece(struct obi_chaos_relay *r, int way, struct ob_bytes bytes)
{
	struct obi_chaos_carrier *c = &r->carriers[way];
	struct ob_error err = {0};
	ptrdiff_t n = give(r, way, bytes, &err);
	if (n > 0) {
		obi_chaos_lane_gave(&c->lane, (size_t)n);
	} else if (n == OB_EAGAIN) {
		c->wants_sink = true;
	} else {
		if (err.code == OB_OK) { /* the inner transport set no error */
			err.code = n < 0 ? (int)n : OB_EIO;
		}
		break_off(r, way, &err);
	}
	return n > 0;
}

/* Do the next action of this direction. Returns whether there may be more. */
static bool advance(struct obi_chaos_relay *r, int way)
{
	struct obi_chaos_carrier *c = &r->carriers[way];
	struct ob_bytes bytes;
	int64_t when = 0;
	switch (obi_chaos_lane_turn(&c->lane, r->host->now_ms(), &bytes, &when)) {
	case OBI_CHAOS_GIVE:
		return give_piece(r, way, bytes);
	case OBI_CHAOS_WAIT:
		no_later_than(r, when);
		return false;
	case OBI_CHAOS_CUT:
		cut(r, way);
		return false;
	case OBI_CHAOS_SILENCE:
		r->cut = true;
		return false;
	case OBI_CHAOS_NOTHING:
		break;
	}
	if (c->ended) {
		finish(r, way);
	}
	return false;
}

static bool is_stopped(const struct obi_chaos_relay *r)
{
	return r->cut || atomic_load(&r->stop);
}

static void carry(struct obi_chaos_relay *r, int way)
{
	struct obi_chaos_carrier *c = &r->carriers[way];
	c->wants_sink = false;
	if (c->finished || is_stopped(r)) {
		c->wants_source = false;
		return;
	}
	bool moved = false;
	fill(r, way);
	while (!is_stopped(r) && advance(r, way)) {
		moved = true;
	}
	if (moved && !c->wants_source && !c->ended) {
		no_later_than(r, 0); /* it has room again; the other direction goes first */
	}
}

/* ---- The thread ---- */

static short poll_events(bool in, bool out)
{
	return (short)((in ? POLLIN : 0) | (out ? POLLOUT : 0));
}

/* What to wait for at the stream. */
static short stream_events(const struct obi_chaos_relay *r, bool in, bool out)
{
	int events = (in ? OB_READABLE : 0) | (out ? OB_WRITABLE : 0);
	if (events != 0 && r->inner->want != NULL) {
		events = r->inner->want(r->stream, events);
	}
	return poll_events((events & OB_READABLE) != 0, (events & OB_WRITABLE) != 0);
}

/* A descriptor without events is left out: poll() would report its end again and again. */
static struct pollfd watch(int fd, short events)
{
	return (struct pollfd){.fd = events != 0 ? fd : -1, .events = events};
}

static void wait_for_more(const struct obi_chaos_relay *r)
{
	const struct obi_chaos_carrier *out = &r->carriers[OBI_CHAOS_LANE_OUT],
				       *in = &r->carriers[OBI_CHAOS_LANE_IN];
	struct pollfd fds[] = {
	    {.fd = r->wake, .events = POLLIN},
	    watch(r->far, poll_events(out->wants_source, in->wants_sink)),
	    watch(r->inner->fd(r->stream), stream_events(r, in->wants_source, out->wants_sink)),
	};
	int64_t ms = r->deadline < 0 ? -1 : r->deadline - r->host->now_ms();
	ms = r->deadline >= 0 && ms < 0 ? 0 : ms;
	(void)poll(fds, sizeof fds / sizeof *fds, ms < 60000 ? (int)ms : 60000);
}

static void *run(void *user)
{
	struct obi_chaos_relay *r = user;
	for (;;) {
		r->deadline = -1;
		for (int way = 0; way < OBI_CHAOS_LANES; way++) {
			carry(r, way);
		}
		if (is_stopped(r) || (r->carriers[OBI_CHAOS_LANE_OUT].finished &&
				      r->carriers[OBI_CHAOS_LANE_IN].finished)) {
			return NULL;
		}
		wait_for_more(r);
	}
}

/* Start the thread with all signals blocked. */
static int start_thread(struct obi_chaos_relay *r)
{
	sigset_t all, was;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &was);
	int sys = pthread_create(&r->thread, NULL, run, r);
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	r->running = sys == 0;
	return sys;
}

/* ---- Start and end ---- */

int obi_chaos_relay_init(struct obi_chaos_relay *relay, const struct ob_host *host,
			 const struct ob_transport_ops *inner, int *ret_near)
{
	int pair[2];
	*relay = (struct obi_chaos_relay){.host = host, .inner = inner, .far = -1};
	relay->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (relay->wake < 0) {
		return errno;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0) {
		int sys = errno;
		close(relay->wake);
		return sys;
	}
	relay->far = pair[0];
	*ret_near = pair[1];
	return 0;
}

int obi_chaos_relay_start(struct obi_chaos_relay *relay, struct ob_stream *stream,
			  const struct obi_chaos_params *params, enum obi_chaos_side side,
			  uint64_t connection)
{
	struct obi_chaos_place out = {connection, side, OBI_CHAOS_OUT},
			       in = {connection, side, OBI_CHAOS_IN};
	relay->stream = stream;
	relay->connection = connection;
	relay->seed = params->seed;
	bool ok = obi_chaos_lane_init(&relay->carriers[OBI_CHAOS_LANE_OUT].lane, params, &out) &&
		  obi_chaos_lane_init(&relay->carriers[OBI_CHAOS_LANE_IN].lane, params, &in);
	return ok ? start_thread(relay) : ENOMEM;
}

/* Write what the program has written before it closed, like a kernel that empties its buffer, but
 * without waiting for the peer. */
static void flush(struct obi_chaos_relay *r)
{
	struct obi_chaos_carrier *out = &r->carriers[OBI_CHAOS_LANE_OUT];
	struct ob_bytes rest;
	ptrdiff_t n = 1;
	while (n > 0 && (fill(r, OBI_CHAOS_LANE_OUT), rest = obi_chaos_lane_rest(&out->lane),
			 rest.len > 0)) {
		n = give(r, OBI_CHAOS_LANE_OUT, rest, NULL);
		obi_chaos_lane_gave(&out->lane, n > 0 ? (size_t)n : 0);
	}
}

static void stop_thread(struct obi_chaos_relay *r)
{
	const uint64_t one = 1;
	atomic_store(&r->stop, true);
	ssize_t n = write(r->wake, &one, sizeof one);
	(void)n; /* a new eventfd has room */
	pthread_join(r->thread, NULL);
}

void obi_chaos_relay_end(struct obi_chaos_relay *relay)
{
	if (relay->running) {
		stop_thread(relay);
		if (!relay->cut && !relay->carriers[OBI_CHAOS_LANE_OUT].finished) {
			flush(relay);
		}
	}
	if (relay->stream != NULL) {
		relay->inner->close(relay->stream);
	}
	for (int way = 0; way < OBI_CHAOS_LANES; way++) {
		obi_chaos_lane_free(&relay->carriers[way].lane);
	}
	close(relay->far);
	close(relay->wake);
}
