/* SPDX-License-Identifier: MIT */
#include "api/blocking.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"

void obi_blocking_done(void *blocking, int result, const struct ob_error *err)
{
	struct obi_blocking *b = blocking;
	b->done = true;
	b->result = result;
	if (err != NULL) {
		b->err = *err;
	}
	if (b->rt->mode == OB_RUNTIME_THREADED) {
		sem_post(&b->ended);
	}
}

static void disarm(struct obi_blocking *b)
{
	obi_timer_stop(&b->timer);
	obi_io_stop(&b->cancel_io);
}

static void abort_once(struct obi_blocking *b, int code)
{
	disarm(b);
	if (!b->done) {
		b->abort(b->user, code);
	}
}

static void on_timer(void *user)
{
	abort_once(user, OB_ETIMEDOUT);
}

static void on_cancel(void *user, int events)
{
	(void)events;
	abort_once(user, OB_ECANCELED);
}

static void arm(struct obi_blocking *b)
{
	if (b->timeout_ms >= 0) {
		b->timer.fn = on_timer;
		b->timer.user = b;
		obi_timer_set(b->rt->loop, &b->timer, b->timeout_ms);
	}
	if (b->cancel != NULL) {
		b->cancel_io.fn = on_cancel;
		b->cancel_io.user = b;
		obi_io_set(b->rt->loop, &b->cancel_io, b->cancel->fd, OB_READABLE);
	}
}

/* Not with a condition, which comes back past the gate of the lock. */
static void await(struct obi_blocking *b)
{
	obi_leave(b->rt);
	while (sem_wait(&b->ended) < 0) {
		; /* a signal */
	}
	obi_enter(b->rt);
}

static void wait_for_end(struct obi_blocking *b)
{
	struct ob_runtime *rt = b->rt;
	if (!b->done) {
		arm(b);
	}
	if (rt->mode == OB_RUNTIME_THREADED && !b->done) {
		await(b);
	}
	while (!b->done) {
		obi_runtime_turn(rt);
	}
	disarm(b);
}

int obi_block(struct obi_blocking *b, struct ob_error *reterr)
{
	struct ob_runtime *rt = b->rt;
	int r = obi_check_may_block(rt, reterr);
	if (r < 0) {
		return r;
	}
	sem_init(&b->ended, 0, 0);
	obi_enter(rt);
	r = b->begin(b->user, reterr);
	if (r == OB_OK) {
		wait_for_end(b);
		r = b->result;
		if (r < 0 && reterr != NULL) {
			*reterr = b->err;
			reterr->code = r;
		}
	}
	obi_leave(rt);
	sem_destroy(&b->ended);
	return r;
}

/* ---- Cancelling ---- */

int ob_cancel_new(ob_cancel **ret_cancel, struct ob_error *reterr)
{
	ob_cancel *cancel = malloc(sizeof *cancel);
	if (cancel == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	cancel->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (cancel->fd < 0) {
		free(cancel);
		return obi_fail(reterr, OB_EIO, errno, "eventfd");
	}
	*ret_cancel = cancel;
	return OB_OK;
}

void ob_cancel_fire(ob_cancel *cancel)
{
	const uint64_t one = 1;
	int saved = errno; /* we may be in a signal handler */
	ssize_t n = write(cancel->fd, &one, sizeof one);
	(void)n;
	errno = saved;
}

void ob_cancel_free(ob_cancel *cancel)
{
	if (cancel != NULL) {
		close(cancel->fd);
		free(cancel);
	}
}
