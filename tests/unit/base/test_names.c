/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/names.h"

static void names_of_children_plugins_and_schemes_are_checked(void **unused)
{
	(void)unused;
	char name[66];
	memset(name, 'a', sizeof name);
	assert_true(obi_name_is_child(ob_bytes_of(name, 64)));
	assert_false(obi_name_is_child(ob_bytes_of(name, 65)));
	assert_true(obi_name_is_child(ob_bytes_text("A-z_0.9")));
	assert_true(obi_name_is_child(ob_bytes_text("a.state.x")));
	const char *bad[] = {"",	".",   "..",  ".a",	  "...", ".state",
			     "a.state", "a/b", "a b", "\xc3\xa9", "a\n"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_false(obi_name_is_child(ob_bytes_text(bad[i])));
	}
	assert_true(obi_name_is_plugin(ob_bytes_of(name, 31)));
	assert_false(obi_name_is_plugin(ob_bytes_of(name, 32)));
	assert_true(obi_name_is_plugin(ob_bytes_text("a-b_9")));
	assert_false(obi_name_is_plugin(ob_bytes_text("9a")));
	assert_false(obi_name_is_plugin(ob_bytes_text("a.so")));
	assert_false(obi_name_is_plugin(ob_bytes_of("a\0b", 3)));
	assert_true(obi_name_is_claim(ob_bytes_of(name, 63)));
	assert_false(obi_name_is_claim(ob_bytes_of(name, 64)));
	assert_false(obi_name_is_claim(ob_bytes_text("")));
	assert_true(obi_name_is_claim(ob_bytes_text(".A-z_0.9")));
	assert_false(obi_name_is_claim(ob_bytes_text("a=b")));
	assert_true(obi_name_is_scheme(ob_bytes_text("a+b.c-9")));
	assert_false(obi_name_is_scheme(ob_bytes_text("a_b")));
	assert_false(obi_name_is_scheme(ob_bytes_text("+a")));
}

static void the_state_of_a_child_is_found_by_its_name(void **unused)
{
	char path[32];
	(void)unused;
	assert_true(obi_state_path("/var/x", "web", path, sizeof path));
	assert_string_equal(path, "/var/x/.state/web");
	assert_true(obi_state_path("/", "web", path, sizeof path));
	assert_string_equal(path, "/.state/web");
	assert_true(obi_state_path("/var/x", "", path, sizeof path));
	assert_string_equal(path, "/var/x/.state/");
	assert_true(obi_state_path("/var/x", "web", path, sizeof "/var/x/.state/web"));
	assert_false(obi_state_path("/var/x", "web", path, sizeof "/var/x/.state/web" - 1));
	assert_string_equal(path, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_state_of_a_child_is_found_by_its_name),
	    cmocka_unit_test(names_of_children_plugins_and_schemes_are_checked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
