/* SPDX-License-Identifier: MIT */
#include "rpc/waiter.h"

#include "base/clock.h"

static void stop(struct obi_waiter *waiter)
{
	obi_io_stop(&waiter->io);
	obi_timer_stop(&waiter->timer);
}

static void on_io(void *user, int events)
{
	struct obi_waiter *waiter = user;
	stop(waiter);
	waiter->ready(waiter->user, events);
}

static void on_timer(void *user)
{
	on_io(user, 0);
}

void obi_waiter_wait(struct obi_waiter *waiter, struct obi_loop *loop, const struct ob_want *want)
{
	stop(waiter);
	if (want == NULL) {
		return;
	}
	waiter->io.fn = on_io;
	waiter->timer.fn = on_timer;
	waiter->io.user = waiter->timer.user = waiter;
	if (want->fd >= 0) {
		obi_io_set(loop, &waiter->io, want->fd, want->events);
	}
	if (want->deadline >= 0) {
		int64_t ms = want->deadline - obi_now_ms();
		obi_timer_set(loop, &waiter->timer, ms > 0 ? ms : 0);
	}
}
