/* SPDX-License-Identifier: MIT */
#include "rpc/auth_wait.h"

#include "base/clock.h"

static void stop(struct obi_auth_wait *wait)
{
	obi_io_stop(&wait->io);
	obi_timer_stop(&wait->timer);
}

static void on_timer(void *user)
{
	struct obi_auth_wait *wait = user;
	stop(wait);
	wait->ready(wait->user);
}

static void on_io(void *user, int events)
{
	(void)events;
	on_timer(user);
}

void obi_auth_wait_for(struct obi_auth_wait *wait, struct obi_loop *loop,
		       const struct ob_want *want)
{
	stop(wait);
	if (want == NULL) {
		return;
	}
	wait->io.fn = on_io;
	wait->timer.fn = on_timer;
	wait->io.user = wait->timer.user = wait;
	if (want->fd >= 0) {
		obi_io_set(loop, &wait->io, want->fd, want->events);
	}
	if (want->deadline >= 0) {
		int64_t ms = want->deadline - obi_now_ms();
		obi_timer_set(loop, &wait->timer, ms > 0 ? ms : 0);
	}
}
