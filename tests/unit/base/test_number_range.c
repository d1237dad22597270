/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/number_range.h"

static void ranges_are_read(void **state)
{
	static const struct {
		const char *text;
		struct obi_number_range want;
		bool of_cids;
	} table[] = {
	    {"20000-20999", {20000, 20999}, false},
	    {"1-65535", {1, 65535}, false},
	    {"80", {80, 80}, false},
	    {"7-7", {7, 7}, false},
	    {"100-999", {100, 999}, true},
	    {"3-65538", {3, 65538}, true},
	    {"4294967294", {4294967294, 4294967294}, true},
	};
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct obi_number_range got = {0};
		print_message("%s\n", table[i].text);
		assert_int_equal((table[i].of_cids ? obi_range_of_cids
						   : obi_range_of_ports)(table[i].text, &got, NULL),
				 OB_OK);
		assert_int_equal(got.first, table[i].want.first);
		assert_int_equal(got.last, table[i].want.last);
	}
}

static void what_is_no_range_is_refused(void **state)
{
	static const char *const bad[] = {"",	   "-",	    "1-",	   "-1",
					  "0",	   "0-9",   "9-1",	   "1-65536",
					  "65536", "1,2",   " 1",	   "1 ",
					  "1-2-3", "a",	    "+1",	   "01",
					  "1-02",  "1 - 2", "99999999999", "18446744073709551617"};
	static const char *const bad_cids[] = {"2", "0-5", "3-65539", "4294967295", "4294967299"};
	struct obi_number_range got = {7, 7};
	struct ob_error err;
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		print_message("%s\n", bad[i]);
		assert_int_equal(obi_range_of_ports(bad[i], &got, &err), OB_EINVAL);
		assert_string_equal(err.text,
				    "must be a range from 1 to 65535, such as \"20000-20999\"");
	}
	for (size_t i = 0; i < sizeof bad_cids / sizeof bad_cids[0]; i++) {
		print_message("%s\n", bad_cids[i]);
		assert_int_equal(obi_range_of_cids(bad_cids[i], &got, &err), OB_EINVAL);
	}
	assert_int_equal(got.first, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ranges_are_read),
	    cmocka_unit_test(what_is_no_range_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
