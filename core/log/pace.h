/* SPDX-License-Identifier: MIT */
/*
 * log/pace - when to let a pipe rest. A child that writes line by line makes its reader wake up for
 * each of them, which costs more than the line. After some small reads in a row the pipe is left
 * alone for a millisecond; what was written meanwhile comes in one read. A pipe that holds little
 * does not rest: it would be full.
 */
#ifndef OBI_LOG_PACE_H
#define OBI_LOG_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OBI_LOG_REST_MS = 1, OBI_LOG_SMALL = 4096, OBI_LOG_SMALL_MAX = 4, OBI_LOG_APART_MS = 2 };

struct obi_log_pace {
	int64_t last_ms; /* of the last read */
	uint32_t small;	 /* small reads that followed each other closely */
};

/* n bytes were read. Whether the pipe rests for OBI_LOG_REST_MS. A read that is not small says
 * nothing: it is what came during a rest, or of a child that writes much at once, and goes on. */
static inline bool obi_log_pace_rests(struct obi_log_pace *pace, size_t n, int64_t now_ms)
{
	if (now_ms - pace->last_ms > OBI_LOG_APART_MS) {
		pace->small = 0;
	}
	pace->last_ms = now_ms;
	if (n >= OBI_LOG_SMALL) {
		return false;
	}
	pace->small += pace->small < OBI_LOG_SMALL_MAX;
	return pace->small == OBI_LOG_SMALL_MAX;
}

#endif
