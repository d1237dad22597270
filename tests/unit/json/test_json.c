/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka wants those first */
#include <cmocka.h>

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "base/arena.h"
#include "base/buf.h"
#include "json/json.h"
#include "json/json_skim.h"
#include "base/value.h"

static struct obi_arena arena;
static struct obi_buf buf;

static int setup(void **state)
{
	(void)state;
	obi_arena_init(&arena, 64 << 20);
	obi_buf_init(&buf, 64 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	obi_arena_free(&arena);
	obi_buf_free(&buf);
	return 0;
}

static struct ob_value parse(const char *text)
{
	struct ob_value value = ob_nil();
	struct ob_error err = {0};
	if (obi_json_parse(ob_bytes_text(text), &arena.ob, NULL, &value, &err) != OB_OK) {
		fail_msg("%s: %s", text, err.text);
	}
	return value;
}

/* The written text, valid until the next call. */
static const char *write_text(struct ob_value value)
{
	struct ob_error err = {0};
	obi_buf_consume(&buf, obi_buf_len(&buf));
	if (obi_json_write(&value, obi_buf_sink(&buf), &err) != OB_OK) {
		fail_msg("%s", err.text);
	}
	ob_sink_byte(obi_buf_sink(&buf), '\0');
	return (const char *)obi_buf_bytes(&buf).data;
}

static void order_integers_and_text_are_preserved(void **state)
{
	static const char *const table[] = {
	    "null",
	    "true",
	    "[]",
	    "{}",
	    "[[],{},[{}]]",
	    "{\"z\":1,\"a\":2,\"m\":{\"y\":[1,2,3],\"b\":null}}",
	    "9223372036854775807",
	    "-9223372036854775808",
	    "18446744073709551615",
	    "0",
	    "-1",
	    "1.0",
	    "-0.0",
	    "0.1",
	    "100.0",
	    "1e+300",
	    "5e-324",
	    "1.7976931348623157e+308",
	    "0.30000000000000004",
	    "123456789012345.0",
	    "1234567890123456.0",
	    "1e+22",
	    "\"plain\"",
	    "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\"",
	    "\"caf\xc3\xa9 \xf0\x9f\x98\x80\"",
	    "\"12345678\\n12345678\"",
	    "{\"$binary\":\"QQ==\",\"$$binary\":1}",
	};
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		assert_string_equal(write_text(parse(table[i])), table[i]);
	}
}

static void integers_keep_their_kind(void **state)
{
	(void)state;
	assert_int_equal(parse("9223372036854775807").type, OB_INT);
	assert_int_equal(parse("9223372036854775808").type, OB_UINT);
	assert_true(parse("9223372036854775808").as.uinteger == UINT64_C(9223372036854775808));
	assert_int_equal(parse("18446744073709551615").type, OB_UINT);
	assert_int_equal(parse("18446744073709551616").type, OB_DOUBLE);
	assert_true(parse("18446744073709551616").as.number == 18446744073709551616.0);
	assert_int_equal(parse("-9223372036854775809").type, OB_DOUBLE);
	assert_int_equal(parse("1.0").type, OB_DOUBLE);
	assert_int_equal(parse("1e0").type, OB_DOUBLE);
	assert_int_equal(parse("-0").type, OB_INT);
	assert_true(signbit(parse("-0.0").as.number));
}

static void escapes_become_the_characters(void **state)
{
	struct ob_value v = parse("\"\\u0041\\u00e9\\u20ac\\ud83d\\ude00\\u0000\\/x\"");
	static const char want[] = "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\0/x";
	(void)state;
	assert_int_equal(v.count, sizeof want - 1);
	assert_memory_equal(v.as.string, want, sizeof want - 1);
}

static void strings_without_escapes_are_borrowed(void **state)
{
	static const char text[] = "[\"plain caf\xc3\xa9 text of some length\"]";
	struct ob_value v = parse(text);
	(void)state;
	assert_ptr_equal(ob_value_at(&v, 0)->as.string, text + 2);
}

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* The number of significant digits in "0.001200", "12.0" or "1.2e+20": those of 12. */
static int significant(const char *text)
{
	int n = 0, zeros = 0;
	for (; *text != '\0' && *text != 'e'; text++) {
		if (*text >= '0' && *text <= '9' && (n > 0 || *text != '0')) {
			zeros = *text == '0' ? zeros + 1 : 0;
			n++;
		}
	}
	return n - zeros;
}

static void check_double(double d)
{
	const char *text = write_text(ob_double(d));
	struct ob_value back = parse(text);
	char shorter[40];
	int n = significant(text);
	assert_int_equal(back.type, OB_DOUBLE);
	assert_true(back.as.number == d);
	assert_true(strtod(text, NULL) == d);
	if (n > 1) {
		snprintf(shorter, sizeof shorter, "%.*e", n - 2, d);
		assert_true(strtod(shorter, NULL) != d);
	}
}

static void doubles_read_back_the_same(void **state)
{
	uint64_t seed = 88172645463325252U;
	(void)state;
	for (int i = 0; i < 200000; i++) {
		uint64_t bits = next_random(&seed);
		double d;
		memcpy(&d, &bits, sizeof d);
		if (isfinite(d)) {
			check_double(d);
		}
		check_double((double)(bits % 100000000) / 1000);
		obi_arena_reset(&arena);
	}
	assert_string_equal(write_text(ob_double(0.1 + 0.2)), "0.30000000000000004");
	assert_string_equal(write_text(ob_double(2.5e-310)), "2.5e-310");
	assert_string_equal(write_text(ob_double(1e15)), "1e+15");
}

/* The reader against strtod() on decimal texts of all forms. */
static void doubles_are_read_as_the_nearest(void **state)
{
	uint64_t seed = 4101842887655102017U;
	(void)state;
	for (int i = 0; i < 200000; i++) {
		char text[96];
		uint64_t r = next_random(&seed), digits = next_random(&seed) >> (r % 64);
		int exponent = (int)(r >> 32) % 40;
		if (r & 64) {
			snprintf(text, sizeof text, "-%" PRIu64 ".%" PRIu64 "e%d", digits % 1000,
				 digits, exponent);
		} else {
			snprintf(text, sizeof text, "%" PRIu64 "e%d", digits, exponent);
		}
		assert_true(parse(text).as.number == strtod(text, NULL));
		obi_arena_reset(&arena);
	}
}

static void the_locale_is_ignored(void **state)
{
	static const char *const commas[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"};
	bool found = false;
	(void)state;
	for (size_t i = 0; i < sizeof commas / sizeof commas[0] && !found; i++) {
		found = setlocale(LC_NUMERIC, commas[i]) != NULL;
	}
	if (!found) {
		puts("SKIP: no locale with a decimal comma is installed");
		skip();
	}
	assert_string_equal(write_text(ob_double(0.30000000000000004)), "0.30000000000000004");
	assert_true(parse("1.2345678901234567890123e5").as.number == 123456.78901234567890123);
	setlocale(LC_NUMERIC, "C");
}

static void fault_86_control_characters_are_escaped(void **state)
{
	static const char text[] =
	    "a\x1b\x7f caf\xc3\xa9 \xc2\x9b \xd8\x9c \xe2\x80\xae \xe2\x81\xa6 "
	    "\xf0\x9f\x98\x80";
	(void)state;
	assert_string_equal(write_text(ob_string(text)),
			    "\"a\\u001b\\u007f caf\xc3\xa9 \\u009b \\u061c \\u202e \\u2066 "
			    "\xf0\x9f\x98\x80\"");
	struct ob_value again = parse(write_text(ob_string(text)));
	assert_true(ob_bytes_is(ob_bytes_of(again.as.string, again.count), text));
}

static void values_that_json_cannot_represent_are_refused(void **state)
{
	struct ob_value items[2] = {ob_int(1), ob_double(INFINITY)};
	struct ob_value bad[4] = {ob_double(NAN), ob_array(items, 2), ob_stringn("a\xff", 2),
				  ob_nil()};
	struct ob_value deep[OBI_VALUE_DEPTH_MAX + 1];
	uint8_t small[8];
	(void)state;
	bad[3].type = 99;
	for (size_t i = 0; i < 4; i++) {
		struct ob_error err = {0};
		obi_buf_consume(&buf, obi_buf_len(&buf));
		assert_int_equal(obi_json_write(&bad[i], obi_buf_sink(&buf), &err), OB_EINVAL);
		assert_non_null(strstr(err.text, "JSON cannot represent"));
	}
	struct ob_sink sink = ob_sink_fixed(small, sizeof small);
	struct ob_value text = ob_string("too long for eight");
	assert_int_equal(obi_json_write(&text, &sink, NULL), OB_ENOMEM);
	deep[0] = ob_array(NULL, 0);
	for (size_t i = 1; i <= OBI_VALUE_DEPTH_MAX; i++) {
		deep[i] = ob_array(&deep[i - 1], 1);
	}
	obi_buf_consume(&buf, obi_buf_len(&buf));
	assert_int_equal(obi_json_write(&deep[OBI_VALUE_DEPTH_MAX - 1], obi_buf_sink(&buf), NULL),
			 OB_OK);
	assert_int_equal(obi_json_write(&deep[OBI_VALUE_DEPTH_MAX], obi_buf_sink(&buf), NULL),
			 OB_ETOOBIG);
	deep[0] = ob_binary("", 0); /* for a reader, this is an object */
	assert_int_equal(obi_json_write(&deep[OBI_VALUE_DEPTH_MAX - 1], obi_buf_sink(&buf), NULL),
			 OB_OK);
	assert_int_equal(obi_json_write(&deep[OBI_VALUE_DEPTH_MAX], obi_buf_sink(&buf), NULL),
			 OB_ETOOBIG);
}

static void binary_is_base64(void **state)
{
	(void)state;
	assert_string_equal(write_text(ob_binary("", 0)), "{\"$binary\":\"\"}");
	assert_string_equal(write_text(ob_binary("f", 1)), "{\"$binary\":\"Zg==\"}");
	assert_string_equal(write_text(ob_binary("fo", 2)), "{\"$binary\":\"Zm8=\"}");
	assert_string_equal(write_text(ob_binary("foo", 3)), "{\"$binary\":\"Zm9v\"}");
	assert_string_equal(write_text(ob_binary("\xff\xfe\xfd\xfc", 4)),
			    "{\"$binary\":\"//79/A==\"}");
}

static void quote_accepts_any_bytes(void **state)
{
	static const char text[] = "a\xff\xe2\x82z\"\\\x01\xe2\x82\xac";
	struct ob_sink *sink = obi_buf_sink(&buf);
	(void)state;
	obi_buf_consume(&buf, obi_buf_len(&buf));
	assert_true(obi_json_quote(ob_bytes_of(text, sizeof text - 1), sink));
	ob_sink_byte(sink, '\0');
	assert_string_equal(
	    (const char *)obi_buf_bytes(&buf).data,
	    "\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\\\"\\\\\\u0001\xe2\x82\xac\"");
}

static void duplicates_are_kept_on_request(void **state)
{
	struct obi_json_limits keep = {.depth = 4, .flags = OBI_JSON_KEEP_DUPLICATES};
	struct ob_value v;
	(void)state;
	assert_int_equal(
	    obi_json_parse(ob_bytes_text("{\"a\":1,\"a\":2}"), &arena.ob, &keep, &v, NULL), OB_OK);
	assert_string_equal(write_text(v), "{\"a\":1,\"a\":2}");
}

static char *many_keys(size_t n, size_t twin)
{
	char *text = malloc(n * 24 + 3), *at = text;
	assert_non_null(text);
	*at++ = '{';
	for (size_t i = 0; i < n; i++) {
		at += sprintf(at, "%s\"key%zu\":%zu", i > 0 ? "," : "",
			      i == twin ? 0 : i * 7919 % n, i);
	}
	strcpy(at, "}");
	return text;
}

static void duplicates_among_many_keys_are_found(void **state)
{
	static const size_t sizes[] = {17, 18, 31, 32, 33, 1000};
	(void)state;
	for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
		for (size_t twin = 1; twin <= sizes[s]; twin += 1 + sizes[s] / 50) {
			char *text = many_keys(sizes[s], twin);
			struct ob_value v;
			int rc = obi_json_parse(ob_bytes_text(text), &arena.ob, NULL, &v, NULL);
			assert_int_equal(rc, twin < sizes[s] ? OB_EPROTO : OB_OK);
			free(text);
			obi_arena_reset(&arena);
		}
	}
}

static char *repeat(const char *begin, const char *piece, const char *end, size_t n)
{
	size_t len = strlen(piece);
	char *text = malloc(strlen(begin) + n * len + strlen(end) + 1);
	assert_non_null(text);
	char *at = stpcpy(text, begin);
	for (size_t i = 0; i < n; i++, at += len) {
		memcpy(at, piece, len);
	}
	strcpy(at, end);
	return text;
}

/* The total memory of an arena. */
struct meter {
	struct ob_arena ob;
	struct obi_arena *behind;
	size_t given;
};

static void *metered(struct ob_arena *ob, size_t size)
{
	struct meter *meter = (struct meter *)(void *)ob;
	meter->given += size;
	return ob_arena_alloc(&meter->behind->ob, size);
}

static void fault_28_memory_stays_in_proportion_to_the_text(void **state)
{
	static const struct {
		const char *begin, *piece, *end;
	} shapes[] = {
	    {"[0", ",0", "]"},
	    {"[[]", ",[]", "]"},
	    {"[[1]", ",[1]", "]"},
	    {"[{}", ",{}", "]"},
	    {"{\"\":0", ",\"\":0", "}"},
	    {"[\"\\n\"", ",\"\\n\"", "]"},
	    {"[{\"\":0}", ",{\"\":0}", "]"},
	    {"[1.", "1", "]"},
	    {"[[[0,0,0]]", ",[[0,0,0]]", "]"},
	    {"[\",:[{\"", ",\",:[{\"", "]"},
	    {"[{\"$binary\":\"\"}", ",{\"$binary\":\"AAAA\"}", "]"},
	    {"\"", "\\n", "\""},
	    {"\"", "[", "\""},
	};
	struct obi_json_limits keep = {.depth = OB_DEPTH_MAX,
				       .flags = OBI_JSON_KEEP_DUPLICATES | OBI_JSON_BINARY};
	(void)state;
	for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
		char *text = repeat(shapes[i].begin, shapes[i].piece, shapes[i].end, 200000);
		struct meter meter = {.ob = {.more = metered}, .behind = &arena};
		struct ob_value v;
		assert_int_equal(obi_json_parse(ob_bytes_text(text), &meter.ob, &keep, &v, NULL),
				 OB_OK);
		assert_true(meter.given <= 8 * strlen(text) + 4096);
		free(text);
		obi_arena_reset(&arena);
	}
}

static void fault_82_values_are_counted_to_the_limit(void **state)
{
	const struct {
		const char *text;
		uint32_t values;
	} texts[] = {{"1", 1},
		     {"[]", 1},
		     {"[1,\"x\",null]", 4},
		     {"{\"a\":1,\"b\":[[],{}]}", 7},
		     {"[[[[[[1]]]]]]", 7}};
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct obi_json_limits enough = {.depth = 8, .values = texts[i].values};
		struct obi_json_limits less = {.depth = 8, .values = texts[i].values - 1};
		struct ob_bytes text = ob_bytes_text(texts[i].text);
		struct ob_error err;
		struct ob_value v;
		assert_int_equal(obi_json_parse(text, &arena.ob, &enough, &v, NULL), OB_OK);
		if (less.values > 0) {
			assert_int_equal(obi_json_parse(text, &arena.ob, &less, &v, &err),
					 OB_ETOOBIG);
			assert_non_null(strstr(err.text, "too many values"));
		}
	}
}

static void fault_28_depth_costs_no_c_stack(void **state)
{
	struct obi_json_limits deep = {.depth = UINT32_MAX};
	size_t n = 500000;
	char *text = repeat("", "[", "", 2 * n);
	struct ob_value v;
	(void)state;
	memset(text + n, ']', n);
	assert_int_equal(obi_json_parse(ob_bytes_text(text), &arena.ob, &deep, &v, NULL), OB_OK);
	for (size_t i = 1; i < n; i++) {
		assert_int_equal(v.count, 1);
		v = v.as.items[0];
	}
	assert_int_equal(obi_json_parse(ob_bytes_text(text), &arena.ob, NULL, &v, NULL),
			 OB_ETOOBIG);
	free(text);
}

static void fault_28_a_full_arena_ends_it(void **state)
{
	struct obi_arena small;
	char *text = repeat("[0", ",0", "]", 100000);
	struct ob_value v = ob_int(7);
	(void)state;
	obi_arena_init(&small, 65536);
	assert_int_equal(obi_json_parse(ob_bytes_text(text), &small.ob, NULL, &v, NULL), OB_ENOMEM);
	assert_int_equal(v.as.integer, 7);
	obi_arena_free(&small);
	free(text);
}

/* ---- Binary ---- */

static const struct obi_json_limits wire = {.depth = OB_DEPTH_MAX, .flags = OBI_JSON_BINARY};

static const char *write_wire(struct ob_value value)
{
	obi_buf_consume(&buf, obi_buf_len(&buf));
	assert_int_equal(obi_json_write_as(&value, &wire, obi_buf_sink(&buf), NULL), OB_OK);
	ob_sink_byte(obi_buf_sink(&buf), '\0');
	return (const char *)obi_buf_bytes(&buf).data;
}

static void binary_reads_back_the_same(void **state)
{
	uint8_t bytes[256];
	(void)state;
	for (size_t i = 0; i < sizeof bytes; i++) {
		bytes[i] = (uint8_t)(i * 37 + 251);
	}
	for (size_t len = 0; len <= sizeof bytes; len++) {
		struct ob_value v = ob_binary(bytes, len), back;
		const char *text = write_wire(v);
		assert_int_equal(obi_json_parse(ob_bytes_text(text), &arena.ob, &wire, &back, NULL),
				 OB_OK);
		assert_true(obi_value_equal(&v, &back));
	}
}

/* Reads text and writes the value without the rule; NULL: refused. */
static const char *const binary_keys[][2] = {
    {"{\"$$binary\":1}", "{\"$binary\":1}"},
    {"{\"$$$binary\":{\"$$binary\":\"AA\"}}", "{\"$$binary\":{\"$binary\":\"AA\"}}"},
    {"{\"$$binary\":{\"$binary\":\"AAAA\"}}", "{\"$binary\":{\"$binary\":\"AAAA\"}}"},
    {"{\"$binary\":\"AAAA\",\"b\":1}", "{\"$binary\":\"AAAA\",\"b\":1}"},
    {"{\"$$binary\":1,\"b\":1}", "{\"$$binary\":1,\"b\":1}"},
    {"{\"$binaryx\":1}", "{\"$binaryx\":1}"},
    {"{\"x$binary\":1}", "{\"x$binary\":1}"},
    {"{\"binary\":1}", "{\"binary\":1}"},
    {"{\"$\":1}", "{\"$\":1}"},
    {"{\"\":1}", "{\"\":1}"},
    {"{\"\\u0024$binary\":1}", "{\"$binary\":1}"},
    {"{\"$binary\":1}", NULL},
    {"{\"$binary\":\"A\"}", NULL},
    {"{\"$binary\":\"AA\"}", NULL},
    {"{\"$binary\":\"AA=A\"}", NULL},
    {"{\"$binary\":\"A===\"}", NULL},
    {"{\"$binary\":\"====\"}", NULL},
    {"{\"$binary\":\"AA==AAAA\"}", NULL},
    {"{\"$binary\":\"AB==\"}", NULL}, /* unused bits are set */
    {"{\"$binary\":\"AAB=\"}", NULL},
    {"{\"$binary\":\"AA \\n\"}", NULL},
    {"{\"$binary\":\"AA-_\"}", NULL},
};

static void a_users_own_binary_key_gains_and_loses_a_dollar(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof binary_keys / sizeof binary_keys[0]; i++) {
		struct ob_value v, back;
		int r =
		    obi_json_parse(ob_bytes_text(binary_keys[i][0]), &arena.ob, &wire, &v, NULL);
		assert_int_equal(r, binary_keys[i][1] != NULL ? OB_OK : OB_EPROTO);
		if (r == OB_OK) {
			assert_string_equal(write_text(v), binary_keys[i][1]);
			const char *text = write_wire(v);
			assert_int_equal(
			    obi_json_parse(ob_bytes_text(text), &arena.ob, &wire, &back, NULL),
			    OB_OK);
			assert_true(obi_value_equal(&v, &back));
		}
	}
}

static void pieces_are_the_texts_of_items_and_members(void **state)
{
	static const char *const table[][4] = {
	    {" [1, \"a,\\\"]\" ,[2,{\"]\":3}] ] ", "1", "\"a,\\\"]\"", "[2,{\"]\":3}]"},
	    {"{\"a\":\"\" , \"b:\\\"\" : {\"c\":[]} , \"d\":1e5\n}", "\"\"", "{\"c\":[]}", "1e5"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct obi_json_pieces pieces = obi_json_pieces_of(ob_bytes_text(table[i][0]));
		for (int k = 1; k < 4; k++) {
			assert_true(ob_bytes_is(obi_json_piece_next(&pieces), table[i][k]));
		}
	}
}

static double cpu_seconds(const char *text)
{
	struct timespec from, to;
	struct ob_value v;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	obi_json_parse(ob_bytes_text(text), &arena.ob, NULL, &v, NULL);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
	obi_arena_reset(&arena);
	return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
}

/* A quadratic reader would take minutes for these. */
static void fault_28_time_is_linear(void **state)
{
	char *shapes[] = {many_keys(150000, SIZE_MAX), repeat("[1.", "1", "]", 3000000),
			  repeat("\"", "\\u0041", "\"", 500000), repeat("[", "[],", "0]", 1000000),
			  repeat("\"", "\xc3\xa9", "\"", 1000000)};
	(void)state;
	for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
		assert_true(cpu_seconds(shapes[i]) < 5);
		free(shapes[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(order_integers_and_text_are_preserved),
	    cmocka_unit_test(integers_keep_their_kind),
	    cmocka_unit_test(escapes_become_the_characters),
	    cmocka_unit_test(strings_without_escapes_are_borrowed),
	    cmocka_unit_test(doubles_read_back_the_same),
	    cmocka_unit_test(doubles_are_read_as_the_nearest),
	    cmocka_unit_test(the_locale_is_ignored),
	    cmocka_unit_test(fault_86_control_characters_are_escaped),
	    cmocka_unit_test(values_that_json_cannot_represent_are_refused),
	    cmocka_unit_test(binary_is_base64),
	    cmocka_unit_test(quote_accepts_any_bytes),
	    cmocka_unit_test(duplicates_are_kept_on_request),
	    cmocka_unit_test(duplicates_among_many_keys_are_found),
	    cmocka_unit_test(fault_28_memory_stays_in_proportion_to_the_text),
	    cmocka_unit_test(fault_82_values_are_counted_to_the_limit),
	    cmocka_unit_test(fault_28_depth_costs_no_c_stack),
	    cmocka_unit_test(fault_28_a_full_arena_ends_it),
	    cmocka_unit_test(fault_28_time_is_linear),
	    cmocka_unit_test(binary_reads_back_the_same),
	    cmocka_unit_test(a_users_own_binary_key_gains_and_loses_a_dollar),
	    cmocka_unit_test(pieces_are_the_texts_of_items_and_members),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
