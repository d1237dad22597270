/* SPDX-License-Identifier: MIT */
/* The map of a user namespace: whom it knows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those first */
#include <cmocka.h>

#include "base/id_map.h"

#define ALL "         0          0 4294967295\n"

static void finds_ids(void **state)
{
	static const struct {
		const char *map;
		uint32_t id;
		bool has;
	} table[] = {
	    {ALL, 0, true},
	    {ALL, 4294967294, true},
	    {ALL, UINT32_MAX, false},
	    {"", 0, false}, /* a namespace without a map */
	    {"", 65534, false},
	    /* As bubblewrap makes it for user 1000. */
	    {"      1000       1000          1\n", 0, false},
	    {"      1000       1000          1\n", 1000, true},
	    {"      1000       1000          1\n", 1001, false},
	    /* Root inside is user 1000. */
	    {"         0       1000          1\n", 0, true},
	    {"         0       1000          1\n", 1000, false},
	    /* As containers have it. */
	    {"0 1000 1\n1 100000 65536\n", 65534, true},
	    {"0 1000 1\n1 100000 65536\n", 65537, false},
	    {"0 1000 1\n1 100000 65536\n", 165535, false},
	    {"0 1000 1\n1 100000 65536\n", 165536, false},
	    {"0 1000 1\n1 100000 65536", 100000, false},
	    /* A count that reaches beyond the last id does not begin anew. */
	    {"4294967290 4294967290 4294967295\n", 1, false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		print_message("%u in %s\n", table[i].id, table[i].map);
		assert_true(obi_id_map_has(table[i].map, table[i].id) == table[i].has);
	}
}

/* Where it cannot be told, everybody is known: nothing is trusted because of it. */
static void has_all_ids_where_it_is_unreadable(void **state)
{
	static const char *const maps[] = {
	    "x",       "1000",		 "1000 1000",	     "1000 1000 \n",
	    "1 1 1 1", "1000 1000 -1\n", "1 1 4294967296\n", "1000 1000 1\n\n",
	};
	(void)state;
	for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++) {
		print_message("%s\n", maps[i]);
		assert_true(obi_id_map_has(maps[i], 7));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(finds_ids),
	    cmocka_unit_test(has_all_ids_where_it_is_unreadable),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
