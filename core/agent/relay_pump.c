/* SPDX-License-Identifier: MIT */
#include "agent/relay_pump.h"

/* How long a child may go without moving anything when its host has gone, or has ended its side:
 * where nothing seals, a host that has closed looks like one that still reads. */
enum { LINGER_MS = 60000 };

/* ---- From the host to the child ---- */

/* Write what is there for the child. */
static void give_child(struct obi_relay_pump *p)
{
	struct ob_bytes bytes = obi_raw_stream_bytes(&p->host);
	while (bytes.len > 0 && !p->child_deaf) {
		struct iovec piece = {(void *)(uintptr_t)bytes.data, bytes.len};
		ptrdiff_t n = p->transport->writev(p->child, &piece, 1, NULL);
		if (n == OB_EAGAIN) {
			return;
		}
		p->child_deaf = n <= 0;
		obi_raw_stream_took(&p->host, n > 0 ? (size_t)n : bytes.len);
		bytes = obi_raw_stream_bytes(&p->host);
	}
}

/* Pass on the end of the host, behind its last byte. */
static void tell_child(struct obi_relay_pump *p)
{
	bool due = p->host.ended && !p->host_lost && !p->child_told && !p->child_deaf;
	if (due && obi_raw_stream_bytes(&p->host).len == 0) {
		int r = p->transport->shutdown_write(p->child, NULL);
		p->child_told = r != OB_EAGAIN;
	}
}

static bool host_may_be_read(const struct obi_relay_pump *p)
{
	return !p->host_lost && !p->child_deaf && !p->child_lost &&
	       obi_raw_stream_may_fill(&p->host);
}

static void take_from_host(struct obi_relay_pump *p)
{
	if (!host_may_be_read(p)) {
		return;
	}
	ptrdiff_t n = obi_raw_stream_fill(&p->host, NULL);
	p->moved = p->moved || n > 0;
	p->host_lost = n < 0 && n != OB_EAGAIN;
	give_child(p);
}

/* ---- From the child to the host ---- */

static void give_host(struct obi_relay_pump *p)
{
	if (p->host_lost) {
		return;
	}
	if (p->child_ended && !p->child_deaf) {
		obi_raw_stream_finish(&p->host);
	}
	int r = obi_raw_stream_flush(&p->host, NULL);
	p->host_lost = r < 0 && r != OB_EAGAIN;
}

static bool child_may_be_read(const struct obi_relay_pump *p)
{
	return !p->child_ended && !p->child_lost && !p->host_lost &&
	       obi_raw_stream_may_queue(&p->host);
}

static void take_from_child(struct obi_relay_pump *p)
{
	struct iovec piece;
	if (!child_may_be_read(p)) {
		return;
	}
	piece.iov_base = obi_raw_stream_room(&p->host, &piece.iov_len);
	if (piece.iov_base == NULL) {
		p->child_lost = true;
		return;
	}
	ptrdiff_t n = p->transport->readv(p->child, &piece, 1, NULL);
	obi_raw_stream_queued(&p->host, n > 0 ? (size_t)n : 0);
	p->moved = p->moved || n > 0;
	p->child_ended = n == 0;
	p->child_lost = n < 0 && n != OB_EAGAIN;
	give_host(p);
}

/* ---- Waiting ---- */

/* Whether all that can be done was done. */
static bool is_over(const struct obi_relay_pump *p)
{
	bool given = obi_raw_stream_bytes(&p->host).len == 0 || p->child_deaf;
	if (p->host_lost) {
		return given || p->child_lost;
	}
	if (p->child_lost) {
		return !obi_raw_stream_waits(&p->host);
	}
	return p->child_told && p->child_ended && p->host.closed;
}

static int wanted_of_host(const struct obi_relay_pump *p)
{
	const struct ob_transport_ops *t = p->host.transport;
	int events = (host_may_be_read(p) ? OB_READABLE : 0) |
		     (obi_raw_stream_waits(&p->host) ? OB_WRITABLE : 0);
	return events != 0 && t->want != NULL ? t->want(p->host.stream, events) : events;
}

static int wanted_of_child(const struct obi_relay_pump *p)
{
	bool gives = obi_raw_stream_bytes(&p->host).len > 0 ||
		     (p->host.ended && !p->host_lost && !p->child_told);
	return (child_may_be_read(p) ? OB_READABLE : 0) |
	       (gives && !p->child_deaf ? OB_WRITABLE : 0);
}

static void watch(struct obi_relay_pump *p)
{
	const struct ob_transport_ops *t = p->host.transport;
	int events = p->host_lost ? 0 : wanted_of_host(p);
	obi_io_set(p->loop, &p->host_io, t->fd(p->host.stream), events);
	obi_io_set(p->loop, &p->child_io, p->transport->fd(p->child), wanted_of_child(p));
	bool reads = (events & OB_READABLE) != 0;
	if (reads && t->pending != NULL && t->pending(p->host.stream)) {
		obi_timer_set(p->loop, &p->again, 0);
	}
	if (p->host_lost || p->child_told) {
		obi_timer_set(p->loop, &p->linger, LINGER_MS);
	}
}

static void settle(struct obi_relay_pump *p)
{
	tell_child(p);
	/* What was sent to a child that took no more is lost: then this is no end, but a cut. */
	p->child_lost = p->child_lost || (p->child_ended && p->child_deaf);
	if (is_over(p)) {
		obi_relay_pump_end(p);
		p->done(p->user);
	} else {
		watch(p);
	}
}

/* ---- Events ---- */

static void on_host(void *user, int events)
{
	struct obi_relay_pump *p = user;
	bool both = p->host.transport->want != NULL;
	obi_timer_stop(&p->again);
	if (both || (events & OB_READABLE) != 0) {
		take_from_host(p);
	}
	if (both || (events & OB_WRITABLE) != 0) {
		give_host(p);
	}
	settle(p);
}

static void on_again(void *user)
{
	on_host(user, OB_READABLE);
}

static void on_child(void *user, int events)
{
	struct obi_relay_pump *p = user;
	if ((events & OB_WRITABLE) != 0) {
		give_child(p);
	}
	if ((events & OB_READABLE) != 0) {
		take_from_child(p);
	}
	settle(p);
}

static void on_linger(void *user)
{
	struct obi_relay_pump *p = user;
	p->child_deaf = p->child_lost = p->host_lost = true;
	settle(p);
}

/* ---- Beginning and end ---- */

void obi_relay_pump_begin(struct obi_relay_pump *p)
{
	p->host_io.fn = on_host;
	p->child_io.fn = on_child;
	p->again.fn = on_again;
	p->linger.fn = on_linger;
	p->host_io.user = p->child_io.user = p->again.user = p->linger.user = p;
	give_child(p); /* what came with the request */
	give_host(p);  /* the answer, if it was not written yet */
	settle(p);
}

void obi_relay_pump_end(struct obi_relay_pump *p)
{
	obi_io_stop(&p->host_io);
	obi_io_stop(&p->child_io);
	obi_timer_stop(&p->again);
	obi_timer_stop(&p->linger);
	obi_raw_stream_end(&p->host);
	if (p->transport != NULL) {
		p->transport->close(p->child);
		p->child = NULL;
	}
}
