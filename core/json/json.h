/* SPDX-License-Identifier: MIT */
/*
 * json/json - JSON (RFC 8259) into and out of neutral values, for text that cannot be trusted and
 * must not be changed: order, 64-bit integers, 1.0 and duplicate keys stay what they are.
 */
#ifndef OBI_JSON_JSON_H
#define OBI_JSON_JSON_H

#include <outboard/value.h>

enum obi_json_flag {
	OBI_JSON_KEEP_DUPLICATES = 1 << 0, /* otherwise an object with two equal keys is refused */
	/* An object whose one key is "$binary" is a binary, its value being base64 (RFC 4648,
	 * padded). A user's own object of that form has one '$' more in JSON: "$$binary" there is
	 * "$binary" here, "$$$binary" is "$$binary", and so on. */
	OBI_JSON_BINARY = 1 << 1
};

struct obi_json_limits {
	uint32_t depth; /* containers within containers, the outermost counted */
	uint32_t flags; /* enum obi_json_flag */
};

/*
 * Parse text, which must be exactly one JSON value with white space around it at most. The tree is
 * made in arena and borrows strings without escapes from text. Refused, with the offset in the
 * message: anything but RFC 8259; trailing bytes; numbers that are not finite as doubles; bad
 * UTF-8; lone surrogates; too deep. Integers (no '.', 'e') become OB_INT or OB_UINT, and doubles
 * beyond 64 bits. Memory taken from the arena is at most 8 bytes for each byte of text, plus a
 * constant. limits NULL: OB_DEPTH_MAX, no duplicates. OB_EPROTO: not acceptable; OB_ETOOBIG: too
 * deep; OB_ENOMEM: the arena is full.
 */
int obi_json_parse(struct ob_bytes text, struct ob_arena *arena,
		   const struct obi_json_limits *limits, struct ob_value *ret,
		   struct ob_error *reterr);

/*
 * Append value as compact JSON. Doubles keep a '.' or exponent and the shortest digits that read
 * back the same. Binary becomes {"$binary":"<base64>"}. Characters that a terminal obeys
 * (base/text.h) are escaped, so that the text can be printed. OB_EINVAL: an infinity, a NaN or bad
 * UTF-8; OB_ENOMEM: out is full; OB_ETOOBIG: nested too deep (OBI_VALUE_DEPTH_MAX of base/value.h).
 */
int obi_json_write(const struct ob_value *value, struct ob_sink *out, struct ob_error *reterr);

/* The same, with limits: how deep, and whether a user's own "$binary" gets its '$'. */
int obi_json_write_as(const struct ob_value *value, const struct obi_json_limits *limits,
		      struct ob_sink *out, struct ob_error *reterr);

/* The texts of the items, or of the members' values, of a text's outermost container, one after
 * another. */
struct obi_json_pieces {
	const uint8_t *at;
	const uint8_t *end;
};

/* Begin. The text is an array or an object that obi_json_parse() accepted. */
struct obi_json_pieces obi_json_pieces_of(struct ob_bytes text);

/* The next one, without the white space around it. Not more often than the container has items or
 * members. */
struct ob_bytes obi_json_piece_next(struct obi_json_pieces *pieces);

/* Append text as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD (for people
 * and logs). */
bool obi_json_quote(struct ob_bytes text, struct ob_sink *out);

#endif
