/* SPDX-License-Identifier: MIT */
#include "base/text_plain.h"

#if defined(__x86_64__) && defined(OBI_TEXT_VECTOR)

#include <immintrin.h>

#define WITH_AVX2 __attribute__((target("avx2")))

enum { WIDE = 32 };

/* As obi_text_look(), for 32 bytes. */
WITH_AVX2 static inline __m256i look(const uint8_t *at)
{
	__m256i v = _mm256_loadu_si256((const __m256i *)(const void *)at);
	__m256i quotes = _mm256_or_si256(_mm256_cmpeq_epi8(v, _mm256_set1_epi8('"')),
					 _mm256_cmpeq_epi8(v, _mm256_set1_epi8('\\')));
	__m256i others = _mm256_or_si256(_mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), v),
					 _mm256_cmpeq_epi8(v, _mm256_set1_epi8(0x7f)));
	return _mm256_or_si256(quotes, others);
}

WITH_AVX2 static const uint8_t *plain_avx2(const uint8_t *at, const uint8_t *end)
{
	for (; end - at >= 4 * WIDE; at += 4 * WIDE) {
		__m256i marks =
		    _mm256_or_si256(_mm256_or_si256(look(at), look(at + WIDE)),
				    _mm256_or_si256(look(at + 2 * WIDE), look(at + 3 * WIDE)));
		if (!_mm256_testz_si256(marks, marks)) {
			break;
		}
	}
	return at;
}

const uint8_t *obi_text_plain_wide(const uint8_t *at, const uint8_t *end)
{
	return __builtin_cpu_supports("avx2") ? plain_avx2(at, end) : at;
}

#else

const uint8_t *obi_text_plain_wide(const uint8_t *at, const uint8_t *end)
{
	(void)end;
	return at;
}

#endif
