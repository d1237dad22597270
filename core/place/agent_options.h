/* SPDX-License-Identifier: MIT */
/* place/agent_options - the options of a child as a host sends them to an agent, as a value. */
#ifndef OBI_PLACE_AGENT_OPTIONS_H
#define OBI_PLACE_AGENT_OPTIONS_H

#include <outboard/connector.h>

#include "base/arena.h"

enum {
	OBI_AGENT_OPTIONS_MAX = 64 * 1024, /* bytes of all texts, each with its NUL */
	OBI_AGENT_ITEMS_MAX = 4096,	   /* items of a list */
	OBI_AGENT_LIMITS_MAX = 32,	   /* resource limits */
	/* What an arena should have for them: the texts rounded up, and the lists. */
	OBI_AGENT_OPTIONS_ARENA = 1024 * 1024
};

/*
 * Build the map `options` of those options that the agent needs; those that have their default are
 * left out. Everything is borrowed. The caller gives the options as its user gave them, with their
 * placeholders. Not in it: name, data_path, state_path, listen and whatever is about the
 * connection, the restart policy, or another place.
 */
void obi_agent_options_build(struct ob_builder *b, const struct ob_connector_options *options);

/*
 * Read it into *ret, whose other members are zeroed but size; the texts are copied to arena,
 * which should have a budget of OBI_AGENT_OPTIONS_ARENA. A key that is not
 * known here is an error that names it, since it would change what runs. What the values mean is
 * checked by obi_connector_settings().
 *
 * OB_EINVAL, OB_ETOOBIG, OB_ENOMEM.
 */
int obi_agent_options_read(const struct ob_value *value, struct obi_arena *arena,
			   struct ob_connector_options *ret, struct ob_error *reterr);

#endif
