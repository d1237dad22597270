/* SPDX-License-Identifier: MIT */
/* base/duration - "250ms", "2s", "1m30s", "5m", "1h" and back. */
#ifndef OBI_BASE_DURATION_H
#define OBI_BASE_DURATION_H

#include <outboard/abi.h>

/* Parse one or more <decimal><unit> with the units h, m, s and ms, in this order: "0s" is 0, "0"
 * alone is refused. A fraction ("1.5s") is allowed, but nothing finer than a millisecond. The
 * result is in milliseconds, at most 10 years. OB_EINVAL: reterr says what is wrong. */
int obi_duration_parse(struct ob_bytes text, int64_t *ret_ms, struct ob_error *reterr);

/* The shortest such text: "1m30s", "1.5s", "250ms", "1h", "0s"; "none" for a negative duration.
 * cap must be at least OBI_DURATION_SIZE. */
#define OBI_DURATION_SIZE 32
void obi_duration_text(int64_t ms, char *text, size_t cap);

#endif
