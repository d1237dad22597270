/* SPDX-License-Identifier: MIT */
/* unit/registry_bed - the registry of the built plugins, as the setup of a group of tests. */
#ifndef OB_TESTS_UNIT_REGISTRY_BED_H
#define OB_TESTS_UNIT_REGISTRY_BED_H

#include "plugin/registry.h"
#include "support/scratch.h"

static struct obi_registry *registry;

static inline int registry_setup(void **state)
{
	const char *dirs[] = {scratch_env("OUTBOARD_PLUGIN_PATH"), NULL};
	struct ob_error err;
	(void)state;
	return obi_registry_new(dirs, &registry, &err);
}

static inline int registry_teardown(void **state)
{
	(void)state;
	obi_registry_free(registry);
	return 0;
}

#endif
