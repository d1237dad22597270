/* SPDX-License-Identifier: MIT */
/* Whose plugin files are trusted, by the facts. tests/cli/test_sandbox.py has them in real user
 * namespaces. */
#include "plugin/file_trust.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { ROOT = 0, US = 1000, OTHER = 1001, NOBODY = 65534 };

static void an_owner_is_judged_by_what_the_numbers_mean(void **state)
{
	static const struct {
		const char *what;
		/* owner, euid, overflow, root_is_unmapped, proven */
		struct obi_owner_facts facts;
		enum obi_owner is;
	} table[] = {
	    {"root", {ROOT, US, NOBODY, false, false}, OBI_OWNER_TRUSTED},
	    {"root inside", {ROOT, US, NOBODY, true, false}, OBI_OWNER_TRUSTED},
	    {"we", {US, US, NOBODY, false, false}, OBI_OWNER_TRUSTED},
	    {"we, inside", {US, US, NOBODY, true, false}, OBI_OWNER_TRUSTED},
	    {"somebody", {OTHER, US, NOBODY, false, false}, OBI_OWNER_OTHER},
	    {"somebody inside", {OTHER, US, NOBODY, true, false}, OBI_OWNER_OTHER},
	    {"the user nobody", {NOBODY, US, NOBODY, false, false}, OBI_OWNER_OTHER},
	    {"unmapped", {NOBODY, US, NOBODY, true, false}, OBI_OWNER_UNMAPPED},
	    {"unmapped, other number", {77, US, 77, true, false}, OBI_OWNER_UNMAPPED},
	    {"other number in use", {NOBODY, US, 77, true, false}, OBI_OWNER_OTHER},
	    /* We have no number ourselves, so it does not say that a file is ours. */
	    {"maybe we", {NOBODY, NOBODY, NOBODY, true, false}, OBI_OWNER_UNMAPPED},
	    {"we indeed", {NOBODY, NOBODY, NOBODY, true, true}, OBI_OWNER_TRUSTED},
	    {"we, nobody", {NOBODY, NOBODY, NOBODY, false, true}, OBI_OWNER_TRUSTED},
	    {"not we", {NOBODY, NOBODY, NOBODY, false, false}, OBI_OWNER_OTHER},
	};
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		print_message("%s\n", table[i].what);
		assert_int_equal(obi_owner_of_facts(&table[i].facts), table[i].is);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_owner_is_judged_by_what_the_numbers_mean),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
