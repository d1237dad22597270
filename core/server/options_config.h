/* SPDX-License-Identifier: MIT */
/* server/options_config - the options of a server: their defaults, and the config of a server
 * without a file. */
#ifndef OBI_SERVER_OPTIONS_CONFIG_H
#define OBI_SERVER_OPTIONS_CONFIG_H

#include <outboard/server.h>

/* Fill in the defaults of the limits. */
void obi_server_options_fill(struct ob_server_options *options);

/* Set the config by the options. OB_ENOMEM. */
int obi_config_of_options(const struct ob_server_options *options, struct ob_config *config,
			  struct ob_error *reterr);

#endif
