/* SPDX-License-Identifier: MIT */
/*
 * agent/relay_pump - moves bytes between a host, whose connection has become a byte stream, and a
 * child. What one side does not take yet is kept up to a limit, and then the other is not read. The
 * end of one side is passed on behind all that it has sent; when the stream of the host was cut, or
 * that of the child broke, the other is closed without announcing an end.
 */
#ifndef OBI_AGENT_RELAY_PUMP_H
#define OBI_AGENT_RELAY_PUMP_H

#include "loop/loop.h"
#include "rpc/raw_stream.h"

/* The owner sets the first part. */
struct obi_relay_pump {
	struct obi_loop *loop;
	struct obi_raw_stream host;
	const struct ob_transport_ops *transport; /* to the child */
	struct ob_stream *child;
	/* Called once, when there is nothing left to do. The owner may end and free it then. */
	void (*done)(void *user);
	void *user;

	struct obi_io host_io;
	struct obi_io child_io;
	struct obi_timer again;	 /* there is more to read than the descriptor shows */
	struct obi_timer linger; /* for a child that does not read what is left for it */
	bool moved;		 /* bytes have moved; reset by the owner as it likes */
	bool child_ended;	 /* it has sent its end */
	bool child_told;	 /* it got the end of the host */
	bool child_deaf;	 /* it takes no more bytes */
	bool child_lost;
	bool host_lost;
};

void obi_relay_pump_begin(struct obi_relay_pump *pump);

/* Close both streams. May be called again; `done` is not called. */
void obi_relay_pump_end(struct obi_relay_pump *pump);

#endif
