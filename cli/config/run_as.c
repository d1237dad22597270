/* SPDX-License-Identifier: MIT */
/* Whom a child is inside: {"uid": NUMBER, "gid": NUMBER}. Names are not taken: inside, they may
 * have other numbers. */
#include "base/value.h"
#include "cli/config/run_config_read.h"

void obi_read_run_as(struct obi_reading *r, const struct ob_value *value, void *at,
		     const void *more)
{
	static const struct obi_range ids = {0, UINT32_MAX - 1};
	static const struct obi_key keys[] = {
	    {"uid", obi_read_u32, offsetof(struct ob_run_as, uid), &ids},
	    {"gid", obi_read_u32, offsetof(struct ob_run_as, gid), &ids},
	    {0},
	};
	(void)more;
	struct ob_run_as *as = obi_reading_alloc(r, sizeof *as);
	if (as == NULL) {
		return;
	}
	obi_read_object(r, value, as, keys);
	for (const struct obi_key *key = keys; value->type == OB_MAP && key->name != NULL; key++) {
		if (ob_value_find(value, key->name) == NULL) {
			size_t was = obi_reading_enter(r, ob_bytes_text(key->name));
			obi_reading_fault(r, "is required");
			obi_reading_leave(r, was);
		}
	}
	*(const struct ob_run_as **)at = as;
}
