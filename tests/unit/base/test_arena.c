/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka wants those first */
#include <cmocka.h>

#include <stdio.h>

#include "base/arena.h"

enum { SMALL_MAX = 512, TEXTS = 100 };

static void little_takes_little(void **state)
{
	struct obi_arena small, ordinary;
	(void)state;
	obi_arena_init_small(&small, 1 << 20);
	obi_arena_init(&ordinary, 1 << 20);
	assert_int_equal(obi_arena_size(&small), 0);
	for (int round = 0; round < 3; round++) { /* also after it was freed */
		assert_string_equal(obi_arena_text(&small, "a text", 6), "a text");
		assert_non_null(obi_arena_text(&ordinary, "a text", 6));
		assert_true(obi_arena_size(&small) <= SMALL_MAX);
		assert_true(obi_arena_size(&ordinary) > SMALL_MAX);
		obi_arena_free(&small);
		obi_arena_free(&ordinary);
	}
}

static void much_fits_too(void **state)
{
	char text[TEXTS][SMALL_MAX], *copies[TEXTS];
	struct obi_arena small;
	size_t bytes = 0;
	(void)state;
	obi_arena_init_small(&small, 1 << 20);
	for (int i = 0; i < TEXTS; i++) {
		int len = snprintf(text[i], sizeof text[i], "%d %*s", i, i * 4, "x");
		copies[i] = obi_arena_text(&small, text[i], (size_t)len);
		assert_non_null(copies[i]);
		bytes += (size_t)len;
	}
	for (int i = 0; i < TEXTS; i++) {
		assert_string_equal(copies[i], text[i]);
	}
	assert_true(obi_arena_size(&small) < 2 * bytes);
	obi_arena_free(&small);
}

static void the_budget_holds(void **state)
{
	struct obi_arena small;
	size_t taken = 0;
	(void)state;
	obi_arena_init_small(&small, 4096);
	while (obi_arena_copy(&small, "0123456789abcdef", 16) != NULL) {
		taken += 16;
		assert_true(taken < 8192);
	}
	assert_true(taken >= 4096 - SMALL_MAX);
	assert_null(obi_arena_copy(&small, NULL, 8192));
	obi_arena_free(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(little_takes_little),
	    cmocka_unit_test(much_fits_too),
	    cmocka_unit_test(the_budget_holds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
