/* SPDX-License-Identifier: MIT */
/* log/printable - whether text is printable ASCII: most lines are, and can be copied as they are.
 */
#ifndef OBI_LOG_PRINTABLE_H
#define OBI_LOG_PRINTABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>

enum { OBI_PRINTABLE_STEP = 16 };

/* Signed bytes: those that are not ASCII are below zero. */
static inline bool obi_log_is_printable_step(const uint8_t *at)
{
	__m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
	__m128i low = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
	__m128i del = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f));
	return _mm_movemask_epi8(_mm_or_si128(low, del)) == 0;
}
#else
enum { OBI_PRINTABLE_STEP = 8 };

/* A borrow or a carry can set a false mark, but only above a true one. */
static inline bool obi_log_is_printable_step(const uint8_t *at)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), high = UINT64_C(0x8080808080808080);
	uint64_t w;
	memcpy(&w, at, sizeof w);
	return (((w - ones * 0x20) | (w + ones) | w) & high) == 0;
}
#endif

static inline bool obi_log_is_printable(const uint8_t *at, const uint8_t *end)
{
	while (end - at >= OBI_PRINTABLE_STEP) {
		if (!obi_log_is_printable_step(at)) {
			return false;
		}
		at += OBI_PRINTABLE_STEP;
	}
	while (at < end && *at >= 0x20 && *at < 0x7f) {
		at++;
	}
	return at == end;
}

#endif
