/* SPDX-License-Identifier: MIT */
/* rpc/waiter - waits for what an object of a plugin waits for: a descriptor, or a time. */
#ifndef OBI_RPC_WAITER_H
#define OBI_RPC_WAITER_H

#include <outboard/abi.h>

#include "loop/loop.h"

/* ready and user are set by the owner. All else zero: it does not wait. */
struct obi_waiter {
	struct obi_io io;
	struct obi_timer timer;
	/* Called once, with bits of enum ob_io, or 0 at the deadline; it waits no more then. */
	void (*ready)(void *user, int revents);
	void *user;
};

/* Wait for this; for nothing, and no more, if want is NULL. */
void obi_waiter_wait(struct obi_waiter *waiter, struct obi_loop *loop, const struct ob_want *want);

#endif
