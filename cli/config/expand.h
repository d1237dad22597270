/* SPDX-License-Identifier: MIT */
/* expand - what the values of env in a config refer to: ${NAME} is the value of a variable, $$ is a
 * dollar, and ${name} and the like are placeholders (base/placeholders), which the library replaces
 * later. Anything else behind a dollar is a fault, so that it can get a meaning later. */
#ifndef OBI_CLI_CONFIG_EXPAND_H
#define OBI_CLI_CONFIG_EXPAND_H

#include <outboard/outboard.h>

/* The value of a variable, borrowed; NULL: it is not set. */
typedef const char *obi_variable_fn(void *user, const char *name);

/*
 * Append text to out, with the values of its variables, as a text with placeholders: these and $$
 * stay, and a dollar in a value becomes $$. A name is 1 to 255 letters, digits and underscores, and
 * no digit at the beginning.
 *
 *   OB_ENOENT   a variable is not set; the message names it
 *   OB_EINVAL   "${" without "}", something that is not a name in between, or a single dollar
 *   OB_ETOOBIG  out is full
 *
 * After a failure out holds a part.
 */
int obi_expand(struct ob_bytes text, obi_variable_fn *find, void *user, struct ob_sink *out,
	       struct ob_error *reterr);

#endif
