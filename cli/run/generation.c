/* SPDX-License-Identifier: MIT */
#include "cli/run/generation.h"

#include <stdlib.h>
#include <string.h>

struct obi_generation *obi_generation_new(struct obi_run_config *config)
{
	struct obi_generation *generation = calloc(1, sizeof *generation);
	if (generation != NULL) {
		generation->config = *config;
		generation->refs = 1;
		*config = (struct obi_run_config){.count = 0};
	}
	return generation;
}

struct obi_generation *obi_generation_ref(struct obi_generation *generation)
{
	if (generation != NULL) {
		generation->refs++;
	}
	return generation;
}

void obi_generation_unref(struct obi_generation *generation)
{
	if (generation != NULL && --generation->refs == 0) {
		obi_run_config_free(&generation->config);
		free(generation);
	}
}

bool obi_member_config_equals(const struct obi_member_config *a, const struct obi_member_config *b)
{
	return strcmp(a->generation->config.texts[a->index],
		      b->generation->config.texts[b->index]) == 0;
}

void obi_member_config_set(struct obi_member_config *config, struct obi_generation *generation,
			   uint32_t index)
{
	struct obi_generation *was = config->generation;
	config->generation = obi_generation_ref(generation);
	config->index = index;
	obi_generation_unref(was);
}
