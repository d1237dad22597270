/* SPDX-License-Identifier: MIT */
/* The memory that libev gets when the C library has none: otherwise it ends the process. */
#include "loop/spare_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/resource.h>

/* More than the C library has at hand when it gets no more of the kernel. */
enum { PIECE = OBI_SPARE_BYTES / 4, LARGE = OBI_SPARE_BYTES / 2 };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool sanitized = true;
#else
static const bool sanitized = false;
#endif

/* From here on the kernel gives us nothing, or as much as we want again. */
static void limit(bool begin)
{
	struct rlimit as;
	assert_int_equal(getrlimit(RLIMIT_AS, &as), 0);
	as.rlim_cur = begin ? 1 : as.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_AS, &as), 0);
}

static void must_hold(const uint8_t *piece, size_t size, uint8_t what)
{
	assert_non_null(piece);
	for (size_t i = 0; i < size; i++) {
		assert_int_equal(piece[i], what);
	}
}

static void fault_64_pieces_come_from_the_reserve_and_go_back(void **unused)
{
	(void)unused;
	if (sanitized) {
		print_message("skipped: a sanitizer takes terabytes of address space\n");
		skip();
	}
	for (int round = 0; round < 3; round++) { /* the reserve is whole again each time */
		uint8_t *usual = obi_spare_realloc(NULL, 100);
		memset(usual, 1, 100);
		limit(true);
		uint8_t *spare = obi_spare_realloc(NULL, PIECE);
		assert_non_null(spare);
		memset(spare, 2, PIECE);
		usual = obi_spare_realloc(usual, LARGE); /* into the reserve */
		void *none = obi_spare_realloc(NULL, LARGE);
		limit(false);
		assert_null(none);
		must_hold(usual, 100, 1);
		spare = obi_spare_realloc(spare, 2 * PIECE); /* out of it */
		must_hold(spare, PIECE, 2);
		assert_null(obi_spare_realloc(spare, 0));
		assert_null(obi_spare_realloc(usual, 0));
	}
	assert_null(obi_spare_realloc(NULL, 0));
}

static void a_size_that_nobody_has_is_refused(void **unused)
{
	(void)unused;
	if (!sanitized) {
		assert_null(obi_spare_realloc(NULL, PTRDIFF_MAX));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fault_64_pieces_come_from_the_reserve_and_go_back),
	    cmocka_unit_test(a_size_that_nobody_has_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
