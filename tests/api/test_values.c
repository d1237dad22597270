/* SPDX-License-Identifier: MIT */
/* Values of an application: arenas, JSON and durations. */
#include <outboard/outboard.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/expect.h"

static struct ob_arena *arena;

static int set_up(void **state)
{
	(void)state;
	return ob_arena_new(1 << 20, &arena, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	ob_arena_free(arena);
	return 0;
}

/* ---- Arenas ---- */

static void an_arena_gives_no_more_than_its_budget(void **state)
{
	size_t total = 0;
	void *piece;
	(void)state;
	while ((piece = ob_arena_alloc(arena, 1000)) != NULL) {
		memset(piece, 'x', 1000);
		total += 1000;
	}
	assert_in_range(total, 900 * 1000, (1 << 20) + 4096);
	ob_arena_reset(arena);
	assert_non_null(ob_arena_alloc(arena, 1000));
	ob_arena_free(NULL);
}

/* ---- JSON ---- */

static int parse(const char *text, const struct ob_json_options *options, struct ob_value *ret,
		 struct ob_error *err)
{
	return ob_value_from_json(ob_bytes_text(text), options, arena, ret, err);
}

static void json_comes_back_as_it_was(void **state)
{
	static const char text[] = "{\"b\":[1,1.0,-2.5,18446744073709551615],\"a\":null,"
				   "\"text\":\"\xc3\xa4\\n\",\"no\":false,\"empty\":{}}";
	struct ob_error err;
	struct ob_value value;
	struct ob_bytes written;
	(void)state;
	expect(parse(text, NULL, &value, &err), OB_OK, &err, NULL);
	assert_int_equal(value.count, 5);
	expect(ob_value_to_json(&value, NULL, arena, &written, &err), OB_OK, &err, NULL);
	assert_string_equal((const char *)written.data, text);
	assert_int_equal(written.len, strlen(text));
}

static void a_long_text_is_written_whole(void **state)
{
	struct ob_error err;
	struct ob_builder b;
	struct ob_value value, again;
	struct ob_bytes written;
	int64_t last = -1;
	(void)state;
	ob_builder_init(&b, arena);
	ob_build_array(&b);
	for (int i = 0; i < 5000; i++) {
		ob_build_int(&b, i);
	}
	ob_build_end(&b);
	assert_int_equal(ob_builder_finish(&b, &value), OB_OK);
	expect(ob_value_to_json(&value, NULL, arena, &written, &err), OB_OK, &err, NULL);
	expect(ob_value_from_json(written, NULL, arena, &again, &err), OB_OK, &err, NULL);
	assert_int_equal(again.count, 5000);
	assert_true(ob_get_int(ob_value_at(&again, 4999), &last));
	assert_int_equal(last, 4999);
}

static void options_say_what_is_accepted(void **state)
{
	struct ob_json_options options = {.size = sizeof options, .depth = 2};
	struct ob_error err;
	struct ob_value value;
	(void)state;
	expect(parse("[[1]]", &options, &value, &err), OB_OK, &err, NULL);
	expect(parse("[[[1]]]", &options, &value, &err), OB_ETOOBIG, &err, NULL);
	expect(parse("{\"a\":1,\"a\":2}", NULL, &value, &err), OB_EPROTO, &err, NULL);
	options.flags = OB_JSON_KEEP_DUPLICATES;
	expect(parse("{\"a\":1,\"a\":2}", &options, &value, &err), OB_OK, &err, NULL);
	options.flags = OB_JSON_BINARY;
	expect(parse("{\"$binary\":\"AP8=\"}", &options, &value, &err), OB_OK, &err, NULL);
	assert_int_equal(value.type, OB_BINARY);
	assert_int_equal(value.count, 2);
	options.depth = 513;
	expect(parse("1", &options, &value, &err), OB_EINVAL, &err, "depth above 512");
	options.depth = 0;
	options.flags = 4;
	expect(parse("1", &options, &value, &err), OB_EINVAL, &err, "unknown flags");
}

static void values_that_cannot_be_written_are_errors(void **state)
{
	struct ob_error err;
	struct ob_bytes written;
	struct ob_value value = ob_double(INFINITY);
	struct ob_arena *small;
	(void)state;
	expect(ob_value_to_json(&value, NULL, arena, &written, &err), OB_EINVAL, &err, NULL);
	assert_int_equal(ob_arena_new(0, &small, NULL), OB_OK);
	char *text = calloc(1, 20000);
	memset(text, 'x', 19999);
	value = ob_string(text);
	expect(ob_value_to_json(&value, NULL, small, &written, &err), OB_ENOMEM, &err, NULL);
	free(text);
	ob_arena_free(small);
}

/* ---- Durations ---- */

static void durations_are_read_and_written(void **state)
{
	char text[32], little[3];
	int64_t ms = 0;
	struct ob_error err;
	(void)state;
	expect(ob_duration_parse("1m30s", &ms, &err), OB_OK, &err, NULL);
	assert_int_equal(ms, 90000);
	expect(ob_duration_parse("1.5s", &ms, &err), OB_OK, &err, NULL);
	assert_int_equal(ms, 1500);
	expect(ob_duration_parse("0", &ms, &err), OB_EINVAL, &err, NULL);
	expect(ob_duration_parse("", &ms, &err), OB_EINVAL, &err, NULL);
	ob_duration_format(90000, text, sizeof text);
	assert_string_equal(text, "1m30s");
	ob_duration_format(-1, text, sizeof text);
	assert_string_equal(text, "none");
	ob_duration_format(90000, little, sizeof little);
	assert_string_equal(little, "1m");
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(an_arena_gives_no_more_than_its_budget),
	    TEST(json_comes_back_as_it_was),
	    TEST(a_long_text_is_written_whole),
	    TEST(options_say_what_is_accepted),
	    TEST(values_that_cannot_be_written_are_errors),
	    TEST(durations_are_read_and_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
