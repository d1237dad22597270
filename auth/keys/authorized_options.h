/* SPDX-License-Identifier: MIT */
/* auth/keys/authorized_options - what stands before a key: from= and expires=. */
#ifndef OB_AUTH_KEYS_AUTHORIZED_OPTIONS_H
#define OB_AUTH_KEYS_AUTHORIZED_OPTIONS_H

#include "auth/keys/authorized.h"

/* Cut the options off the beginning of *line, if it has some. NULL, or what is wrong with them. */
const char *obi_authorized_options(struct ob_bytes *line, struct obi_authorized_key *ret);

/* Whether the address is in the list, which is valid. */
bool obi_authorized_from(struct ob_bytes list, const char *address);

#endif
