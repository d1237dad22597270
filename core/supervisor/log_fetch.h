/* SPDX-License-Identifier: MIT */
/*
 * supervisor/log_fetch - reads the records of a child by calls of outboard-control.logs, while
 * there is a connection. What it has read is acknowledged with the next call; after a loss of the
 * connection it goes on behind it.
 */
#ifndef OBI_SUPERVISOR_LOG_FETCH_H
#define OBI_SUPERVISOR_LOG_FETCH_H

#include <outboard/outboard.h>

#include "log/splitter.h"
#include "rpc/connection.h"
#include "place/place.h"

struct obi_log_fetch {
	struct obi_loop *loop;
	const struct ob_connector_options *options;
	struct obi_connection *link; /* NULL: none */
	char run[OBI_RUN_SIZE];	     /* of the process whose records these are; "": none yet */
	uint64_t offset;	     /* up to there they are read */
	bool unsupported;	     /* this connection's child has no such method */
	struct obi_timer again;
	struct obi_log_splitter lines;
};

/* log may be NULL: then nothing is read. */
void obi_log_fetch_init(struct obi_log_fetch *fetch, struct obi_loop *loop,
			const struct ob_connector_options *options, ob_log_fn *log, void *user);

/* Calls may pass on this connection; NULL: no longer. Does nothing unless the options say that the
 * records are read by calls. */
void obi_log_fetch_link(struct obi_log_fetch *fetch, struct obi_connection *link);

/* The child is gone, or let go of: deliver an incomplete line. */
void obi_log_fetch_end(struct obi_log_fetch *fetch);
void obi_log_fetch_stop(struct obi_log_fetch *fetch);

#endif
