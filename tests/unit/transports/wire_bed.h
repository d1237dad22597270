/* SPDX-License-Identifier: MIT */
/* A transport from its plugin file, on a bed, as the state of a group of tests. */
#ifndef OB_TESTS_UNIT_WIRE_BED_H
#define OB_TESTS_UNIT_WIRE_BED_H

#include "plugin/registry.h"
#include "support/bed.h"
#include "support/scratch.h"

#include <stdlib.h>

/* The bed comes first: the tests use only that. */
struct wire_bed {
	struct bed bed;
	struct obi_registry *registry;
};

/* The transport of scheme; prefix is put before each address of the bed. */
static inline int wire_begin(void **state, const char *scheme, const char *prefix)
{
	const char *dirs[] = {scratch_env("OUTBOARD_PLUGIN_PATH"), NULL};
	struct wire_bed *wire = calloc(1, sizeof *wire);
	const struct obi_plugin *plugin;
	if (wire == NULL || obi_registry_new(dirs, &wire->registry, NULL) != OB_OK ||
	    obi_registry_transport(wire->registry, NULL, ob_bytes_text(scheme), &plugin, NULL) !=
		OB_OK) {
		return -1;
	}
	wire->bed.ops = &plugin->as.transport;
	wire->bed.host = obi_registry_host(wire->registry);
	wire->bed.prefix = prefix;
	*state = wire;
	return 0;
}

static inline int wire_end(void **state)
{
	struct wire_bed *wire = *state;
	obi_registry_free(wire->registry);
	free(wire);
	return 0;
}

static inline int wire_setup(void **state)
{
	bed_begin(*state);
	return 0;
}

static inline int wire_teardown(void **state)
{
	return bed_end(*state);
}

#define WIRE_TEST(name) cmocka_unit_test_setup_teardown(name, wire_setup, wire_teardown)

#endif
