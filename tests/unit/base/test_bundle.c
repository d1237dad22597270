/* SPDX-License-Identifier: MIT */
/* The bundle that a command of runc starts. */
#include "base/bundle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { WORDS = 8 };

static void the_bundle_is_told_by_the_arguments(void **state)
{
	static const struct {
		const char *argv[WORDS];
		const char *bundle; /* NULL: none */
	} table[] = {
	    {{"runc", "run", "--preserve-fds", "1", "--bundle", "/b", "name"}, "/b"},
	    {{"runc", "--root", "/r", "run", "-b", "/b", "name"}, "/b"},
	    {{"/usr/sbin/runc", "create", "--bundle=/b", "name"}, "/b"},
	    {{"crun", "run", "--bundle", "b", "name"}, "b"},
	    {{"runc", "run", "name"}, "."},
	    {{"runc", "delete", "--force", "name"}, NULL},
	    {{"runc", "run", "--bundle"}, "."},
	    {{"podman", "run", "--bundle", "/b"}, NULL},
	    {{NULL}, NULL},
	};
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		print_message("%zu\n", i);
		const char *bundle = obi_bundle_of(table[i].argv);
		if (table[i].bundle == NULL) {
			assert_null(bundle);
		} else {
			assert_string_equal(bundle, table[i].bundle);
		}
	}
}

static void what_is_no_regular_file_is_not_read(void **state)
{
	size_t len = 1;
	(void)state;
	assert_null(obi_bundle_read("/dev/zero", &len));
	assert_null(obi_bundle_read("/proc/self", &len));
	assert_null(obi_bundle_read("/no/such/file", &len));
	assert_int_equal(len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_bundle_is_told_by_the_arguments),
	    cmocka_unit_test(what_is_no_regular_file_is_not_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
