/* SPDX-License-Identifier: MIT */
/* base/text - stepping through text that may not be what it says it is. */
#ifndef OBI_BASE_TEXT_H
#define OBI_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The length of the well-formed UTF-8 sequence at `at`, 1 to 4; 0: there is none (overlong, a
 * surrogate, cut short, ...). at must be before end. */
static inline size_t obi_utf8_step(const uint8_t *at, const uint8_t *end)
{
	uint8_t first = at[0], low = 0x80, high = 0xbf;
	size_t len = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	if (len == 1) {
		return 1;
	}
	if (first < 0xc2 || first > 0xf4 || (size_t)(end - at) < len) {
		return 0;
	}
	/* Only the second byte's range depends on the first one. */
	low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : low;
	high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : high;
	if (at[1] < low || at[1] > high) {
		return 0;
	}
	for (size_t i = 2; i < len; i++) {
		if ((at[i] & 0xc0) != 0x80) {
			return 0;
		}
	}
	return len;
}

/* Marks in a word of 8 bytes: the high bit of each byte that is a control character, '"', '\\' or
 * not ASCII. */
static inline uint64_t obi_text_marks(uint64_t w)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), high = UINT64_C(0x8080808080808080);
	uint64_t quote = w ^ (ones * '"'), slash = w ^ (ones * '\\');
	/* A borrow can make a false mark, but only above a true one. */
	return (((quote - ones) & ~quote) | ((slash - ones) & ~slash) | (w - ones * 0x20) | w) &
	       high;
}

/* The first byte from `at` on that is a control character, '"', '\\' or not ASCII; else end. DEL
 * counts as plain. */
static inline const uint8_t *obi_text_plain(const uint8_t *at, const uint8_t *end)
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
	while (at < end && *at >= 0x20 && *at < 0x80 && *at != '"' && *at != '\\') {
		at++;
	}
	return at;
}

/* Make text well-formed UTF-8, in place: what is not, a character that was cut off included,
 * becomes '?'. */
static inline void obi_text_clean(char *text)
{
	uint8_t *at = (uint8_t *)text, *end = at + strlen(text);
	while (at < end) {
		size_t step = obi_utf8_step(at, end);
		*at = step == 0 ? '?' : *at;
		at += step == 0 ? 1 : step;
	}
}

#endif
