/* SPDX-License-Identifier: MIT */
/* Users and groups by name and by number. */
#include "process/user.h"

#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/expect.h"

static void numbers_need_no_account(void **state)
{
	uint32_t id = 7;
	struct ob_error err;
	(void)state;
	expect(obi_user_number("4294967294", &id, &err), OB_OK, &err, NULL);
	assert_true(id == UINT32_MAX - 1);
	expect(obi_group_number("0", &id, &err), OB_OK, &err, NULL);
	assert_int_equal(id, 0);
}

static void what_is_no_number_is_a_name(void **state)
{
	/* The first is -1, which means "no id". */
	static const char *const bad[] = {"4294967295", "99999999999999999999", "12x", "-1",
					  "",		"no such account",	"/"};
	uint32_t id;
	struct ob_error err;
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		expect(obi_user_number(bad[i], &id, &err), OB_EINVAL, &err, bad[i]);
		expect(obi_group_number(bad[i], &id, &err), OB_EINVAL, &err, bad[i]);
	}
	expect(obi_user_number("root", &id, &err), OB_OK, &err, NULL);
	assert_int_equal(id, 0);
}

static void the_user_of_the_options_is_ours_by_default(void **state)
{
	struct ob_connector_options options = {.size = sizeof options};
	struct obi_user user;
	struct ob_error err;
	(void)state;
	expect(obi_spawn_user(&options, &user, &err), OB_OK, &err, NULL);
	assert_true(user.uid == geteuid() && user.gid == getegid() && !user.change);
	options.user = "4000000";
	options.group = "4000001";
	expect(obi_spawn_user(&options, &user, &err), OB_OK, &err, NULL);
	assert_true(user.uid == 4000000 && user.gid == 4000001 && user.change);
	options.group = "no such group";
	expect(obi_spawn_user(&options, &user, &err), OB_EINVAL, &err, "no such group");
}

static void run_as_is_whom_the_child_is_and_not_the_command(void **state)
{
	const struct ob_run_as as = {4000000, 4000001};
	struct ob_connector_options options = {.size = sizeof options};
	struct obi_user user;
	struct ob_error err;
	(void)state;
	expect(obi_child_user(&options, &user, &err), OB_OK, &err, NULL);
	assert_true(user.uid == geteuid() && user.gid == getegid() && !user.change);
	options.run_as = &as;
	expect(obi_child_user(&options, &user, &err), OB_OK, &err, NULL);
	assert_true(user.uid == 4000000 && user.gid == 4000001 && user.change);
	expect(obi_spawn_user(&options, &user, &err), OB_OK, &err, NULL);
	assert_true(user.uid == geteuid() && !user.change);
}

static void a_user_without_an_account_has_one_group(void **state)
{
	struct obi_arena arena;
	const gid_t *groups;
	size_t count;
	struct ob_error err;
	(void)state;
	obi_arena_init(&arena, 1 << 20);
	expect(obi_user_groups("4000000", 4000001, &arena, &groups, &count, &err), OB_OK, &err,
	       NULL);
	assert_int_equal(count, 1);
	assert_int_equal(groups[0], 4000001);
	expect(obi_user_groups("root", 0, &arena, &groups, &count, &err), OB_OK, &err, NULL);
	assert_true(count >= 1 && groups[0] == 0);
	obi_arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(numbers_need_no_account),
	    cmocka_unit_test(what_is_no_number_is_a_name),
	    cmocka_unit_test(the_user_of_the_options_is_ours_by_default),
	    cmocka_unit_test(run_as_is_whom_the_child_is_and_not_the_command),
	    cmocka_unit_test(a_user_without_an_account_has_one_group),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
