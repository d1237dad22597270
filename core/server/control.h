/* SPDX-License-Identifier: MIT */
/* server/control - outboard-control, the interface that every child has: health, version, list of
 * interfaces, logs, shutdown. */
#ifndef OBI_SERVER_CONTROL_H
#define OBI_SERVER_CONTROL_H

#include "server/connections.h"
#include "server/kept_logs.h"

struct obi_probe;

struct obi_control {
	struct obi_connections *connections;
	struct obi_probe *probes;
	uint64_t version;
	/* CLOCK_BOOTTIME: it never goes back, and goes on while the machine is suspended. */
	int64_t opened_ns;
	struct obi_kept_logs *logs; /* NULL: none are kept */
	char run[33]; /* 32 random hex digits: tells this server from the one before it */
};

/* Expose the interface, with a new `run`; connections must be set. The records of the logger are
 * kept as the config says; log_bytes: ob_server_options.log_ring_bytes. */
int obi_control_expose(struct obi_control *control, struct ob_logger *logger,
		       const struct ob_config *config, uint32_t log_bytes, struct ob_error *reterr);

/* Let health ask fn too. OB_ENOMEM. */
int obi_control_add_probe(struct obi_control *control, const char *name, ob_probe_fn *fn,
			  void *user, struct ob_error *reterr);

void obi_control_free(struct obi_control *control);

#endif
