/* SPDX-License-Identifier: MIT */
/* server/entries - sets up the entries of a child by its config: endpoint and admission of each,
 * and who may supervise. */
#ifndef OBI_SERVER_ENTRIES_H
#define OBI_SERVER_ENTRIES_H

#include "server/connections.h"

/* The entry for clients is set up if config has a client_listen. May be called again after a start
 * that failed. The endpoints are to be cleared, also on failure. */
int obi_entries_set_up(struct obi_connections *connections, const struct ob_config *config,
		       const struct ob_server_options *options, struct ob_error *reterr);

#endif
