/* SPDX-License-Identifier: MIT */
/*
 * chaos/relay - a thread between a socket pair and a stream of another transport. It moves the
 * bytes of each direction through a lane.
 *
 * The program has one end of the pair, so it watches an ordinary socket. The stream belongs to the
 * relay's thread from start to stop, and to the program before and after. The relay reports only
 * how a direction has ended.
 */
#ifndef OB_TRANSPORTS_CHAOS_RELAY_H
#define OB_TRANSPORTS_CHAOS_RELAY_H

#include <pthread.h>
#include <stdatomic.h>

#include <outboard/transport.h>

#include "chaos/lane.h"

enum obi_chaos_lanes { OBI_CHAOS_LANE_OUT, OBI_CHAOS_LANE_IN, OBI_CHAOS_LANES };

/* One direction: from the source through the lane to the sink. */
struct obi_chaos_carrier {
	struct obi_chaos_lane lane;
	bool ended;    /* the source has ended */
	bool finished; /* the end was passed to the sink */
	bool wants_source, wants_sink;
	struct ob_error failure; /* of the source */
	/* The error of the program's calls. The thread writes it before it sets `told`. */
	struct ob_error why;
	atomic_bool told;
};

struct obi_chaos_relay {
	const struct ob_host *host;
	const struct ob_transport_ops *inner;
	struct ob_stream *stream; /* of inner; NULL before start */
	int far;		  /* our end of the pair */
	int wake;
	bool running;
	atomic_bool stop;
	bool cut; /* reset or silent: the remaining bytes are dropped */
	pthread_t thread;
	uint64_t connection, seed;
	int64_t deadline; /* of the next wait; -1: none */
	struct obi_chaos_carrier carriers[OBI_CHAOS_LANES];
};

/* Allocate all that a relay needs before the connection exists. *ret_near is the program's end of
 * the pair. Returns an errno on failure, and frees everything. */
int obi_chaos_relay_init(struct obi_chaos_relay *relay, const struct ob_host *host,
			 const struct ob_transport_ops *inner, int *ret_near);

/* Start the thread. Takes stream over, also on failure (an errno). */
int obi_chaos_relay_start(struct obi_chaos_relay *relay, struct ob_stream *stream,
			  const struct obi_chaos_params *params, enum obi_chaos_side side,
			  uint64_t connection);

/*
 * Stop the thread, write what the program has written to the stream as far as it takes it without
 * waiting, and close everything. The thread does nothing that blocks.
 */
void obi_chaos_relay_end(struct obi_chaos_relay *relay);

#endif
