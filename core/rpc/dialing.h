/* SPDX-License-Identifier: MIT */
/* rpc/dialing - dials an address until there is a stream. */
#ifndef OBI_RPC_DIALING_H
#define OBI_RPC_DIALING_H

#include <outboard/transport.h>

#include "base/arena.h"
#include "rpc/waiter.h"

/* The owner sets the first part before obi_dialing_begin(). All zero: nothing to end. */
struct obi_dialing {
	struct obi_loop *loop;
	const struct ob_host *host;
	const struct ob_transport_ops *transport;
	struct ob_dial_params params;
	bool retry; /* while the backlog of the listener is full; the owner has a timeout */
	/* Called once, from the loop: with the stream, or with the error. The owner may end and
	 * free the dialing in it. */
	void (*done)(void *user, struct ob_stream *stream, const struct ob_error *err);
	void *user;

	const char *uri;
	struct obi_arena arena; /* of the parsed URI */
	struct ob_dial *dial;
	struct obi_waiter waiter;
};

/* If this returns OB_OK, done is called later, unless obi_dialing_end() is called before. uri must
 * stay valid until then. */
int obi_dialing_begin(struct obi_dialing *d, const char *uri, struct ob_error *reterr);

/* Stop and free. May be called again. */
void obi_dialing_end(struct obi_dialing *d);

#endif
