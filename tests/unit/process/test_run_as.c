/* SPDX-License-Identifier: MIT */
/* Whom a child can be. */
#include "process/run_as.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { ROOT = 0, US = 1000, OTHER = 1234 };

static void is_refused_where_it_cannot_be(void **state)
{
	static const struct {
		struct ob_run_as as;
		struct obi_run_as_facts facts; /* euid, own_group, has_uid, has_gid, other_user */
		const char *why;	       /* NULL: it can be */
	} table[] = {
	    {{OTHER, OTHER}, {ROOT, false, true, true, false}, NULL},
	    {{ROOT, ROOT}, {ROOT, true, true, true, false}, NULL},
	    {{US, US}, {US, true, true, true, false}, NULL},
	    {{OTHER, US}, {US, true, true, true, false}, "only root can give the data directory"},
	    {{ROOT, US}, {US, true, true, true, false}, "only root can give the data directory"},
	    {{US, OTHER}, {US, false, true, true, false}, "none of the supervisor's groups"},
	    {{OTHER, OTHER}, {ROOT, false, true, true, true}, "excludes user and group"},
	    {{100000, 100000}, {ROOT, false, false, true, false}, "its uid has no number"},
	    {{OTHER, 100000}, {ROOT, false, true, false, false}, "its gid has no number"},
	    {{UINT32_MAX, 0}, {ROOT, true, true, true, false}, "must be below"},
	    {{0, UINT32_MAX}, {ROOT, true, true, true, false}, "must be below"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		const char *why = obi_run_as_fault(&table[i].as, &table[i].facts);
		print_message("%zu: %s\n", i, why != NULL ? why : "fine");
		assert_true((why == NULL) == (table[i].why == NULL));
		assert_true(why == NULL || strstr(why, table[i].why) != NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(is_refused_where_it_cannot_be),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
