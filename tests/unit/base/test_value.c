/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka wants those first */
#include <cmocka.h>

#include "base/value.h"

static struct obi_arena arena;
static struct obi_arena other;

static int setup(void **state)
{
	(void)state;
	obi_arena_init(&arena, 1 << 20);
	obi_arena_init(&other, 1 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	obi_arena_free(&arena);
	obi_arena_free(&other);
	return 0;
}

static int build(struct ob_value *ret, const char *format, ...)
{
	struct ob_builder builder;
	va_list args;
	ob_builder_init(&builder, &arena.ob);
	va_start(args, format);
	obi_build_format(&builder, format, args);
	va_end(args);
	return ob_builder_finish(&builder, ret);
}

static void builds_every_piece(void **state)
{
	struct ob_value tree, in = ob_string("inner");
	const struct ob_value *at;
	struct ob_bytes bytes;
	uint64_t u = 0;
	int64_t i = 0;
	double d = 0;
	bool b = false;
	(void)state;
	assert_int_equal(
	    build(&tree,
		  "{s:n, s:b, s:i, s:I, s:U, S:d, s:s, s:S, s:B, s:[i,i], s:{}, s:v, s:s, s:v}",
		  "n", "b", 3, "i", -5, "I", INT64_MIN, "U", UINT64_MAX, "dxx", (size_t)1, 1.5, "s",
		  "text", "S", "ab\0c", (size_t)4, "B", "\xff\0", (size_t)2, "a", 1, 2, "m", "v",
		  &in, "null", NULL, "nov", NULL),
	    OB_OK);
	assert_int_equal(tree.type, OB_MAP);
	assert_int_equal(tree.count, 14);
	assert_non_null(ob_value_find(&tree, "n"));
	assert_true(ob_is_nil(ob_value_find(&tree, "n")));
	assert_true(ob_get_bool(ob_value_find(&tree, "b"), &b) && b);
	assert_true(ob_get_int(ob_value_find(&tree, "i"), &i) && i == -5);
	assert_true(ob_get_int(ob_value_find(&tree, "I"), &i) && i == INT64_MIN);
	assert_true(ob_get_uint(ob_value_find(&tree, "U"), &u) && u == UINT64_MAX);
	assert_true(ob_get_double(ob_value_find(&tree, "d"), &d) && d == 1.5);
	assert_true(ob_get_string(ob_value_find(&tree, "s"), &bytes) && ob_bytes_is(bytes, "text"));
	assert_true(ob_get_string(ob_value_find(&tree, "S"), &bytes) && bytes.len == 4);
	at = ob_value_find(&tree, "B");
	assert_int_equal(at->type, OB_BINARY);
	assert_true(ob_get_binary(at, &bytes) && bytes.len == 2);
	at = ob_value_find(&tree, "a");
	assert_true(at->count == 2 && ob_get_int(ob_value_at(at, 1), &i) && i == 2);
	assert_int_equal(ob_value_find(&tree, "m")->type, OB_MAP);
	assert_true(ob_get_string(ob_value_find(&tree, "v"), &bytes) &&
		    ob_bytes_is(bytes, "inner"));
	assert_int_equal(ob_value_find(&tree, "null")->type, OB_NIL);
	assert_int_equal(ob_value_find(&tree, "nov")->type, OB_NIL);
}

static void misuse_is_an_error_and_not_a_tree(void **state)
{
	struct ob_value tree = ob_int(77);
	(void)state;
	assert_int_equal(build(&tree, ""), OB_EINVAL);
	assert_int_equal(build(&tree, "x"), OB_EINVAL);
	assert_int_equal(build(&tree, "n n"), OB_EINVAL);
	assert_int_equal(build(&tree, "[n"), OB_EINVAL);
	assert_int_equal(build(&tree, "n]"), OB_EINVAL);
	assert_int_equal(build(&tree, "[n}"), OB_EINVAL);
	assert_int_equal(build(&tree, "{n]"), OB_EINVAL);
	assert_int_equal(build(&tree, "{s}", "a"), OB_EINVAL);
	assert_int_equal(build(&tree, "{i:i}", 1, 2), OB_EINVAL);
	assert_int_equal(build(&tree, "{s:i}", NULL, 2), OB_EINVAL);
	assert_int_equal(build(&tree, "[[[[[[[[[[[[[[[[[[[[[[[[[n]]]]]]]]]]]]]]]]]]]]]]]]]"),
			 OB_ETOOBIG);
	assert_int_equal(tree.as.integer, 77);
}

static void a_copy_shares_nothing(void **state)
{
	char text[] = "changes";
	uint8_t raw[] = {1, 2};
	struct ob_value tree, copied;
	(void)state;
	assert_int_equal(
	    build(&tree, "[s, B, {s:[s,d]}, [], {}]", text, raw, sizeof raw, text, text, 2.5),
	    OB_OK);
	assert_int_equal(obi_value_copy(&tree, &other, &copied), OB_OK);
	assert_true(obi_value_equal(&tree, &copied));
	text[0] = 'C';
	assert_false(obi_value_equal(&tree, &copied));
	text[0] = 'c';
	raw[1] = 3;
	assert_false(obi_value_equal(&tree, &copied));
}

static void equal_means_type_content_and_order(void **state)
{
	static const char *const differ[] = {"n", "[n]", "[n,n]", "{}", "[]", "[[]]", "[{}]"};
	struct ob_value a, b;
	(void)state;
	for (size_t i = 0; i < sizeof differ / sizeof differ[0]; i++) {
		for (size_t k = 0; k < sizeof differ / sizeof differ[0]; k++) {
			assert_int_equal(build(&a, differ[i]), OB_OK);
			assert_int_equal(build(&b, differ[k]), OB_OK);
			assert_int_equal(obi_value_equal(&a, &b), i == k);
		}
	}
	assert_int_equal(build(&a, "{s:i,s:i}", "a", 1, "b", 2), OB_OK);
	assert_int_equal(build(&b, "{s:i,s:i}", "b", 2, "a", 1), OB_OK);
	assert_false(obi_value_equal(&a, &b));
	a = ob_double(1);
	b = ob_int(1);
	assert_false(obi_value_equal(&a, &b));
	a = ob_stringn("a", 1);
	b = ob_binary("a", 1);
	assert_false(obi_value_equal(&a, &b));
}

static void too_deep_or_too_much_is_refused(void **state)
{
	struct ob_value deep[OB_DEPTH_MAX + 1], copied, big = ob_stringn(NULL, 0);
	struct obi_arena small;
	(void)state;
	deep[0] = ob_array(NULL, 0);
	for (int i = 1; i <= OB_DEPTH_MAX; i++) {
		deep[i] = ob_array(&deep[i - 1], 1);
	}
	assert_int_equal(obi_value_copy(&deep[OB_DEPTH_MAX - 1], &other, &copied), OB_OK);
	assert_int_equal(obi_value_copy(&deep[OB_DEPTH_MAX], &other, &copied), OB_ETOOBIG);
	obi_arena_init(&small, 64);
	big.count = 100000;
	big.as.string = calloc(1, big.count);
	assert_int_equal(obi_value_copy(&big, &small, &copied), OB_ENOMEM);
	free((void *)(uintptr_t)big.as.string);
	obi_arena_free(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(builds_every_piece),
	    cmocka_unit_test(misuse_is_an_error_and_not_a_tree),
	    cmocka_unit_test(a_copy_shares_nothing),
	    cmocka_unit_test(equal_means_type_content_and_order),
	    cmocka_unit_test(too_deep_or_too_much_is_refused),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
