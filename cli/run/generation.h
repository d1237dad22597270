/* SPDX-License-Identifier: MIT */
/* generation - the config as it was read at one time. It lives as long as a child uses it. */
#ifndef OBI_CLI_RUN_GENERATION_H
#define OBI_CLI_RUN_GENERATION_H

#include "cli/config/run_config.h"

struct obi_generation {
	struct obi_run_config config;
	uint32_t refs;
};

/* Take over a config. NULL: out of memory; the config stays the caller's. */
struct obi_generation *obi_generation_new(struct obi_run_config *config);

/* generation may be NULL. */
struct obi_generation *obi_generation_ref(struct obi_generation *generation);
void obi_generation_unref(struct obi_generation *generation);

/* The config of one child. */
struct obi_member_config {
	struct obi_generation *generation; /* a reference; NULL: none */
	uint32_t index;
};

static inline const struct ob_connector_options *
obi_member_config_options(const struct obi_member_config *config)
{
	return &config->generation->config.children[config->index];
}

/* Whether both say the same, however it is written. */
bool obi_member_config_equals(const struct obi_member_config *a, const struct obi_member_config *b);

/* Make it that of a generation (NULL: none), with a reference to it. */
void obi_member_config_set(struct obi_member_config *config, struct obi_generation *generation,
			   uint32_t index);

#endif
