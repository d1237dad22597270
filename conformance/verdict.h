/* SPDX-License-Identifier: MIT */
/* conformance/verdict - how a suite announces a promise, and reports its outcome. */
#ifndef OB_CONFORMANCE_VERDICT_H
#define OB_CONFORMANCE_VERDICT_H

#include <stdbool.h>

enum obi_verdict { OBI_VERDICT_PASS, OBI_VERDICT_FAIL, OBI_VERDICT_SKIP };

/* A promise is about to be tried, and may crash the process. Return false to pass it over
 * without a report. */
typedef bool obi_begin_fn(void *user, const char *promise);

/* A promise was tried. why is one line, empty for a pass. */
typedef void obi_verdict_fn(void *user, const char *promise, enum obi_verdict verdict,
			    const char *why);

#endif
