/* SPDX-License-Identifier: MIT */
/* api/options_expand - replaces the placeholders in the options of a connector. */
#ifndef OBI_API_OPTIONS_EXPAND_H
#define OBI_API_OPTIONS_EXPAND_H

#include "api/options_check.h"
#include "base/number_range.h"
#include "base/placeholders.h"

/* What the placeholders of some options need. */
struct obi_expansion {
	uint32_t used; /* 1 << enum obi_placeholder of each that was found */
	struct obi_number_range ports, cids;
};

static inline bool obi_expansion_uses(const struct obi_expansion *e, enum obi_placeholder which)
{
	return (e->used & 1u << which) != 0;
}

/*
 * Replace the placeholders, if the options are to have any; new texts are made in arena. A text
 * with a fault stays as it is. Without a number (0) ${port} or ${cid} stays. Faults of the ranges
 * are reported, too.
 */
void obi_options_expand(struct ob_connector_options *options, const struct obi_numbers *numbers,
			struct obi_arena *arena, struct obi_expansion *ret,
			struct obi_option_faults *faults);

/* The same with the first number of each range: to see whether the options are good. */
void obi_options_expand_first(struct ob_connector_options *options, struct obi_arena *arena,
			      struct obi_expansion *ret, struct obi_option_faults *faults);

#endif
