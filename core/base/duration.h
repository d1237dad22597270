/* SPDX-License-Identifier: MIT */
/* base/duration - "250ms", "2s", "1m30s", "5m", "1h" and back. */
#ifndef OBI_BASE_DURATION_H
#define OBI_BASE_DURATION_H

#include <outboard/abi.h>

/* Parse text: one or more of <decimal><unit> with unit ms, s, m, h, in falling order ("0" alone is refused, "0s" is 0). A
 * fraction ("1.5s") is allowed. The result is in milliseconds, at most 10 years. */
int obi_duration_parse(struct ob_bytes text, int64_t *ret_ms, struct ob_error *reterr);

/* The shortest such text, as "1m30s", "250ms". cap 32 is enough. */
void obi_duration_text(int64_t ms, char *text, size_t cap);

#endif
