/* SPDX-License-Identifier: MIT */
/* json/json - JSON (RFC 8259) to and from neutral values, for untrusted text that must be
 * preserved: the order of keys, 64-bit integers, the form of 1.0, and duplicate keys. */
#ifndef OBI_JSON_JSON_H
#define OBI_JSON_JSON_H

#include <outboard/value.h>

enum obi_json_flag {
	OBI_JSON_KEEP_DUPLICATES = 1 << 0, /* otherwise an object with duplicate keys is refused */
	/* An object whose only key is "$binary" is a binary; its value is base64 (RFC 4648,
	 * padded). An object of a user in this form gets one more '$' in JSON: the key
	 * "$$binary" in JSON is "$binary" in the value, "$$$binary" is "$$binary", and so on. */
	OBI_JSON_BINARY = 1 << 1
};

/* Why a text was refused. */
struct obi_json_fault {
	size_t offset; /* at most the length of the text */
	const char *reason;
};

struct obi_json_limits {
	uint32_t depth;		      /* levels of containers, including the outermost */
	uint32_t flags;		      /* enum obi_json_flag */
	uint32_t values;	      /* in all, keys and containers included; 0: no limit */
	struct obi_json_fault *fault; /* set when the text is refused; may be NULL */
};

/*
 * Parse text, which must be exactly one JSON value with optional white space around it. The tree
 * is made in arena, and borrows strings without escapes from text.
 *
 * Refused, with the offset in the message: violations of RFC 8259, trailing bytes, numbers that
 * are not finite as doubles, malformed UTF-8, lone surrogates, too many levels. Integers
 * (without '.' and 'e') become OB_INT or OB_UINT, or doubles if they exceed 64 bits. It takes at
 * most 8 bytes of the arena for each byte of text, plus a constant, and time that is linear in
 * the text, but for objects with many keys (n log n). limits may be NULL:
 * OB_DEPTH_MAX levels, no duplicates.
 *
 * OB_EPROTO: refused; OB_ETOOBIG: too many levels or values; OB_ENOMEM: the arena is full.
 */
int obi_json_parse(struct ob_bytes text, struct ob_arena *arena,
		   const struct obi_json_limits *limits, struct ob_value *ret,
		   struct ob_error *reterr);

/*
 * Append value as compact JSON. A double gets a '.' or an exponent, and the fewest digits that
 * read back as the same number. A binary becomes {"$binary":"<base64>"}. OB_EINVAL: an infinity,
 * a NaN or malformed UTF-8; OB_ENOMEM: out is full; OB_ETOOBIG: more than OBI_VALUE_DEPTH_MAX
 * levels (base/value.h).
 */
int obi_json_write(const struct ob_value *value, struct ob_sink *out, struct ob_error *reterr);

/* The same with limits: the number of levels, and whether a user's own "$binary" gets another
 * '$'. */
int obi_json_write_as(const struct ob_value *value, const struct obi_json_limits *limits,
		      struct ob_sink *out, struct ob_error *reterr);

/* Append text as a quoted JSON string, for people and logs; bytes that are not UTF-8 become
 * U+FFFD. */
bool obi_json_quote(struct ob_bytes text, struct ob_sink *out);

#endif
