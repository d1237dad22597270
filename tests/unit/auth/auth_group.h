/* SPDX-License-Identifier: MIT */
/* An authenticator from its plugin file, with an exchange to run it in, as the state of a group
 * of tests. */
#ifndef OB_TESTS_UNIT_AUTH_GROUP_H
#define OB_TESTS_UNIT_AUTH_GROUP_H

#include "plugin/registry.h"
#include "support/exchange.h"
#include "support/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct auth_group {
	struct exchange exchange; /* first: the tests use only this */
	struct obi_registry *registry;
	const char *name;
	size_t first_check; /* messages before an end can detect a wrong token */
	uint8_t secret[32];
};

static int auth_group_setup(void **state, const char *name, size_t first_check)
{
	const char *dirs[] = {scratch_env("OUTBOARD_PLUGIN_PATH"), NULL};
	struct auth_group *group = calloc(1, sizeof *group);
	const struct obi_plugin *plugin;
	if (group == NULL || obi_registry_new(dirs, &group->registry, NULL) != OB_OK ||
	    obi_registry_auth(group->registry, name, &plugin, NULL) != OB_OK) {
		return -1;
	}
	group->name = name;
	group->first_check = first_check;
	for (uint8_t i = 0; i < sizeof group->secret; i++) {
		group->secret[i] = (uint8_t)(0xa0 + i);
	}
	exchange_init(&group->exchange, &plugin->as.auth, obi_registry_host(group->registry),
		      ob_bytes_of(group->secret, sizeof group->secret),
		      ob_bytes_text("a prologue"));
	*state = group;
	return 0;
}

static int auth_group_teardown(void **state)
{
	struct auth_group *group = *state;
	obi_registry_free(group->registry);
	free(group);
	return 0;
}

#endif
