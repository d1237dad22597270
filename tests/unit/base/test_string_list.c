/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/string_list.h"

static void assert_list(char **list, const char *const *want)
{
	size_t n = 0;
	assert_non_null(list);
	for (; want[n] != NULL; n++) {
		assert_non_null(list[n]);
		assert_string_equal(list[n], want[n]);
	}
	assert_null(list[n]);
	obi_string_list_free(list);
}

static void split_leaves_out_empty_parts(void **unused)
{
	(void)unused;
	assert_list(obi_string_list_split("a,bc,d", ','), (const char *[]){"a", "bc", "d", NULL});
	assert_list(obi_string_list_split(":/x y::/z:", ':'), (const char *[]){"/x y", "/z", NULL});
	assert_list(obi_string_list_split("", ','), (const char *[]){NULL});
	assert_list(obi_string_list_split(",,", ','), (const char *[]){NULL});
}

static void join_puts_the_text_between_the_strings(void **unused)
{
	(void)unused;
	const char *const lists[][4] = {{NULL}, {"a", NULL}, {"a", "", "bc", NULL}};
	const char *const want[] = {"", "a", "a; ; bc"};
	for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
		char *text = obi_string_list_join(lists[i], "; ");
		assert_string_equal(text, want[i]);
		free(text);
	}
	char *text = obi_string_list_join(NULL, ",");
	assert_string_equal(text, "");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(split_leaves_out_empty_parts),
	    cmocka_unit_test(join_puts_the_text_between_the_strings),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
