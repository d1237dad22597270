/* SPDX-License-Identifier: MIT */
#include "rpc/stream_handshake.h"

#include "base/error.h"

/* What is wrong with a state that is neither OB_HANDSHAKE_DONE nor a failure; NULL: nothing. */
static const char *fault_of(int state, const struct ob_want *want)
{
	if (state > OB_HANDSHAKE_PROVEN) {
		return "the transport returned an unknown state";
	}
	bool waits = want->deadline >= 0 || (want->fd >= 0 && want->events != 0);
	return waits ? NULL : "the transport waits for nothing";
}

static void finish(struct obi_stream_handshake *h, const struct ob_error *err)
{
	obi_stream_handshake_end(h);
	h->done(h->user, err);
}

static void fail(struct obi_stream_handshake *h, int code, struct ob_error *err)
{
	err->code = code;
	if (err->text[0] == '\0') {
		obi_fail(err, code, err->sys, "failed");
	}
	obi_wrap(err, "handshake");
	finish(h, err);
}

static void step(void *user, int revents)
{
	struct obi_stream_handshake *h = user;
	struct ob_want want = {.fd = -1, .deadline = -1};
	struct ob_error err = {0};
	int r = h->transport->handshake(h->stream, revents, &want, &err);
	const char *fault = r > OB_HANDSHAKE_DONE ? fault_of(r, &want) : NULL;
	if (fault != NULL) {
		r = obi_fail(&err, OB_EPLUGIN, 0, "%s", fault);
	}
	if (r < 0) {
		fail(h, r, &err);
	} else if (r == OB_HANDSHAKE_DONE) {
		finish(h, NULL);
	} else {
		h->state = r > (int)h->state ? (enum ob_handshake_state)r : h->state;
		obi_waiter_wait(&h->waiter, h->loop, &want);
	}
}

void obi_stream_handshake_begin(struct obi_stream_handshake *h)
{
	h->state = OB_HANDSHAKE_SILENT;
	h->waiter.ready = step;
	h->waiter.user = h;
	step(h, 0);
}

void obi_stream_handshake_look(struct obi_stream_handshake *h)
{
	step(h, 0);
}

void obi_stream_handshake_end(struct obi_stream_handshake *h)
{
	obi_waiter_wait(&h->waiter, h->loop, NULL);
}
