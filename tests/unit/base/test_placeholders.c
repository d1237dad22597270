/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/placeholders.h"

static struct obi_arena arena;
static struct obi_placeholders names;

static int set_up(void **state)
{
	(void)state;
	obi_arena_init(&arena, 1 << 20);
	assert_int_equal(obi_placeholders_init(&names, "web", "/srv/a b", &arena, NULL), OB_OK);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	obi_arena_free(&arena);
	return 0;
}

static void placeholders_are_replaced(void **state)
{
	static const struct {
		const char *text, *plain, *uri;
	} table[] = {
	    {"", "", ""},
	    {"plain", "plain", "plain"},
	    {"${name}", "web", "web"},
	    {"a${name}${name}b", "awebwebb", "awebwebb"},
	    {"${data_path}", "/srv/a b", "/srv/a%20b"},
	    {"unix://${data_path}/x", "unix:///srv/a b/x", "unix:///srv/a%20b/x"},
	    {"${config}", "/srv/a b/outboard.json", "/srv/a%20b/outboard.json"},
	    {"${token_file}", "/srv/a b/token", "/srv/a%20b/token"},
	    {"$$", "$", "$"},
	    {"$$$", "$$", "$$"},
	    {"$${name}", "${name}", "${name}"},
	    {"$$${name}", "$web", "$web"},
	    {"$", "$", "$"},
	    {"$1 $HOME $(ls) }{", "$1 $HOME $(ls) }{", "$1 $HOME $(ls) }{"},
	    /* Not known yet. */
	    {"tcp://[::1]:${port}", "tcp://[::1]:${port}", "tcp://[::1]:${port}"},
	    {"${cid}", "${cid}", "${cid}"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		const char *got = NULL;
		print_message("%s\n", table[i].text);
		assert_int_equal(obi_placeholders_text(&names, table[i].text, 0, &got, NULL),
				 OB_OK);
		assert_string_equal(got, table[i].plain);
		assert_int_equal(obi_placeholders_text(&names, table[i].text,
						       OBI_PLACEHOLDER_IN_URI, &got, NULL),
				 OB_OK);
		assert_string_equal(got, table[i].uri);
	}
	assert_int_equal(names.used, (1u << OBI_PLACEHOLDERS) - 1);
}

static void a_value_is_not_replaced_again(void **state)
{
	const char *got = NULL;
	(void)state;
	names.values[OBI_PLACEHOLDER_DATA_PATH] = "/${name}/$$";
	names.values[OBI_PLACEHOLDER_PORT] = "7";
	assert_int_equal(obi_placeholders_text(&names, "${data_path}:${port}", 0, &got, NULL),
			 OB_OK);
	assert_string_equal(got, "/${name}/$$:7");
	assert_int_equal(names.used, 1u << OBI_PLACEHOLDER_DATA_PATH | 1u << OBI_PLACEHOLDER_PORT);
}

static void anything_else_in_braces_is_a_fault(void **state)
{
	static const char *const table[][2] = {
	    {"${", "has \"${\" without \"}\": write \"$${\" if it is no placeholder"},
	    {"${name", "has \"${\" without \"}\": write \"$${\" if it is no placeholder"},
	    {"${}", "\"${}\" is not a placeholder: write \"$${}\" for the text"},
	    {"${NAME}", "\"${NAME}\" is not a placeholder: write \"$${NAME}\" for the text"},
	    {"${name }", "\"${name }\" is not a placeholder: write \"$${name }\" for the text"},
	    {"${1:-x}", "\"${1:-x}\" is not a placeholder: write \"$${1:-x}\" for the text"},
	    {"${${name}}", "\"${${name}\" is not a placeholder: write \"$${${name}\" for the text"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		const char *got;
		struct ob_error err;
		assert_int_equal(obi_placeholders_text(&names, table[i][0], 0, &got, &err),
				 OB_EINVAL);
		assert_string_equal(err.text, table[i][1]);
		assert_ptr_equal(got, table[i][0]);
	}
}

static void lists_are_replaced_as_a_whole(void **state)
{
	const char *const plain[] = {"a", "b", NULL}, *const some[] = {"a", "${name}", "", NULL},
			  *const bad[] = {"${name}", "${x}", NULL};
	const char *const *got;
	(void)state;
	assert_int_equal(obi_placeholders_list(&names, NULL, &got, NULL), OB_OK);
	assert_null(got);
	assert_int_equal(obi_placeholders_list(&names, plain, &got, NULL), OB_OK);
	assert_ptr_equal(got, plain);
	assert_int_equal(obi_placeholders_list(&names, some, &got, NULL), OB_OK);
	assert_ptr_equal(got[0], some[0]);
	assert_string_equal(got[1], "web");
	assert_string_equal(got[2], "");
	assert_null(got[3]);
	assert_int_equal(obi_placeholders_list(&names, bad, &got, NULL), OB_EINVAL);
	assert_ptr_equal(got, bad);
}

static void a_full_arena_is_no_crash(void **state)
{
	struct obi_arena small;
	struct obi_placeholders p;
	char path[8192];
	const char *got;
	(void)state;
	memset(path, 'x', sizeof path - 1);
	path[sizeof path - 1] = '\0';
	obi_arena_init(&small, 0);
	assert_int_equal(obi_placeholders_init(&p, "x", "/x", &small, NULL), OB_OK);
	p.values[OBI_PLACEHOLDER_DATA_PATH] = path;
	assert_int_equal(obi_placeholders_text(&p, "${data_path}", 0, &got, NULL), OB_ENOMEM);
	assert_int_equal(obi_placeholders_init(&p, "x", path, &small, NULL), OB_ENOMEM);
	obi_arena_free(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(placeholders_are_replaced, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_value_is_not_replaced_again, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(anything_else_in_braces_is_a_fault, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(lists_are_replaced_as_a_whole, set_up, tear_down),
	    cmocka_unit_test(a_full_arena_is_no_crash),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
