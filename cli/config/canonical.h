/* SPDX-License-Identifier: MIT */
/* canonical - one text for all ways to write a value. */
#ifndef OBI_CLI_CONFIG_CANONICAL_H
#define OBI_CLI_CONFIG_CANONICAL_H

#include "base/arena.h"

/* The value as JSON, with the keys of its objects sorted and without blanks, made in arena. NULL:
 * out of memory. */
const char *obi_canonical_text(const struct ob_value *value, struct obi_arena *arena);

#endif
