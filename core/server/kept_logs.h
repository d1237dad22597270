/* SPDX-License-Identifier: MIT */
/*
 * server/kept_logs - the records of the server's logger, kept for a parent that asks for them by
 * outboard-control.logs. A call that finds nothing new waits until there is something.
 *
 * Records come from any thread, and wake the loop. All else is for its thread.
 */
#ifndef OBI_SERVER_KEPT_LOGS_H
#define OBI_SERVER_KEPT_LOGS_H

#include <outboard/config.h>

#include "log/logger.h"
#include "loop/loop.h"

struct obi_kept_logs;

struct obi_kept_logs_setup {
	struct obi_loop *loop;
	struct ob_logger *logger; /* must outlive it */
	const char *run;	  /* of the server: 32 hex digits; must outlive it */
	uint32_t bytes;		  /* ob_server_options.log_ring_bytes */
	uint32_t message_max;
};

/* By the config of the child: *ret is NULL if nothing is to be kept. OB_ENOMEM. */
int obi_kept_logs_new(const struct obi_kept_logs_setup *setup, const struct ob_config *config,
		      struct obi_kept_logs **ret, struct ob_error *reterr);

/* Answer outboard-control.logs, now or later. */
void obi_kept_logs_call(struct obi_kept_logs *logs, ob_call *call, const struct ob_value *params);

/* End what waits, and leave the logger. logs may be NULL. */
void obi_kept_logs_close(struct obi_kept_logs *logs);

#endif
