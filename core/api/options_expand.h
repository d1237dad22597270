/* SPDX-License-Identifier: MIT */
/* api/options_expand - replaces the placeholders in the options of a connector. */
#ifndef OBI_API_OPTIONS_EXPAND_H
#define OBI_API_OPTIONS_EXPAND_H

#include "api/options_check.h"
#include "base/placeholders.h"

/*
 * Replace the placeholders, if the options are to have any; new texts are made in arena. A text
 * with a fault stays as it is, and the fault is reported. *ret_used: 1 << enum obi_placeholder of
 * each that was found.
 */
void obi_options_expand(struct ob_connector_options *options, struct obi_arena *arena,
			uint32_t *ret_used, struct obi_option_faults *faults);

#endif
