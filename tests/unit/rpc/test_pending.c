/* SPDX-License-Identifier: MIT */
/* The table of calls that wait for a reply. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "rpc/pending.h"

static int ended; /* calls that on_end() was called for */
static int last_code;

static void on_end(void *user, int code, const struct ob_value *value, const struct ob_error *err)
{
	(void)value;
	(void)err;
	ended++;
	last_code = code;
	if (user != NULL) {
		assert_non_null(obi_pending_add(user, INT64_MAX));
	}
}

static int setup(void **state)
{
	static struct obi_pending_table table;
	obi_pending_init(&table);
	ended = 0;
	*state = &table;
	return 0;
}

static int teardown(void **state)
{
	struct obi_pending *call;
	while ((call = obi_pending_take_any(*state)) != NULL) {
		obi_pending_give_back(*state, call);
	}
	obi_pending_free(*state);
	return 0;
}

static void each_call_has_an_id_of_its_own_and_is_found_by_it(void **state)
{
	enum { CALLS = 100 };
	struct obi_pending_table *table = *state;
	uint32_t ids[CALLS];
	assert_null(obi_pending_find(table, 1));
	for (uint32_t i = 0; i < CALLS; i++) {
		struct obi_pending *call = obi_pending_add(table, INT64_MAX);
		call->user = &ids[i];
		ids[i] = call->id;
	}
	assert_int_equal(table->used, CALLS);
	for (uint32_t i = 0; i < CALLS; i++) {
		assert_ptr_equal(obi_pending_find(table, ids[i])->user, &ids[i]);
	}
	assert_null(obi_pending_find(table, ids[CALLS - 1] + 1));
	assert_null(obi_pending_take(table, ids[0] + table->room)); /* the slot of ids[0] */
	obi_pending_give_back(table, obi_pending_take(table, ids[7]));
	assert_null(obi_pending_take(table, ids[7]));
	assert_int_equal(table->used, CALLS - 1);
}

static void an_id_that_is_still_in_use_is_skipped(void **state)
{
	struct obi_pending_table *table = *state;
	struct obi_pending *first = obi_pending_add(table, INT64_MAX);
	for (uint32_t i = 0; i < 3 * table->room; i++) {
		struct obi_pending *call = obi_pending_add(table, INT64_MAX);
		assert_int_not_equal(call->id % table->room, first->id % table->room);
		obi_pending_give_back(table, obi_pending_take(table, call->id));
	}
	assert_ptr_equal(obi_pending_find(table, first->id), first);
}

static void calls_are_due_at_their_deadline(void **state)
{
	struct obi_pending_table *table = *state;
	obi_pending_add(table, 300);
	uint32_t sooner = obi_pending_add(table, 100)->id;
	obi_pending_add(table, INT64_MAX);
	assert_int_equal(table->earliest, 100);
	assert_null(obi_pending_take_due(table, 99));
	struct obi_pending *due = obi_pending_take_due(table, 100);
	assert_int_equal(due->id, sooner);
	obi_pending_give_back(table, due);
	assert_null(obi_pending_take_due(table, 100));
	assert_int_equal(table->earliest, 300);
}

static void the_calls_of_one_owner_are_taken(void **state)
{
	struct obi_pending_table *table = *state;
	int mine, other;
	for (int i = 0; i < 6; i++) {
		obi_pending_add(table, INT64_MAX)->owner = i % 2 == 0 ? &mine : &other;
	}
	for (int i = 0; i < 3; i++) {
		struct obi_pending *call = obi_pending_take_owned(table, &mine);
		assert_ptr_equal(call->owner, &mine);
		obi_pending_give_back(table, call);
	}
	assert_null(obi_pending_take_owned(table, &mine));
	assert_int_equal(table->used, 3);
}

static void an_entry_is_used_again_without_its_old_content(void **state)
{
	struct obi_pending_table *table = *state;
	struct obi_pending *call = obi_pending_add(table, 5);
	call->fn = on_end;
	call->owner = table;
	obi_pending_end(table, obi_pending_take(table, call->id), OB_ETIMEDOUT, NULL, NULL);
	assert_int_equal(ended, 1);
	assert_int_equal(last_code, OB_ETIMEDOUT);
	struct obi_pending *again = obi_pending_add(table, INT64_MAX);
	assert_ptr_equal(again, call);
	assert_null(again->fn);
	assert_null(again->owner);
}

static void a_call_may_be_added_while_one_ends(void **state)
{
	struct obi_pending_table *table = *state;
	struct obi_pending *call = obi_pending_add(table, INT64_MAX);
	call->fn = on_end;
	call->user = table;
	obi_pending_end(table, obi_pending_take(table, call->id), OB_OK, NULL, NULL);
	assert_int_equal(table->used, 1);
	obi_pending_end(table, obi_pending_take_any(table), OB_OK, NULL, NULL); /* without fn */
	assert_int_equal(ended, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(each_call_has_an_id_of_its_own_and_is_found_by_it,
					    setup, teardown),
	    cmocka_unit_test_setup_teardown(an_id_that_is_still_in_use_is_skipped, setup, teardown),
	    cmocka_unit_test_setup_teardown(calls_are_due_at_their_deadline, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_calls_of_one_owner_are_taken, setup, teardown),
	    cmocka_unit_test_setup_teardown(an_entry_is_used_again_without_its_old_content, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(a_call_may_be_added_while_one_ends, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
