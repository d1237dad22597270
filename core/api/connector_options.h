/* SPDX-License-Identifier: MIT */
/* api/connector_options - the options of a connector: checked, copied, completed, and hashed. */
#ifndef OBI_API_CONNECTOR_OPTIONS_H
#define OBI_API_CONNECTOR_OPTIONS_H

#include "api/options_expand.h"
#include "api/runtime.h"

struct obi_connector_settings {
	struct obi_arena arena; /* of the copies */
	/* With the defaults filled in, and without placeholders. Until the numbers are known they
	 * are the first of their ranges. */
	struct ob_connector_options options;
	struct ob_connector_options raw; /* as given, copied */
	struct obi_arena texts;		 /* of those of the options that have numbers */
	struct obi_expansion expansion;
	uint32_t child_uid;
	char hash[65]; /* of the options that a running child depends on; hexadecimal */
};

/* Free *ret with obi_connector_settings_free(), also on failure. */
int obi_connector_settings(struct ob_runtime *rt, const struct ob_connector_options *given,
			   struct obi_connector_settings *ret, struct ob_error *reterr);
void obi_connector_settings_free(struct obi_connector_settings *settings);

/* Complete the options with these numbers. Nobody keeps a text of argv, env, cleanup, listen,
 * connect and client_listen of the options beyond the turn of the loop. */
int obi_connector_settings_number(struct obi_connector_settings *settings,
				  const struct obi_numbers *numbers, struct ob_error *reterr);

#endif
