/* SPDX-License-Identifier: MIT */
/* supervisor/setup - what a supervisor is made from. */
#ifndef OBI_SUPERVISOR_SETUP_H
#define OBI_SUPERVISOR_SETUP_H

#include <outboard/outboard.h>

#include "place/place.h"
#include "rpc/connection.h"
#include "supervisor/dial_limiter.h"
#include "supervisor/number_source.h"

struct obi_supervisor_events {
	void (*event)(void *user, const struct ob_event *event);
	ob_log_fn *log; /* NULL: logs are read and dropped */
	/* The link is ready for calls, or (NULL) gone. */
	void (*link)(void *user, struct obi_connection *link);
	/* The child has a new token, and runs as this user ((uint32_t)-1: that of the options):
	 * make the link setup's auth use both. */
	int (*token)(void *user, const char *token, uint32_t uid, struct ob_error *reterr);
	/* What obi_supervisor_status() shows has changed. */
	void (*changed)(void *user);
	void *user;
	/* For a child that others start, before each dial: read its token, and make the link
	 * setup's auth use it. "": it needs none. */
	int (*renewed)(void *user, char ret_token[OBI_TOKEN_SIZE], struct ob_error *reterr);
};

struct obi_supervisor_setup {
	struct obi_loop *loop;
	struct obi_dial_limiter *dials;
	struct obi_place
	    *place; /* where the child runs; the supervisor frees it, also on failure */
	const struct ob_connector_options
	    *options;		      /* defaults filled in; must outlive the supervisor */
	const char *config_hash;      /* of the options, 64 hex digits */
	const char *listen_transport; /* what the child is told to listen with; NULL: by scheme */
	struct obi_number_source numbers;
	struct obi_connection_setup link; /* without events */
	bool local;			  /* the transport cannot break while both ends live */
	/* Before it listens at the address `accept` of these options: whether that is safe. NULL:
	 * it is not asked. */
	int (*check_accept)(const struct ob_connector_options *options, const char *uri,
			    struct ob_error *reterr);
	struct obi_supervisor_events events;
};

#endif
