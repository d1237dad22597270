/* SPDX-License-Identifier: MIT */
/* expanded - a config as its children will be started: without placeholders. */
#ifndef OBI_CLI_CONFIG_EXPANDED_H
#define OBI_CLI_CONFIG_EXPANDED_H

#include "cli/config/run_config.h"

/* A copy of config, whose texts are borrowed or made in arena. ${port} and ${cid} stay: they are
 * not known before the start. False: out of memory. */
bool obi_config_expand(const struct obi_run_config *config, struct obi_arena *arena,
		       struct obi_run_config *ret);

#endif
