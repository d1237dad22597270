/* SPDX-License-Identifier: MIT */
/* json/json_scan - strings, numbers and binaries of JSON, in and out; json.c and json_write.c do
 * the rest. */
#ifndef OBI_JSON_JSON_SCAN_H
#define OBI_JSON_JSON_SCAN_H

#include <outboard/value.h>

/* Text that is being read, and why it cannot be read on. */
struct obi_json_scan {
	const uint8_t *at;
	const uint8_t *end;
	struct ob_arena *arena;
	int code; /* OB_OK until something is wrong */
	const char *wrong;
};

/* Remember what is wrong. Returns false. */
static inline bool obi_json_refuse(struct obi_json_scan *scan, int code, const char *wrong)
{
	scan->code = code;
	scan->wrong = wrong;
	return false;
}

static inline bool obi_json_no_memory(struct obi_json_scan *scan)
{
	return obi_json_refuse(scan, OB_ENOMEM, "too much for the memory allowed");
}

/* Write a value member by member: a struct that is put together and then copied stalls the store
 * queue, at every value. */
static inline void obi_json_set(struct ob_value *ret, uint8_t type, uint32_t count)
{
	ret->type = type;
	memset(ret->zero, 0, sizeof ret->zero);
	ret->count = count;
}

/* The string whose opening quote is before `at`; `at` is behind the closing one then. It borrows
 * from the text unless it has escapes. */
bool obi_json_scan_string(struct obi_json_scan *scan, struct ob_value *ret);

/* The number that begins at `at` with a digit or '-'. */
bool obi_json_scan_number(struct obi_json_scan *scan, struct ob_value *ret);

/* How many of ',', ':', '[' and '{' are outside of strings. */
size_t obi_json_count_marks(const uint8_t *at, const uint8_t *end);

/* An object's only pair, under OBI_JSON_BINARY: *ret, which is that object, becomes a binary, or
 * its key loses its '$'. */
bool obi_json_read_binary(struct obi_json_scan *scan, struct ob_pair *pair, struct ob_value *ret);

/* Whether an object with this as its only key could be taken for a binary, or for one with a '$'
 * more. */
bool obi_json_is_binary_key(const struct ob_value *key);

/* Append {"$binary":"<base64>"}. */
bool obi_json_put_binary(const struct ob_value *binary, struct ob_sink *out);

/* Append text in quotes. Bad UTF-8: false when strict, else each bad byte becomes U+FFFD. A full
 * sink is false too. */
bool obi_json_put_string(struct ob_bytes text, bool strict, struct ob_sink *out);

/* Append the shortest digits that read back as d, which is finite; with a '.' or an exponent, so
 * that it stays a double. */
bool obi_json_put_double(double d, struct ob_sink *out);
bool obi_json_put_int(int64_t i, struct ob_sink *out);
bool obi_json_put_uint(uint64_t u, struct ob_sink *out);

#endif
