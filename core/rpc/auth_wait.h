/* SPDX-License-Identifier: MIT */
/* rpc/auth_wait - waits for what an authenticator waits for: a descriptor of its own, or a time. */
#ifndef OBI_RPC_AUTH_WAIT_H
#define OBI_RPC_AUTH_WAIT_H

#include <outboard/abi.h>

#include "loop/loop.h"

/* ready and user are set by the owner. All else zero: it does not wait. */
struct obi_auth_wait {
	struct obi_io io;
	struct obi_timer timer;
	void (*ready)(void *user); /* called once; it waits no more then */
	void *user;
};

/* Wait for this; for nothing, and no more, if want is NULL. */
void obi_auth_wait_for(struct obi_auth_wait *wait, struct obi_loop *loop,
		       const struct ob_want *want);

#endif
