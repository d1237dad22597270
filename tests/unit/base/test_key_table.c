/* SPDX-License-Identifier: MIT */
/* The table of embedded nodes: what is added is found, and costs little to find. */
#include "base/key_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { MANY = 5000 };

static struct obi_key_node nodes[MANY];

static void every_node_is_found_until_it_is_removed(void **unused)
{
	(void)unused;
	struct obi_key_table table = {0};
	for (uint64_t i = 0; i < MANY; i++) {
		assert_null(obi_key_find(&table, i * i));
		obi_key_add(&table, &nodes[i], i * i);
	}
	for (uint64_t i = 0; i < MANY; i++) {
		assert_ptr_equal(obi_key_find(&table, i * i), &nodes[i]);
		assert_null(obi_key_again(&nodes[i]));
	}
	for (uint64_t i = 0; i < MANY; i += 2) {
		obi_key_remove(&table, &nodes[i]);
	}
	for (uint64_t i = 0; i < MANY; i++) {
		assert_ptr_equal(obi_key_find(&table, i * i), i % 2 == 0 ? NULL : &nodes[i]);
	}
	assert_int_equal(table.used, MANY / 2);
	obi_key_table_free(&table);
}

static void nodes_of_one_key_are_all_found(void **unused)
{
	(void)unused;
	struct obi_key_table table = {0};
	bool seen[20] = {false};
	int count = 0;
	for (uint64_t i = 0; i < 20; i++) {
		obi_key_add(&table, &nodes[i], 7);
	}
	for (struct obi_key_node *n = obi_key_find(&table, 7); n != NULL; n = obi_key_again(n)) {
		assert_false(seen[n - nodes]);
		seen[n - nodes] = true;
		count++;
	}
	assert_int_equal(count, 20);
	obi_key_table_free(&table);
}

static void a_walk_meets_every_node_once(void **unused)
{
	(void)unused;
	struct obi_key_table table = {0};
	static bool seen[MANY];
	int count = 0;
	assert_null(obi_key_next(&table, NULL));
	for (uint64_t i = 0; i < MANY; i++) {
		obi_key_add(&table, &nodes[i], i / 2);
	}
	struct obi_key_node *n = obi_key_next(&table, NULL);
	while (n != NULL) {
		struct obi_key_node *next = obi_key_next(&table, n);
		assert_false(seen[n - nodes]);
		seen[n - nodes] = true;
		count++;
		obi_key_remove(&table, n);
		n = next;
	}
	assert_int_equal(count, MANY);
	assert_int_equal(table.used, 0);
	obi_key_table_free(&table);
}

/* The longest chain says what the worst search costs: keys that count up, that are multiples of a
 * power of two, and that differ in their high half only. */
static void chains_stay_short(void **unused)
{
	(void)unused;
	const unsigned shifts[] = {0, 4, 12, 32, 40};
	for (size_t k = 0; k < sizeof shifts / sizeof shifts[0]; k++) {
		struct obi_key_table table = {0};
		for (uint64_t i = 0; i < MANY; i++) {
			obi_key_add(&table, &nodes[i], i << shifts[k]);
		}
		for (uint32_t i = 0; i < table.room; i++) {
			int length = 0;
			for (struct obi_key_node *n = table.buckets[i]; n != NULL; n = n->next) {
				length++;
			}
			assert_in_range(length, 0, 16);
		}
		obi_key_table_free(&table);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_node_is_found_until_it_is_removed),
	    cmocka_unit_test(nodes_of_one_key_are_all_found),
	    cmocka_unit_test(a_walk_meets_every_node_once),
	    cmocka_unit_test(chains_stay_short),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
