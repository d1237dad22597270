/* SPDX-License-Identifier: MIT */
/* json/json_scan - reading and writing strings, numbers and binaries; the rest is in json.c and
 * json_write.c. */
#ifndef OBI_JSON_JSON_SCAN_H
#define OBI_JSON_JSON_SCAN_H

#include <outboard/value.h>

/* The text that is being read, and why it was refused. */
struct obi_json_scan {
	const uint8_t *at;
	const uint8_t *end;
	struct ob_arena *arena;
	int code; /* OB_OK until an error */
	const char *wrong;
};

/* Set the error. Returns false. */
static inline bool obi_json_refuse(struct obi_json_scan *scan, int code, const char *wrong)
{
	scan->code = code;
	scan->wrong = wrong;
	return false;
}

static inline bool obi_json_no_memory(struct obi_json_scan *scan)
{
	return obi_json_refuse(scan, OB_ENOMEM, "the value needs more memory than the limit");
}

/*
 * A better reason than `wrong` for what is at `at`, where it does not belong; start is the start of
 * the text. Knows what people and editors write that is not JSON: a byte order mark, comments,
 * trailing commas, other quotes. `at` moves to the comma of a trailing one.
 */
const char *obi_json_explain(struct obi_json_scan *scan, const uint8_t *start, const char *wrong);

/* Write a value member by member: a struct that is assembled and then copied would stall the
 * store queue at every value. */
static inline void obi_json_set(struct ob_value *ret, uint8_t type, uint32_t count)
{
	ret->type = type;
	memset(ret->zero, 0, sizeof ret->zero);
	ret->count = count;
}

/* The string whose opening quote is before `at`; afterwards `at` is behind the closing quote. It
 * borrows from the text unless it has escapes. */
bool obi_json_scan_string(struct obi_json_scan *scan, struct ob_value *ret);

/* The number at `at`, which starts with a digit or '-'. */
bool obi_json_scan_number(struct obi_json_scan *scan, struct ob_value *ret);

/* The only pair of an object, under OBI_JSON_BINARY: *ret, which is that object, becomes a
 * binary, or its key loses a '$'. */
bool obi_json_read_binary(struct obi_json_scan *scan, struct ob_pair *pair, struct ob_value *ret);

/* Whether an object with this only key could be read as a binary, or as one with another '$'. */
bool obi_json_is_binary_key(const struct ob_value *key);

/* Append {"$binary":"<base64>"}. */
bool obi_json_put_binary(const struct ob_value *binary, struct ob_sink *out);

/* Append text in quotes. Malformed UTF-8: false when strict, otherwise each such byte becomes
 * U+FFFD. Also false when the sink is full. */
bool obi_json_put_string(struct ob_bytes text, bool strict, struct ob_sink *out);

/* Append the fewest digits that read back as d, which must be finite; with a '.' or an exponent,
 * so that it stays a double. */
bool obi_json_put_double(double d, struct ob_sink *out);
bool obi_json_put_int(int64_t i, struct ob_sink *out);
bool obi_json_put_uint(uint64_t u, struct ob_sink *out);

#endif
