/* SPDX-License-Identifier: MIT */
/* The unix transport from its plugin file, on a bed, as the state of a group of tests. */
#ifndef OB_TESTS_UNIT_UNIX_BED_H
#define OB_TESTS_UNIT_UNIX_BED_H

#include "plugin/registry.h"
#include "support/bed.h"
#include "support/scratch.h"

#include <stdlib.h>

/* The bed comes first: the tests use only that. */
struct unix_bed {
	struct bed bed;
	struct obi_registry *registry;
};

static int unix_group_setup(void **state)
{
	const char *dirs[] = {scratch_env("OUTBOARD_PLUGIN_PATH"), NULL};
	struct unix_bed *unix_bed = calloc(1, sizeof *unix_bed);
	const struct obi_plugin *plugin;
	if (unix_bed == NULL || obi_registry_new(dirs, &unix_bed->registry, NULL) != OB_OK ||
	    obi_registry_transport(unix_bed->registry, NULL, ob_bytes_text("unix"), &plugin,
				   NULL) != OB_OK) {
		return -1;
	}
	unix_bed->bed.ops = &plugin->as.transport;
	unix_bed->bed.host = obi_registry_host(unix_bed->registry);
	unix_bed->bed.prefix = "unix://";
	*state = unix_bed;
	return 0;
}

static int unix_group_teardown(void **state)
{
	struct unix_bed *unix_bed = *state;
	obi_registry_free(unix_bed->registry);
	free(unix_bed);
	return 0;
}

#endif
