/* SPDX-License-Identifier: MIT */
/* base/text - scanning text that may be malformed. */
#ifndef OBI_BASE_TEXT_H
#define OBI_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/text_plain.h"

/* The length of the well-formed UTF-8 sequence at `at`, 1 to 4; 0: malformed (overlong, a
 * surrogate, incomplete, ...). at must be before end. */
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
	/* Only the range of the second byte depends on the first byte. */
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

/* Whether the well-formed sequence of 2 or 3 bytes at `at` is a character that a terminal obeys:
 * U+0080-U+009F (C1), U+061C, U+200E, U+200F, U+2028-U+202E, U+2066-U+206F (line separators,
 * direction marks, overrides and isolates). */
static inline bool obi_text_is_obeyed(const uint8_t *at, size_t step)
{
	if (step == 2) {
		return (at[0] == 0xc2 && at[1] < 0xa0) || (at[0] == 0xd8 && at[1] == 0x9c);
	}
	if (step != 3 || at[0] != 0xe2) {
		return false;
	}
	return (at[1] == 0x80 &&
		(at[2] == 0x8e || at[2] == 0x8f || (at[2] >= 0xa8 && at[2] <= 0xae))) ||
	       (at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xaf);
}

/* The length of the character at `at`, 1 to 4, if a terminal only shows it. 0: it has to be
 * escaped, because it is a control character, another one that a terminal obeys, or no well-formed
 * UTF-8. at must be before end. Whatever is printed is checked here and nowhere else. */
static inline size_t obi_text_shown(const uint8_t *at, const uint8_t *end)
{
	size_t step = obi_utf8_step(at, end);
	if (step == 1) {
		return *at >= 0x20 && *at != 0x7f ? 1 : 0;
	}
	return obi_text_is_obeyed(at, step) ? 0 : step;
}

/* The code point of the well-formed sequence of step bytes at `at`. */
static inline uint32_t obi_utf8_value(const uint8_t *at, size_t step)
{
	uint32_t value = step == 1 ? at[0] : at[0] & (0x7fu >> step);
	for (size_t i = 1; i < step; i++) {
		value = value << 6 | (at[i] & 0x3fu);
	}
	return value;
}

enum { OBI_TEXT_ESCAPE_MAX = 6 };

/* A visible form of what is at `at`: \n, \t, \r; \u202e for a character; \x9b for a byte. *ret_len
 * is the length of the form. Returns how many bytes it stands for. */
size_t obi_text_escape(const uint8_t *at, const uint8_t *end, char form[OBI_TEXT_ESCAPE_MAX],
		       size_t *ret_len);

/* Copy text as one line that a terminal only shows: the rest is escaped. What does not fit is left
 * out, from a whole character on. size must not be 0. */
void obi_text_show(const char *from, char *to, size_t size);

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
