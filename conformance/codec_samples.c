/* SPDX-License-Identifier: MIT */
/* Values that every codec must preserve: each type, and the edges where encodings change
 * form. */
#include "conformance/codec_trial.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

#define P53 (INT64_C(1) << 53)

static const int64_t integers[] = {
    0,	     1,	    -1,	       31,	  -32,		 -33,	       127,	      128,
    -128,    -129,  255,       256,	  32767,	 32768,	       -32768,	      -32769,
    65535,   65536, INT32_MAX, INT32_MIN, -2147483649LL, 2147483648LL, UINT32_MAX,    4294967296LL,
    P53 - 1, P53,   P53 + 1,   -P53 - 1,  INT64_MAX,	 INT64_MIN,    INT64_MIN + 1,
};

static const uint64_t large[] = {UINT64_C(1) << 63, (UINT64_C(1) << 63) + 1, UINT64_MAX - 1,
				 UINT64_MAX};

static const double doubles[] = {
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    0.1,
    -1.5,
    100.0,
    1e15,
    1e16,
    1e17,
    1e21,
    1e22,
    1e23,
    1e-5,
    1e-7,
    1e100,
    9007199254740993.0,
    0.3,
    DBL_MAX,
    -DBL_MAX,
    DBL_MIN,
    5e-324,
    DBL_EPSILON,
    3.4028234663852886e38,
    1.7976931348623157e308,
    123456789012345680.0,
    2.2250738585072011e-308,
    9223372036854775808.0,
    18446744073709551616.0,
};

#define TEXT(literal)                        \
	{                                    \
		literal, sizeof(literal) - 1 \
	}
static const struct {
	const char *text;
	size_t len;
} strings[] = {
    TEXT(""),
    TEXT("a"),
    TEXT("a\0b"),
    TEXT("\0"),
    TEXT("\"\\/\b\f\n\r\t\x01\x1f\x7f"),
    TEXT("\xc2\x80"),
    TEXT("\xdf\xbf"),
    TEXT("\xe0\xa0\x80"),
    TEXT("\xed\x9f\xbf"),
    TEXT("\xee\x80\x80"),
    TEXT("\xef\xbf\xbf"),
    TEXT("\xf0\x90\x80\x80"),
    TEXT("\xf0\x9f\x98\x80"),
    TEXT("\xf4\x8f\xbf\xbf"),
    TEXT("\xe2\x80\xa8\xe2\x80\xa9"),
    TEXT("\xef\xbb\xbf"),
    TEXT("{}"),
    TEXT("</script>"),
    TEXT("null"),
    TEXT("\\u0041"),
};

/* Names that have a meaning in some codec. */
static const char *const keys[] = {"",	     "k",	"$",  "$binary", "$$binary",	"$$$binary",
				   "binary", "jsonrpc", "id", "a.b",	 "\xe2\x82\xac"};

static const uint32_t sizes[] = {1, 15, 16, 31, 32, 255, 256, 65535, 65536};

enum { PLAIN = 3, SHAPES = 8 };
#define COUNT(array) (uint32_t)(sizeof(array) / sizeof(array)[0])

/* ---- Building ---- */

struct ob_value obi_codec_array(struct obi_codec_trial *trial, struct ob_value v, uint32_t n)
{
	struct ob_value *items = obi_codec_memory(trial, n * sizeof *items);
	for (uint32_t i = 0; i < n; i++) {
		items[i] = v;
	}
	return ob_array(items, n);
}

struct ob_value obi_codec_map(struct obi_codec_trial *trial, const char *key, struct ob_value v)
{
	struct ob_pair *pair = obi_codec_memory(trial, sizeof *pair);
	*pair = (struct ob_pair){ob_string(key), v};
	return ob_map(pair, 1);
}

struct ob_value obi_codec_nest(struct obi_codec_trial *trial, struct ob_value v, uint32_t depth,
			       bool mixed)
{
	for (uint32_t i = 0; i < depth; i++) {
		v = mixed && i % 2 == 0 ? obi_codec_map(trial, "k", v)
					: obi_codec_array(trial, v, 1);
	}
	return v;
}

struct ob_message obi_codec_request(struct ob_value params)
{
	return (struct ob_message){.size = sizeof(struct ob_message),
				   .kind = OB_REQUEST,
				   .id = {.number = 1},
				   .method = ob_bytes_text("x.y"),
				   .params = params};
}

/* n different keys, unsorted. */
static struct ob_value many_keys(struct obi_codec_trial *trial, uint32_t n)
{
	struct ob_pair *pairs = obi_codec_memory(trial, n * sizeof *pairs);
	for (uint32_t i = 0; i < n; i++) {
		char *key = obi_codec_memory(trial, 16);
		snprintf(key, 16, "%x", (i * 2654435761u) ^ 0x5bd1e995u);
		pairs[i] = (struct ob_pair){ob_string(key), ob_int(i)};
	}
	return ob_map(pairs, n);
}

/* n bytes of all values, or n letters. */
static struct ob_value filled(struct obi_codec_trial *trial, uint8_t type, uint32_t n)
{
	uint8_t *data = obi_codec_memory(trial, n);
	for (uint32_t i = 0; i < n; i++) {
		data[i] = (uint8_t)(type == OB_STRING ? 'a' + i % 26 : i * 7 + i / 256);
	}
	return type == OB_STRING ? ob_stringn((char *)data, n) : ob_binary(data, n);
}

/* ---- The samples ---- */

static struct ob_value shape(struct obi_codec_trial *trial, uint32_t i, const char **ret_name)
{
	static const char *const names[SHAPES] = {
	    "an empty array", "an empty map",	    "an empty binary",	"an array of arrays",
	    "a map in a map", "the deepest arrays", "the deepest maps", "a map of 3000 keys"};
	*ret_name = names[i];
	switch (i) {
	case 0:
		return ob_array(NULL, 0);
	case 1:
		return ob_map(NULL, 0);
	case 2:
		return ob_binary(NULL, 0);
	case 3:
		return obi_codec_array(trial, obi_codec_array(trial, ob_array(NULL, 0), 3), 20);
	case 4:
		return obi_codec_map(trial, "z", obi_codec_map(trial, "a", ob_map(NULL, 0)));
	case 5:
		return obi_codec_nest(trial, ob_nil(), OB_DEPTH_MAX - 1, false);
	case 6:
		return obi_codec_nest(trial, ob_double(-0.0), OB_DEPTH_MAX - 1, true);
	default:
		return many_keys(trial, 3000);
	}
}

static struct ob_value sized(struct obi_codec_trial *trial, uint32_t i, const char **ret_name)
{
	static const char *const names[] = {"a long string", "a long binary", "a long array"};
	uint32_t n = sizes[i / 3];
	*ret_name = names[i % 3];
	return i % 3 == 2 ? obi_codec_array(trial, ob_int(1000), n)
			  : filled(trial, i % 3 == 0 ? OB_STRING : OB_BINARY, n);
}

bool obi_codec_sample(struct obi_codec_trial *trial, uint32_t i, struct ob_value *ret,
		      const char **ret_name)
{
	static const char *const plain[PLAIN] = {"nil", "true", "false"};
	if (i < PLAIN) {
		*ret_name = plain[i];
		*ret = i == 0 ? ob_nil() : ob_bool(i == 1);
	} else if ((i -= PLAIN) < COUNT(integers)) {
		*ret_name = "an integer";
		*ret = ob_int(integers[i]);
	} else if ((i -= COUNT(integers)) < COUNT(large)) {
		*ret_name = "an integer above 2^63";
		*ret = ob_uint(large[i]);
	} else if ((i -= COUNT(large)) < COUNT(doubles)) {
		*ret_name = "a double";
		*ret = ob_double(doubles[i]);
	} else if ((i -= COUNT(doubles)) < COUNT(strings)) {
		*ret_name = "a string";
		*ret = ob_stringn(strings[i].text, strings[i].len);
	} else if ((i -= COUNT(strings)) < 2 * COUNT(keys)) {
		*ret_name = "a key";
		*ret =
		    obi_codec_map(trial, keys[i / 2], i % 2 == 0 ? ob_string("AAAA") : ob_int(1));
	} else if ((i -= 2 * COUNT(keys)) < 3 * COUNT(sizes)) {
		*ret = sized(trial, i, ret_name);
	} else if ((i -= 3 * COUNT(sizes)) < SHAPES) {
		*ret = shape(trial, i, ret_name);
	} else {
		return false;
	}
	return true;
}
