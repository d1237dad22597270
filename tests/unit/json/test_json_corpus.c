/* SPDX-License-Identifier: MIT */
/* Texts that a JSON reader must accept (y), or must refuse (n). Cases that RFC 8259 leaves open
 * are decided here too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka wants those first */
#include <cmocka.h>

#include "base/arena.h"
#include "json/json.h"

struct text {
	const char *name;
	struct ob_bytes bytes;
};

#define T(name, literal)                                             \
	{                                                            \
		name,                                                \
		{                                                    \
			(const uint8_t *)literal, sizeof literal - 1 \
		}                                                    \
	}

static const struct text yes[] = {
    T("y_lone_null", "null"),
    T("y_lone_true", "true"),
    T("y_lone_false", "false"),
    T("y_lone_string", "\"asd\""),
    T("y_lone_empty_string", "\"\""),
    T("y_lone_int", "42"),
    T("y_lone_negative", "-0.1"),
    T("y_space_around", " \t\r\n[ ]\n\t "),
    T("y_array_empty", "[]"),
    T("y_array_of_empty", "[[],{},[[]],\"\"]"),
    T("y_array_several_nulls", "[1,null,null,null,2]"),
    T("y_array_space_everywhere", "[ 1 ,\n2\t,\r3 ]"),
    T("y_object_empty", "{}"),
    T("y_object_empty_key", "{\"\":0}"),
    T("y_object_basic", "{\"a\":1,\"b\":[2],\"c\":{\"d\":null}}"),
    T("y_object_space_everywhere", "{ \"a\" : 1 ,\n\"b\"\t:\r2 }"),
    T("y_object_nul_in_key", "{\"a\\u0000b\":1,\"a\\u0000c\":2}"),
    T("y_object_keys_differ_in_case", "{\"a\":1,\"A\":2}"),
    T("y_object_same_key_in_two_objects", "[{\"a\":1},{\"a\":1}]"),
    T("y_object_same_key_in_inner", "{\"a\":{\"a\":1}}"),
    T("y_number_0", "0"),
    T("y_number_minus_0", "-0"),
    T("y_number_minus_0_point_0", "-0.0"),
    T("y_number_0e1", "0e1"),
    T("y_number_0e_plus_1", "0E+1"),
    T("y_number_1e5", "1E5"),
    T("y_number_1e_minus_2", "1e-2"),
    T("y_number_fraction_exponent", "123.456e78"),
    T("y_number_int64_min", "-9223372036854775808"),
    T("y_number_uint64_max", "18446744073709551615"),
    T("y_number_bigger_than_uint64", "18446744073709551616"),
    T("y_number_smaller_than_int64", "-9223372036854775809"),
    T("y_number_many_digits", "123456789012345678901234567890.123456789012345678901234567890"),
    T("y_number_largest_double", "1.7976931348623157e308"),
    T("y_number_underflows_to_0", "1e-999"),
    T("y_number_huge_negative_exponent", "1e-99999999999999999999"),
    T("y_number_0_huge_exponent", "0e99999999999999999999"),
    T("y_string_all_escapes", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\""),
    T("y_string_escaped_nul", "\"\\u0000\""),
    T("y_string_surrogate_pair", "\"\\ud83d\\ude00\""),
    T("y_string_two_pairs", "\"\\uD800\\uDC00\\uDBFF\\uDFFF\""),
    T("y_string_hex_case", "\"\\u00eA\\u00Ea\""),
    T("y_string_noncharacter", "\"\\uffff\\ufdd0\""),
    T("y_string_del", "\"\x7f\""),
    T("y_string_utf8", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""),
    T("y_string_utf8_edges", "\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"
			     "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\""),
    T("y_string_line_separator", "\"\xe2\x80\xa8\""),
    T("y_string_slash_unescaped", "\"/\""),
    T("y_string_escaped_quote_at_end", "\"\\\"\""),
    T("y_string_escaped_backslash_at_end", "\"\\\\\""),
    T("y_depth_24", "[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]"),
};

static const struct text no[] = {
    T("n_nothing", ""),
    T("n_space_only", " "),
    T("n_nul", "\0"),
    T("n_bom", "\xef\xbb\xbf{}"),
    T("n_word", "nul"),
    T("n_word_case", "True"),
    T("n_word_longer", "nulls"),
    T("n_two_values", "1 2"),
    T("n_two_objects", "{}{}"),
    T("n_trailing_text", "{\"a\":1} x"),
    T("n_trailing_comma", "{},"),
    T("n_trailing_nul", "{}\0"),
    T("n_trailing_bracket", "[]]"),
    T("n_comment", "[1/*x*/]"),
    T("n_line_comment", "[1]//x"),
    T("n_form_feed_as_space", "[\f]"),
    T("n_vertical_tab_as_space", "[\v]"),
    T("n_no_break_space", "[\xc2\xa0]"),
    T("n_array_open", "["),
    T("n_array_open_value", "[1"),
    T("n_array_open_comma", "[1,"),
    T("n_array_comma_end", "[1,]"),
    T("n_array_comma_begin", "[,1]"),
    T("n_array_comma_only", "[,]"),
    T("n_array_two_commas", "[1,,2]"),
    T("n_array_no_comma", "[1 2]"),
    T("n_array_colon", "[1:2]"),
    T("n_array_closed_by_brace", "[1}"),
    T("n_close_first", "]"),
    T("n_object_open", "{"),
    T("n_object_open_key", "{\"a\""),
    T("n_object_open_colon", "{\"a\":"),
    T("n_object_open_value", "{\"a\":1"),
    T("n_object_open_comma", "{\"a\":1,"),
    T("n_object_comma_end", "{\"a\":1,}"),
    T("n_object_comma_begin", "{,\"a\":1}"),
    T("n_object_two_commas", "{\"a\":1,,\"b\":2}"),
    T("n_object_no_colon", "{\"a\" 1}"),
    T("n_object_no_value", "{\"a\":}"),
    T("n_object_no_key", "{:1}"),
    T("n_object_number_key", "{1:1}"),
    T("n_object_bare_key", "{a:1}"),
    T("n_object_single_quotes", "{'a':1}"),
    T("n_object_closed_by_bracket", "{\"a\":1]"),
    T("n_object_two_values", "{\"a\":1 2}"),
    T("n_object_equal_sign", "{\"a\"=1}"),
    T("n_object_duplicate", "{\"a\":1,\"a\":1}"),
    T("n_object_duplicate_by_escape", "{\"a\":1,\"\\u0061\":2}"),
    T("n_object_duplicate_empty", "{\"\":1,\"b\":2,\"\":3}"),
    T("n_object_duplicate_inside", "[{\"x\":{\"k\":1,\"j\":2,\"k\":3}}]"),
    T("n_number_plus", "+1"),
    T("n_number_leading_0", "01"),
    T("n_number_minus_leading_0", "-01"),
    T("n_number_00", "00"),
    T("n_number_minus", "-"),
    T("n_number_minus_minus", "--1"),
    T("n_number_minus_space", "- 1"),
    T("n_number_point_first", ".5"),
    T("n_number_minus_point", "-.5"),
    T("n_number_point_last", "1."),
    T("n_number_point_exponent", "1.e5"),
    T("n_number_two_points", "1.2.3"),
    T("n_number_exponent_empty", "1e"),
    T("n_number_exponent_plus", "1e+"),
    T("n_number_exponent_point", "1e5.5"),
    T("n_number_exponent_twice", "1e5e5"),
    T("n_number_1e999", "1e999"),
    T("n_number_minus_1e999", "-1e999"),
    T("n_number_huge_exponent", "1e99999999999999999999"),
    T("n_number_hex", "0x1"),
    T("n_number_underscore", "1_000"),
    T("n_number_inf", "Infinity"),
    T("n_number_minus_inf", "-Infinity"),
    T("n_number_nan", "NaN"),
    T("n_number_letter_behind", "1a"),
    T("n_number_full_width", "\xef\xbc\x91"),
    T("n_string_open", "\""),
    T("n_string_open_text", "\"abc"),
    T("n_string_open_long", "\"abcdefghijklmnopqrstuvwxyz"),
    T("n_string_ends_in_backslash", "\"\\"),
    T("n_string_escaped_end", "\"\\\""),
    T("n_string_single_quotes", "'a'"),
    T("n_string_raw_newline", "\"a\nb\""),
    T("n_string_raw_tab", "\"a\tb\""),
    T("n_string_raw_nul", "\"a\0b\""),
    T("n_string_raw_1f", "\"12345678\x1f\""),
    T("n_string_escape_a", "\"\\a\""),
    T("n_string_escape_x", "\"\\x41\""),
    T("n_string_escape_quote", "\"\\'\""),
    T("n_string_escape_capital_u", "\"\\U0041\""),
    T("n_string_escape_nul", "\"\\\0\""),
    T("n_string_escape_newline", "\"\\\n\""),
    T("n_string_escape_utf8", "\"\\\xc3\xa9\""),
    T("n_string_u_short", "\"\\u12\""),
    T("n_string_u_short_at_end", "\"\\u123"),
    T("n_string_u_bad_digit", "\"\\u12g4\""),
    T("n_string_u_sign", "\"\\u+123\""),
    T("n_string_lone_high", "\"\\ud800\""),
    T("n_string_lone_low", "\"\\udc00\""),
    T("n_string_high_text", "\"\\ud800abcdef\""),
    T("n_string_high_high", "\"\\ud800\\ud800\""),
    T("n_string_high_newline", "\"\\ud800\\n\""),
    T("n_string_high_short_low", "\"\\ud800\\udc\""),
    T("n_string_low_high", "\"\\udc00\\ud800\""),
    T("n_utf8_stray_continuation", "\"\x80\""),
    T("n_utf8_overlong_2", "\"\xc0\xaf\""),
    T("n_utf8_overlong_c1", "\"\xc1\xbf\""),
    T("n_utf8_overlong_3", "\"\xe0\x9f\xbf\""),
    T("n_utf8_overlong_4", "\"\xf0\x8f\xbf\xbf\""),
    T("n_utf8_surrogate", "\"\xed\xa0\x80\""),
    T("n_utf8_above_10ffff", "\"\xf4\x90\x80\x80\""),
    T("n_utf8_f5", "\"\xf5\x80\x80\x80\""),
    T("n_utf8_ff", "\"\xff\""),
    T("n_utf8_cut_by_quote", "\"\xe2\x82\""),
    T("n_utf8_cut_by_end", "\"\xf0\x9f\x98"),
    T("n_utf8_latin1", "\"caf\xe9\""),
    T("n_utf8_in_key", "{\"\xff\":1}"),
    T("n_utf16", "\xff\xfe[\0]\0"),
    T("n_depth_25", "[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]"),
};

static int parse(const struct text *text, struct ob_error *reterr)
{
	struct obi_arena arena;
	struct ob_value value;
	/* An exact copy on the heap, so that a sanitizer finds a read beyond the end. */
	uint8_t *copy = malloc(text->bytes.len > 0 ? text->bytes.len : 1);
	assert_non_null(copy);
	memcpy(copy, text->bytes.data, text->bytes.len);
	obi_arena_init(&arena, 1 << 20);
	int rc =
	    obi_json_parse(ob_bytes_of(copy, text->bytes.len), &arena.ob, NULL, &value, reterr);
	obi_arena_free(&arena);
	free(copy);
	return rc;
}

static void takes_every_y(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
		struct ob_error err = {0};
		int rc = parse(&yes[i], &err);
		if (rc != OB_OK) {
			fail_msg("%s: %s", yes[i].name, err.text);
		}
	}
}

static void refuses_every_n(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
		struct ob_error err = {0};
		int rc = parse(&no[i], &err);
		if (rc != OB_EPROTO && !(rc == OB_ETOOBIG && strstr(no[i].name, "depth") != NULL)) {
			fail_msg("%s: result %d", no[i].name, rc);
		}
		assert_int_equal(err.code, rc);
		assert_non_null(strstr(err.text, "JSON, byte "));
	}
}

/* Every prefix of a good text is bad, unless it is a number or ends in white space. */
static void refuses_every_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
		struct text cut = yes[i];
		if (strchr("[{\"", cut.bytes.data[0]) == NULL) {
			continue;
		}
		while (cut.bytes.len-- > 0) {
			assert_int_not_equal(parse(&cut, NULL), OB_OK);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(takes_every_y),
	    cmocka_unit_test(refuses_every_n),
	    cmocka_unit_test(refuses_every_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
