/* SPDX-License-Identifier: MIT */
/* msgpack_text - a look at strings, most of which are ASCII. */
#ifndef OB_CODECS_MSGPACK_TEXT_H
#define OB_CODECS_MSGPACK_TEXT_H

#include <outboard/value.h>

static inline uint64_t obi_msgpack_word(const uint8_t *at)
{
	uint64_t word;
	memcpy(&word, at, sizeof word);
	return word;
}

/* Whether n bytes, at least 8, are ASCII. The last words may look at bytes a second time. */
static inline bool obi_msgpack_is_ascii(const uint8_t *at, size_t n)
{
	const uint64_t high = UINT64_C(0x8080808080808080);
	const uint8_t *last = at + n - 8;
	uint64_t seen = obi_msgpack_word(last);
	for (; last - at >= 24; at += 32) {
		seen |= obi_msgpack_word(at) | obi_msgpack_word(at + 8) |
			obi_msgpack_word(at + 16) | obi_msgpack_word(at + 24);
		if ((seen & high) != 0) {
			return false;
		}
	}
	for (; at < last; at += 8) {
		seen |= obi_msgpack_word(at);
	}
	return (seen & high) == 0;
}

/* The same as ob_is_utf8(). */
static inline bool obi_msgpack_is_text(const void *text, size_t n)
{
	return (n >= 8 && obi_msgpack_is_ascii((const uint8_t *)text, n)) ||
	       ob_is_utf8(ob_bytes_of(text, n));
}

#endif
