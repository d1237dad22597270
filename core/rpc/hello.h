/* SPDX-License-Identifier: MIT */
/* rpc/hello - outboard.hello, by which a child that has dialled home says which start it is of. */
#ifndef OBI_RPC_HELLO_H
#define OBI_RPC_HELLO_H

#include <outboard/abi.h>

/* For the parent. */
struct obi_hello_handler {
	/* run: of the process, empty if it has none. OB_OK, or an error whose text the peer gets;
	 * the session is closed then. NULL: there is no such method. ticket: of the stream that
	 * the connection is to become; empty: of none. */
	int (*judge)(void *user, struct ob_bytes instance, struct ob_bytes run,
		     struct ob_bytes ticket, struct ob_error *reterr);
	/* It was let in, and the answer is queued. */
	void (*welcome)(void *user);
	void *user;
};

#endif
