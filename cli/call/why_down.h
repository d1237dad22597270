/* SPDX-License-Identifier: MIT */
/* why_down - why a child that was to be called does not run, as its supervisor knows. */
#ifndef OBI_CLI_CALL_WHY_DOWN_H
#define OBI_CLI_CALL_WHY_DOWN_H

#include <outboard/outboard.h>

/* If the supervisor of root answers, and says that the child with this data directory is blocked,
 * replace the text of *err by that. Waits for at most 2 s. */
void obi_explain_down(ob_runtime *rt, const char *root, const char *data_path,
		      struct ob_error *err);

#endif
