/* SPDX-License-Identifier: MIT */
/* Why a text is refused, and where: for people who wrote it by hand. */
#include "json/json.h"

#include "base/arena.h"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void expect(struct ob_bytes text, size_t offset, const char *reason)
{
	struct obi_arena arena;
	struct obi_json_fault fault = {SIZE_MAX, NULL};
	const struct obi_json_limits limits = {.depth = 8, .fault = &fault};
	struct ob_value value;
	struct ob_error err;
	char want[sizeof err.text];
	obi_arena_init(&arena, 1 << 20);
	assert_true(obi_json_parse(text, &arena.ob, &limits, &value, &err) < 0);
	assert_string_equal(fault.reason, reason);
	assert_int_equal(fault.offset, offset);
	snprintf(want, sizeof want, "JSON, byte %zu: %s", offset, reason);
	assert_string_equal(err.text, want);
	obi_arena_free(&arena);
}

static void what_people_write_has_a_reason_of_its_own(void **unused)
{
	(void)unused;
	static const char comment[] = "not a value: JSON has no comments";
	static const char quotes[] = "not a value: strings are in double quotes";
	static const struct {
		const char *text;
		size_t offset;
		const char *reason;
	} table[] = {
	    {"", 0, "the text is empty"},
	    {" ", 1, "unexpected end"},
	    {"{\"a\":1,}", 6, "trailing comma"},
	    {"[1, \n\t ]", 2, "trailing comma"},
	    {"[[1],]", 4, "trailing comma"},
	    {"[,]", 1, "not a value"},
	    {"{,}", 1, "a key is missing"},
	    {"{\"a\":}", 5, "not a value"},
	    {"[1,,2]", 3, "not a value"},
	    {"[1]]", 3, "unexpected text after the value"},
	    {"[1],", 3, "unexpected text after the value"},
	    {"]", 0, "not a value"},
	    {"// x\n{}", 0, comment},
	    {"{ # x", 2, comment},
	    {"{\"a\" /* x */:1}", 5, comment},
	    {"[1 // x\n]", 3, comment},
	    {"{} // x", 3, comment},
	    {"{'a':1}", 1, quotes},
	    {"['a']", 1, quotes},
	    {"{a:1}", 1, "a key is missing"},
	    {"[1 2]", 3, "',' is missing"},
	    {"{\"a\" 1}", 5, "':' is missing"},
	    {"[\"a/]", 5, "a string without a closing quote"},
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		expect(ob_bytes_text(table[i].text), table[i].offset, table[i].reason);
	}
}

/* Where it begins, not where the reader saw that it is wrong. */
static void a_number_and_an_escape_have_their_places(void **unused)
{
	(void)unused;
	expect(ob_bytes_text("[0123]"), 1, "a number with a leading 0");
	expect(ob_bytes_text("[-01]"), 1, "a number with a leading 0");
	expect(ob_bytes_text("[1e999]"), 1, "a number too large for a double");
	expect(ob_bytes_text("[\"ab\\qc\"]"), 4, "unknown escape");
	expect(ob_bytes_text("[\"ab\\ud800c\"]"), 4, "a lone surrogate");
	expect(ob_bytes_text("[\"\\ud800\\u0041\"]"), 2, "a lone surrogate");
}

static void marks_and_other_encodings_are_named(void **unused)
{
	(void)unused;
	static const char mark16[] =
	    "begins with a byte order mark of UTF-16: save it as UTF-8 without one";
	expect(ob_bytes_text("\xef\xbb\xbf{}"), 0,
	       "begins with a byte order mark: save it as UTF-8 without one");
	expect(ob_bytes_of("\xff\xfe{\0}\0", 6), 0, mark16);
	expect(ob_bytes_of("\xfe\xff\0{\0}", 6), 0, mark16);
	expect(ob_bytes_of("{\0}\0", 4), 1, "a NUL byte: save the text as UTF-8");
	expect(ob_bytes_text("\xef\xbb"), 0, "not a value");
	expect(ob_bytes_text("[\xef\xbb\xbf]"), 1, "not a value");
}

static void the_place_of_a_duplicate_is_the_second_key(void **unused)
{
	(void)unused;
	static const char reason[] = "duplicate key in an object";
	char many[512] = "{";
	expect(ob_bytes_text("{\"a\":1,\"a\":2}"), 7, reason);
	expect(ob_bytes_text("{\"a\":1,\"b\":{\"c\":1,\"d\":2,\"c\":3}}"), 24, reason);
	expect(ob_bytes_text("{\"\":1,\"\":2}"), 6, reason);
	/* One with escapes is not in the text: then it is the end of the object. */
	expect(ob_bytes_text("{\"a\":1,\"\\u0061\":2 }"), 18, reason);
	for (int i = 0; i < 40; i++) {
		snprintf(many + strlen(many), 16, "\"%02d\":0,", i);
	}
	size_t second = strlen(many);
	snprintf(many + second, 16, "\"07\":1}");
	expect(ob_bytes_text(many), second, reason);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_people_write_has_a_reason_of_its_own),
	    cmocka_unit_test(a_number_and_an_escape_have_their_places),
	    cmocka_unit_test(marks_and_other_encodings_are_named),
	    cmocka_unit_test(the_place_of_a_duplicate_is_the_second_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
