/* SPDX-License-Identifier: MIT */
#include "rpc/dialing.h"

#include "base/error.h"
#include "base/uri.h"

enum { DIAL_AGAIN_MS = 10 };

static int dial(struct obi_dialing *d, struct ob_error *reterr);
static void proceed(void *user, int revents);

void obi_dialing_end(struct obi_dialing *d)
{
	obi_waiter_wait(&d->waiter, d->loop, NULL);
	if (d->dial != NULL) {
		d->transport->dial_close(d->dial);
		d->dial = NULL;
	}
	obi_arena_free(&d->arena);
}

static void finish(struct obi_dialing *d, struct ob_stream *stream, const struct ob_error *err)
{
	obi_dialing_end(d);
	d->done(d->user, stream, err);
}

static void on_retry(void *user, int revents)
{
	struct obi_dialing *d = user;
	struct ob_error err = {0};
	(void)revents;
	if (dial(d, &err) < 0) {
		finish(d, NULL, &err);
	}
}

static void wait_for(struct obi_dialing *d, const struct ob_want *want)
{
	d->waiter.ready = proceed;
	obi_waiter_wait(&d->waiter, d->loop, want);
}

static void proceed(void *user, int revents)
{
	struct obi_dialing *d = user;
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
	want = (struct ob_want){.fd = -1, .deadline = obi_now_ms() + DIAL_AGAIN_MS};
	d->waiter.ready = on_retry;
	obi_waiter_wait(&d->waiter, d->loop, &want);
	return OB_OK;
}

int obi_dialing_begin(struct obi_dialing *d, const char *uri, struct ob_error *reterr)
{
	obi_arena_init(&d->arena, 64 * 1024);
	d->waiter.user = d;
	d->uri = uri;
	int r = dial(d, reterr);
	if (r < 0) {
		obi_dialing_end(d);
	}
	return r;
}
