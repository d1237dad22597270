/* SPDX-License-Identifier: MIT */
/*
 * templates - settings that children of a config share: {"templates": {"NAME": {...}}, "children":
 * {"x": {"use": "NAME" | ["NAME", ...], ...}}}. A template has the keys of a child, and may use
 * others.
 *
 * What a child says itself comes before what it uses, and of a list the last before the first.
 * Objects are merged, key by key; the values of these keys, and all else, are taken as a whole. So
 * are plugins with their settings.
 */
#ifndef OBI_CLI_CONFIG_TEMPLATES_H
#define OBI_CLI_CONFIG_TEMPLATES_H

#include "cli/config/run_config_read.h"

struct obi_template;

/* Of one config. Zeroed: there are none. */
struct obi_templates {
	struct ob_arena *arena; /* of what is made here */
	struct obi_template *items;
	uint32_t count;
	uint32_t depth; /* of those that are being completed */
};

/*
 * Find the templates of a config; tree must outlive them. Each is read with the table of the keys
 * of a child, so that its faults are reported once, and where it is.
 */
void obi_templates_read(struct obi_reading *r, const struct ob_value *tree,
			const struct obi_key *keys, struct ob_arena *arena,
			struct obi_templates *ret);

/*
 * The child with what it uses, and without `use`; the current key is that of the child. What comes
 * from templates is marked in r->merged: its faults are not reported again.
 */
struct ob_value obi_templates_apply(struct obi_reading *r, struct obi_templates *templates,
				    const struct ob_value *child);

#endif
