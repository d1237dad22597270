/* SPDX-License-Identifier: MIT */
/* api/connector_options - the options of a connector: checked, copied, completed, and hashed. */
#ifndef OBI_API_CONNECTOR_OPTIONS_H
#define OBI_API_CONNECTOR_OPTIONS_H

#include "api/runtime.h"
#include "base/arena.h"

struct obi_connector_settings {
	struct obi_arena arena;		     /* of the copies */
	struct ob_connector_options options; /* with the defaults filled in, without placeholders */
	bool uses_token_file;		     /* ${token_file} was in one of them */
	uint32_t child_uid;
	char hash[65]; /* of the options that a running child depends on; hexadecimal */
};

/* The caller frees ret->arena, also on failure. */
int obi_connector_settings(struct ob_runtime *rt, const struct ob_connector_options *given,
			   struct obi_connector_settings *ret, struct ob_error *reterr);

#endif
