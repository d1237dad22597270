/* SPDX-License-Identifier: MIT */
/* params - the parameters of a call, as the command line gives them. */
#ifndef OBI_CLI_CALL_PARAMS_H
#define OBI_CLI_CALL_PARAMS_H

#include <outboard/outboard.h>

#include "base/arena.h"
#include "base/buf.h"

struct obi_params {
	struct obi_buf text; /* what was read from a file */
	struct obi_arena arena;
	struct ob_value item;
	struct ob_value value; /* an array or a map */
};

/*
 * Read parameters: JSON, "@FILE" for a file with JSON, "-" for standard input; NULL: there are
 * none. An array or an object is the parameters; any other value is the only one. False: the fault
 * was printed. Free *ret in either case.
 */
bool obi_params_read(const char *word, struct obi_params *ret);
void obi_params_free(struct obi_params *params);

#endif
