/* SPDX-License-Identifier: MIT */
/* unit/keys_bed - the states of both ends of the authenticator `keys`, of files in a scratch
 * directory. */
#ifndef OB_TESTS_UNIT_KEYS_BED_H
#define OB_TESTS_UNIT_KEYS_BED_H

#include "support/expect.h"
#include "support/keys.h"
#include "unit/registry_bed.h"

static char *keys_dir;
static const struct obi_plugin *keys_plugin;

static inline int keys_configure(const char *key, const char *authorized, void **ret,
				 struct ob_error *reterr)
{
	struct ob_pair pairs[2] = {{ob_string("key"), ob_string(key)},
				   {ob_string("authorized"), ob_string(authorized)}};
	struct ob_value settings = {.type = OB_MAP, .count = 2, .as.pairs = pairs};
	return keys_plugin->configure(obi_registry_host(registry), &settings, ret, reterr);
}

static inline void *keys_state(int end)
{
	char *key = scratch_text("%s/%d.key", keys_dir, end);
	char *authorized = scratch_text("%s/%d.authorized", keys_dir, end);
	struct ob_error err = {.text = ""};
	void *state = NULL;
	int r = keys_configure(key, authorized, &state, &err);
	expect(r, OB_OK, &err, NULL);
	free(key);
	free(authorized);
	return state;
}

/* The registry, the plugin, and the files. */
static inline int keys_setup(void **state)
{
	if (registry_setup(state) != OB_OK ||
	    obi_registry_auth(registry, "keys", &keys_plugin, NULL) != OB_OK) {
		return -1;
	}
	keys_dir = scratch_make();
	keys_write(keys_dir);
	return 0;
}

static inline int keys_teardown(void **state)
{
	scratch_remove(keys_dir);
	return registry_teardown(state);
}

#endif
