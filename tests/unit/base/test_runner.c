/* SPDX-License-Identifier: MIT */
/* What the arguments of commands that make a container mean. */
#include "base/runner.h"

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

static void a_program_is_known_by_its_name(void **state)
{
	const char *const path[] = {"/usr/bin/bwrap", NULL}, *const name[] = {"bwrap", NULL};
	(void)state;
	assert_string_equal(obi_runner_name(path), "bwrap");
	assert_string_equal(obi_runner_name(name), "bwrap");
	assert_string_equal(obi_runner_name(name + 1), "");
	assert_int_equal(obi_bwrap_arity("--unshare-all"), 0);
	assert_int_equal(obi_bwrap_arity("--tmpfs"), 1);
	assert_int_equal(obi_bwrap_arity("--bind"), 2);
	assert_int_equal(obi_bwrap_arity("--args"), -1);
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
	    cmocka_unit_test(a_program_is_known_by_its_name),
	    cmocka_unit_test(what_is_no_regular_file_is_not_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
