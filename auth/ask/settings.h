/* SPDX-License-Identifier: MIT */
/* auth/ask/settings - the settings of one end. */
#ifndef OB_AUTH_ASK_SETTINGS_H
#define OB_AUTH_ASK_SETTINGS_H

#include <outboard/codec.h>
#include <outboard/transport.h>

#include "auth/ask/arena.h"

struct obi_ask_settings {
	const struct ob_host *host;
	struct obi_ask_arena arena; /* of the address */

	/* The helper; transport is NULL if there is none. */
	const struct ob_transport_ops *transport;
	const struct ob_codec_ops *codec;
	struct ob_uri address;
	uint32_t
	    user; /* whose process the helper must be; (uint32_t)-1: our own user's or root's */
	int64_t timeout_ms; /* for one answer */

	/* Without a helper, what a dialer sends: this text, or what is in this file. */
	char *text;
	char *file;
};

/* Read and check them. On failure nothing is left behind, and the text begins with the key. */
int obi_ask_settings_new(const struct ob_host *host, const struct ob_value *value,
			 struct obi_ask_settings **ret, struct ob_error *reterr);

/* Wipe and free. settings may be NULL. */
void obi_ask_settings_free(struct obi_ask_settings *settings);

/* Append what a dialer sends to out. OB_EDOWN: the file cannot be read, or has a fault. */
int obi_ask_settings_message(const struct obi_ask_settings *settings, struct ob_sink *out,
			     struct ob_error *reterr);

#endif
