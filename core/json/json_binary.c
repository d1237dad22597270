/* SPDX-License-Identifier: MIT */
/* Binary in JSON: {"$binary":"<base64>"}. */
#include "json/json_scan.h"

static const char name[] = "binary";

bool obi_json_is_binary_key(const struct ob_value *key)
{
	uint32_t len = sizeof name - 1, dollars = key->count > len ? key->count - len : 0;
	for (uint32_t i = 0; i < dollars; i++) {
		if (key->as.string[i] != '$') {
			return false;
		}
	}
	return dollars > 0 && memcmp(key->as.string + dollars, name, len) == 0;
}

/* ---- Reading ---- */

/* The value of a base64 digit; 64 if it is not one. */
static uint32_t digit(char c)
{
	if (c >= 'A' && c <= 'Z') {
		return (uint32_t)(c - 'A');
	}
	if (c >= 'a' && c <= 'z') {
		return (uint32_t)(c - 'a') + 26;
	}
	if (c >= '0' && c <= '9') {
		return (uint32_t)(c - '0') + 52;
	}
	return c == '+' ? 62 : c == '/' ? 63 : 64;
}

/* Four digits, of which the last 4 - n are padding. False for other characters, or if unused
 * bits are set. */
static bool read_four(const char *from, uint32_t n, uint8_t *to)
{
	uint32_t bits = 0, wrong = 0;
	for (uint32_t i = 0; i < 4; i++) {
		uint32_t d = i < n ? digit(from[i]) : 0;
		wrong |= d & 64;
		bits = bits << 6 | (d & 63);
	}
	for (uint32_t i = 0; i + 1 < n; i++) {
		to[i] = (uint8_t)(bits >> (16 - 8 * i));
	}
	return wrong == 0 && (n == 4 || (bits & (n == 3 ? 0xffu : 0xffffu)) == 0);
}

/* The number of characters of text, a multiple of 4, without padding. */
static uint32_t without_padding(const struct ob_value *text)
{
	uint32_t n = text->count;
	n -= n > 0 && text->as.string[n - 1] == '=';
	n -= n > 0 && n < text->count && text->as.string[n - 1] == '=';
	return n;
}

static bool read_base64(struct obi_json_scan *scan, const struct ob_value *text,
			struct ob_value *ret)
{
	uint32_t digits = without_padding(text);
	uint8_t *data = ob_arena_alloc(scan->arena, (size_t)text->count / 4 * 3);
	bool good = text->count % 4 == 0;
	if (data == NULL) {
		return obi_json_no_memory(scan);
	}
	for (uint32_t at = 0; good && at < digits; at += 4) {
		good = read_four(text->as.string + at, digits - at < 4 ? digits - at : 4,
				 data + at / 4 * 3);
	}
	if (!good) {
		return obi_json_refuse(scan, OB_EPROTO, "$binary with invalid base64");
	}
	obi_json_set(ret, OB_BINARY, text->count / 4 * 3 - (text->count - digits));
	ret->as.binary = data;
	return true;
}

bool obi_json_read_binary(struct obi_json_scan *scan, struct ob_pair *pair, struct ob_value *ret)
{
	if (!obi_json_is_binary_key(&pair->key)) {
		return true;
	}
	if (pair->key.count > sizeof name) {
		pair->key.as.string++;
		pair->key.count--;
		return true;
	}
	if (pair->value.type != OB_STRING) {
		return obi_json_refuse(scan, OB_EPROTO, "$binary with invalid base64");
	}
	return read_base64(scan, &pair->value, ret);
}

/* ---- Writing ---- */

static void put_four(const uint8_t *data, size_t n, char *four)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t bits = (uint32_t)data[0] << 16;
	bits |= n > 1 ? (uint32_t)data[1] << 8 : 0;
	bits |= n > 2 ? (uint32_t)data[2] : 0;
	for (size_t i = 0; i < 4; i++) {
		four[i] = i <= n ? digits[bits >> (18 - 6 * i) & 63] : '=';
	}
}

bool obi_json_put_binary(const struct ob_value *binary, struct ob_sink *out)
{
	size_t len = binary->count, chars = (len + 2) / 3 * 4;
	bool good = ob_sink_text(out, "{\"$binary\":\"");
	char *to = good ? (char *)ob_sink_reserve(out, chars) : NULL;
	if (to == NULL) {
		return false;
	}
	for (size_t at = 0; at < len; at += 3, to += 4) {
		put_four(binary->as.binary + at, len - at < 3 ? len - at : 3, to);
	}
	ob_sink_commit(out, chars);
	return ob_sink_text(out, "\"}");
}
