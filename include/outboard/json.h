/* SPDX-License-Identifier: MIT */
/*
 * outboard/json.h - values from JSON text and to JSON text (RFC 8259).
 *
 * The conversion is exact: the order of keys, 64-bit integers and the difference between 1 and 1.0
 * survive it. All functions of this header may be called on any thread.
 */
#ifndef OUTBOARD_JSON_H
#define OUTBOARD_JSON_H

#include <outboard/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

enum ob_json_flag {
	/* Keep objects with two equal keys. Default: such text is refused. */
	OB_JSON_KEEP_DUPLICATES = 1 << 0,
	/*
	 * {"$binary": "<base64>"} in the text is a binary value. So that a map with a key "$binary"
	 * of its own can be told from it, such a key has one '$' more in the text.
	 */
	OB_JSON_BINARY = 1 << 1
};

struct ob_json_options {
	uint32_t size;
	uint32_t flags; /* bits of enum ob_json_flag */
	/* Containers within containers, the outermost included: 1 to 512, default OB_DEPTH_MAX. */
	uint32_t depth;
};

/*
 * Parse text, which must be one JSON value with nothing but white space around it. options may be
 * NULL. The tree is made in arena; strings without escapes are borrowed from text, so text must
 * stay valid as long as the tree. The arena gives at most 8 bytes for each byte of text, and a
 * constant.
 *
 *   OB_EPROTO   not JSON, or not acceptable: bad UTF-8, a number too large for a double, a repeated
 *               key; the message gives the position
 *   OB_ETOOBIG  nested deeper than the options allow
 *   OB_ENOMEM   the arena's budget is used up
 */
OB_API int ob_value_from_json(struct ob_bytes text, const struct ob_json_options *options,
			      struct ob_arena *arena, struct ob_value *ret_value,
			      struct ob_error *reterr);

/*
 * Write a value as compact JSON, on one line. options may be NULL. The text is made in arena, with
 * a NUL behind it that ret_text does not count. A binary value is written as {"$binary":
 * "<base64>"}. The arena gives at most four bytes for each byte of text, and a constant.
 *
 *   OB_EINVAL   an infinity, a NaN or a string that is not UTF-8
 *   OB_ETOOBIG  nested deeper than the options allow
 *   OB_ENOMEM   the arena's budget is used up
 */
OB_API int ob_value_to_json(const struct ob_value *value, const struct ob_json_options *options,
			    struct ob_arena *arena, struct ob_bytes *ret_text,
			    struct ob_error *reterr);

#ifdef __cplusplus
}
#endif
#endif
