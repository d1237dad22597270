/* SPDX-License-Identifier: MIT */
/*
 * chaos/relay - a thread between a socket pair and a stream of another transport, carrying both
 * ways through their lanes.
 *
 * The program has one end of the pair, so that what it watches is an ordinary socket. The stream
 * belongs to whoever's thread is running: the relay's from start to stop, the program's before and
 * after. What a relay tells is how a way has ended.
 */
#ifndef OB_TRANSPORTS_CHAOS_RELAY_H
#define OB_TRANSPORTS_CHAOS_RELAY_H

#include <pthread.h>
#include <stdatomic.h>

#include <outboard/transport.h>

#include "chaos/lane.h"

enum obi_chaos_lanes { OBI_CHAOS_LANE_OUT, OBI_CHAOS_LANE_IN, OBI_CHAOS_LANES };

/* One way: from its source through its lane to its sink. */
struct obi_chaos_carrier {
	struct obi_chaos_lane lane;
	bool ended;    /* the source has said its last */
	bool finished; /* and so has the sink been told */
	bool wants_source, wants_sink;
	struct ob_error failure; /* of the source */
	/* Why the program's calls fail: written by the thread, before `told` is set. */
	struct ob_error why;
	atomic_bool told;
};

struct obi_chaos_relay {
	const struct ob_host *host;
	const struct ob_transport_ops *inner;
	struct ob_stream *stream; /* of inner; NULL: not yet */
	int far;		  /* our end of the pair */
	int wake;
	bool running;
	atomic_bool stop;
	bool cut; /* reset or silent: what is left is for nobody */
	pthread_t thread;
	uint64_t connection, seed;
	int64_t deadline; /* of the next wait; -1: none */
	struct obi_chaos_carrier carriers[OBI_CHAOS_LANES];
};

/* Everything that can be had before there is a connection. *ret_near is the program's end of the
 * pair. On failure (an errno) nothing is left. */
int obi_chaos_relay_init(struct obi_chaos_relay *relay, const struct ob_host *host,
			 const struct ob_transport_ops *inner, int *ret_near);

/* Begin to carry; the stream is the relay's, on failure (an errno), too. */
int obi_chaos_relay_start(struct obi_chaos_relay *relay, struct ob_stream *stream,
			  const struct obi_chaos_params *params, enum obi_chaos_side side,
			  uint64_t connection);

/*
 * Stop: what the program has written goes on to the stream at once, as far as that takes it, and
 * everything is closed. It waits for the thread, which does nothing that blocks.
 */
void obi_chaos_relay_end(struct obi_chaos_relay *relay);

#endif
