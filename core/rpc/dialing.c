/* SPDX-License-Identifier: MIT */
#include "rpc/dialing.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/uri.h"

enum { DIAL_AGAIN_MS = 10 };

static int dial(struct obi_dialing *d, struct ob_error *reterr);
static void proceed(struct obi_dialing *d, int revents);

void obi_dialing_end(struct obi_dialing *d)
{
	obi_io_stop(&d->io);
	obi_timer_stop(&d->timer);
	if (d->dial != NULL) {
		d->transport->dial_close(d->dial);
		d->dial = NULL;
	}
	obi_arena_free(&d->arena);
	free(d->uri);
	d->uri = NULL;
}

static void finish(struct obi_dialing *d, struct ob_stream *stream, const struct ob_error *err)
{
	obi_dialing_end(d);
	d->done(d->user, stream, err);
}

static void on_io(void *user, int events)
{
	proceed(user, events);
}

static void on_timer(void *user)
{
	proceed(user, 0);
}

static void on_retry(void *user)
{
	struct obi_dialing *d = user;
	struct ob_error err = {0};
	if (dial(d, &err) < 0) {
		finish(d, NULL, &err);
	}
}

static void wait_for(struct obi_dialing *d, const struct ob_want *want)
{
	obi_io_stop(&d->io);
	if (want->fd >= 0 && want->events != 0) {
		obi_io_set(d->loop, &d->io, want->fd, want->events);
	}
	obi_timer_stop(&d->timer);
	d->timer.fn = on_timer;
	if (want->deadline >= 0) {
		int64_t ms = want->deadline - obi_now_ms();
		obi_timer_set(d->loop, &d->timer, ms > 0 ? ms : 0);
	}
}

static void proceed(struct obi_dialing *d, int revents)
{
	struct ob_want want = {.fd = -1, .deadline = -1};
	struct ob_stream *stream = NULL;
	struct ob_error err = {0};
	int r = d->transport->finish_dial(d->dial, revents, &stream, &want, &err);
	if (r == OB_EAGAIN) {
		wait_for(d, &want);
	} else if (r < 0) {
		finish(d, NULL, &err);
	} else {
		finish(d, stream, NULL);
	}
}

static int dial(struct obi_dialing *d, struct ob_error *reterr)
{
	struct ob_want want = {.fd = -1, .deadline = -1};
	struct ob_uri parsed;
	obi_arena_reset(&d->arena);
	int r = obi_uri_parse(d->uri, &d->arena.ob, &parsed, reterr);
	if (r < 0) {
		return r;
	}
	r = d->transport->dial(d->host, &parsed, &d->params, &d->dial, &want, reterr);
	if (r == OB_OK) {
		wait_for(d, &want);
		return OB_OK;
	}
	d->dial = NULL;
	if (r != OB_EAGAIN || !d->retry) {
		return r;
	}
	/* The backlog of the listener is full. There is no event to wait for, so try again soon. */
	d->timer.fn = on_retry;
	obi_timer_set(d->loop, &d->timer, DIAL_AGAIN_MS);
	return OB_OK;
}

int obi_dialing_begin(struct obi_dialing *d, const char *uri, struct ob_error *reterr)
{
	obi_arena_init(&d->arena, 64 * 1024);
	d->io.fn = on_io;
	d->io.user = d->timer.user = d;
	d->uri = strdup(uri);
	int r = d->uri != NULL ? dial(d, reterr) : obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	if (r < 0) {
		obi_dialing_end(d);
	}
	return r;
}
