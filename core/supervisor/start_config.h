/* SPDX-License-Identifier: MIT */
/* supervisor/start_config - what a child is told for a start: the outboard.json that the parent
 * writes. */
#ifndef OBI_SUPERVISOR_START_CONFIG_H
#define OBI_SUPERVISOR_START_CONFIG_H

#include <outboard/outboard.h>

#include "place/place.h"

/* From the options, with a new token and a new instance of 32 hex digits. listen_transport may be
 * NULL: by scheme. The caller clears the config, also on failure. OB_ENOMEM, OB_EINVAL. */
int obi_start_config_make(const struct ob_connector_options *options, const char *listen_transport,
			  struct ob_config *config, struct ob_error *reterr);

/* Keep in the state how a child with this config is reached. OB_EINVAL: a text is too long. */
int obi_start_config_keep(const struct ob_config *config, struct obi_statefile *state,
			  struct ob_error *reterr);

/*
 * Keep where its clients dial, to be shown: client_listen (NULL: nowhere). Of client_addr, which
 * the child wrote (NULL: nothing yet), only a port counts that client_listen leaves open.
 */
void obi_start_config_keep_clients(const char *client_listen, const char *client_addr,
				   struct obi_statefile *state);

#endif
