/* SPDX-License-Identifier: MIT */
/* unit/ask_bed - the state of the authenticator `ask`, with a helper that makes the exchange of
 * `token` (support/asked.py), for both ends. */
#ifndef OB_TESTS_UNIT_ASK_BED_H
#define OB_TESTS_UNIT_ASK_BED_H

#include "support/asked.h"
#include "support/expect.h"
#include "unit/registry_bed.h"

static char *ask_dir;
static const struct obi_plugin *ask_plugin;
static struct asked ask_helper;

static inline void *ask_state(void)
{
	struct ob_pair pair = {ob_string("socket"), ob_string(ask_helper.socket)};
	struct ob_value settings = ob_map(&pair, 1);
	struct ob_error err = {.text = ""};
	void *state = NULL;
	int r = ask_plugin->configure(obi_registry_host(registry), &settings, &state, &err);
	expect(r, OB_OK, &err, NULL);
	return state;
}

/* The registry, the plugin, and the helper. */
static inline int ask_setup(void **state)
{
	if (registry_setup(state) != OB_OK ||
	    obi_registry_auth(registry, "ask", &ask_plugin, NULL) != OB_OK) {
		return -1;
	}
	ask_dir = scratch_make();
	asked_begin(&ask_helper, ask_dir, "ask", NULL);
	return 0;
}

static inline int ask_teardown(void **state)
{
	asked_end(&ask_helper);
	scratch_remove(ask_dir);
	return registry_teardown(state);
}

#endif
