/* SPDX-License-Identifier: MIT */
/* conformance/verdict - how a suite tells what became of each promise. */
#ifndef OB_CONFORMANCE_VERDICT_H
#define OB_CONFORMANCE_VERDICT_H

enum obi_verdict { OBI_VERDICT_PASS, OBI_VERDICT_FAIL, OBI_VERDICT_SKIP };

/* One promise was tried. why is one line, empty for a pass. */
typedef void obi_verdict_fn(void *user, const char *promise, enum obi_verdict verdict, const char *why);

#endif
