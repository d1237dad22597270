/* SPDX-License-Identifier: MIT */
/* agent/relay_home - one more connection of an agent that dials home, for a stream that the host
 * has asked for: it authenticates, shows the ticket, and is a byte stream then. */
#ifndef OBI_AGENT_RELAY_HOME_H
#define OBI_AGENT_RELAY_HOME_H

#include "rpc/stream_tickets.h"
#include "server/dialer.h"

/* The owner sets the first part. Zeroed memory does not dial. */
struct obi_relay_home {
	const struct obi_dialer *dialer; /* of the server: where the host is, and who we are */
	char ticket[OBI_TICKET_SIZE];
	struct obi_raw_stream *into;
	/* Called once, from the loop: *into is the stream; or an error, and it is not. */
	void (*done)(void *user, const struct ob_error *err);
	void *user;

	struct obi_connection *connection;
	struct obi_task take;
};

/* If this returns OB_OK, done is called later, unless obi_relay_home_end() is called before. */
int obi_relay_home_begin(struct obi_relay_home *home, struct ob_error *reterr);

/* May be called again. */
void obi_relay_home_end(struct obi_relay_home *home);

#endif
