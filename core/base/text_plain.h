/* SPDX-License-Identifier: MIT */
/* base/text_plain - runs of text that need no look: with vectors where the processor has them. */
#ifndef OBI_BASE_TEXT_PLAIN_H
#define OBI_BASE_TEXT_PLAIN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && defined(__SSE2__)
#include <emmintrin.h>
#define OBI_TEXT_VECTOR __m128i
#elif __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && defined(__aarch64__) && defined(__ARM_NEON)
#include <arm_neon.h>
#define OBI_TEXT_VECTOR uint8x16_t
#endif

/* Marks in a word of 8 bytes: the high bit of each byte that is a control character, DEL, '"',
 * '\\' or not ASCII. */
static inline uint64_t obi_text_marks(uint64_t w)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), high = UINT64_C(0x8080808080808080);
	uint64_t quote = w ^ (ones * '"'), slash = w ^ (ones * '\\');
	/* A byte that is not ASCII is marked by the last two terms: 0x7f to 0xfe by the sum, 0xff
	 * by the difference. A borrow or a carry can set a false mark, but only above a true
	 * one. */
	return ((quote - ones) | (slash - ones) | (w - ones * 0x20) | (w + ones)) & high;
}

/* obi_text_plain() with no more than words of 8 bytes. */
static inline const uint8_t *obi_text_plain_portable(const uint8_t *at, const uint8_t *end)
{
	while (end - at >= 8) {
		uint64_t w, marks;
		memcpy(&w, at, sizeof w);
		marks = obi_text_marks(w);
		if (marks != 0) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
			return at + __builtin_ctzll(marks) / 8;
#else
			break;
#endif
		}
		at += 8;
	}
	while (at < end && *at >= 0x20 && *at < 0x7f && *at != '"' && *at != '\\') {
		at++;
	}
	return at;
}

#ifdef OBI_TEXT_VECTOR

enum {
	OBI_TEXT_STEP = 16,
	OBI_TEXT_LONG = 4 /* a run of so many times four steps is long */
};

#ifdef __SSE2__

/* All bits of each of 16 bytes that has a mark. Bytes that are not ASCII are below 0x20, as they
 * have a sign. */
static inline __m128i obi_text_look(const uint8_t *at)
{
	__m128i v = _mm_loadu_si128((const __m128i *)(const void *)at);
	__m128i quotes = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
				      _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
	__m128i others = _mm_or_si128(_mm_cmplt_epi8(v, _mm_set1_epi8(0x20)),
				      _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f)));
	return _mm_or_si128(quotes, others);
}

static inline __m128i obi_text_either(__m128i a, __m128i b)
{
	return _mm_or_si128(a, b);
}

/* The number of bytes before the first mark; OBI_TEXT_STEP: there is none. */
static inline unsigned obi_text_first(__m128i marks)
{
	return (unsigned)__builtin_ctz((unsigned)_mm_movemask_epi8(marks) | 1u << OBI_TEXT_STEP);
}

#else

static inline uint8x16_t obi_text_look(const uint8_t *at)
{
	uint8x16_t v = vld1q_u8(at);
	uint8x16_t quotes = vorrq_u8(vceqq_u8(v, vdupq_n_u8('"')), vceqq_u8(v, vdupq_n_u8('\\')));
	uint8x16_t others = vorrq_u8(vcltq_s8(vreinterpretq_s8_u8(v), vdupq_n_s8(0x20)),
				     vceqq_u8(v, vdupq_n_u8(0x7f)));
	return vorrq_u8(quotes, others);
}

static inline uint8x16_t obi_text_either(uint8x16_t a, uint8x16_t b)
{
	return vorrq_u8(a, b);
}

/* Each byte becomes 4 bits of a word. */
static inline unsigned obi_text_first(uint8x16_t marks)
{
	uint8x8_t half = vshrn_n_u16(vreinterpretq_u16_u8(marks), 4);
	uint64_t word = vget_lane_u64(vreinterpret_u64_u8(half), 0);
	return word != 0 ? (unsigned)__builtin_ctzll(word) / 4 : OBI_TEXT_STEP;
}

#endif

/* For runs that are long: a place up to which all bytes are plain. It is `at` where the processor
 * has no wider vectors. */
const uint8_t *obi_text_plain_wide(const uint8_t *at, const uint8_t *end);

static inline const uint8_t *obi_text_plain_vector(const uint8_t *at, const uint8_t *end)
{
	unsigned steps = 0;
	/* Four at a time, since most long runs end far away. */
	while (end - at >= 4 * OBI_TEXT_STEP) {
		OBI_TEXT_VECTOR marks = obi_text_either(
		    obi_text_either(obi_text_look(at), obi_text_look(at + OBI_TEXT_STEP)),
		    obi_text_either(obi_text_look(at + 2 * OBI_TEXT_STEP),
				    obi_text_look(at + 3 * OBI_TEXT_STEP)));
		if (obi_text_first(marks) < OBI_TEXT_STEP) {
			break;
		}
		at += 4 * OBI_TEXT_STEP;
		if (++steps == OBI_TEXT_LONG) {
			at = obi_text_plain_wide(at, end);
		}
	}
	while (end - at >= OBI_TEXT_STEP) {
		unsigned first = obi_text_first(obi_text_look(at));
		if (first < OBI_TEXT_STEP) {
			return at + first;
		}
		at += OBI_TEXT_STEP;
	}
	return obi_text_plain_portable(at, end);
}

#endif

/* The first byte from `at` on that is a control character, DEL, '"', '\\' or not ASCII; else end.
 */
static inline const uint8_t *obi_text_plain(const uint8_t *at, const uint8_t *end)
{
#ifdef OBI_TEXT_VECTOR
	return obi_text_plain_vector(at, end);
#else
	return obi_text_plain_portable(at, end);
#endif
}

#endif
