/* SPDX-License-Identifier: MIT */
/* api/connector_numbers - the port and the context id of a child: chosen, held, and put into its
 * options. */
#ifndef OBI_API_CONNECTOR_NUMBERS_H
#define OBI_API_CONNECTOR_NUMBERS_H

#include "api/connector_options.h"
#include "api/number_lease.h"
#include "supervisor/number_source.h"

struct obi_connector_numbers {
	struct obi_connector_settings *settings;
	struct obi_number_lease port, cid;
};

void obi_connector_numbers_init(struct obi_connector_numbers *numbers,
				struct obi_connector_settings *settings);

/* For a supervisor that has the options of these settings. */
struct obi_number_source obi_connector_numbers_source(struct obi_connector_numbers *numbers);

/* Give the numbers back. Zeroed: nothing to do. */
void obi_connector_numbers_free(struct obi_connector_numbers *numbers);

#endif
