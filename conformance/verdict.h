/* SPDX-License-Identifier: MIT */
/* conformance/verdict - how a suite tells what it is about to try, and what became of each promise.
 */
#ifndef OB_CONFORMANCE_VERDICT_H
#define OB_CONFORMANCE_VERDICT_H

#include <stdbool.h>

enum obi_verdict { OBI_VERDICT_PASS, OBI_VERDICT_FAIL, OBI_VERDICT_SKIP };

/* A promise is about to be tried, and may take the process with it. False: pass it over, and tell
 * nothing of it. */
typedef bool obi_begin_fn(void *user, const char *promise);

/* One promise was tried. why is one line, empty for a pass. */
typedef void obi_verdict_fn(void *user, const char *promise, enum obi_verdict verdict,
			    const char *why);

#endif
