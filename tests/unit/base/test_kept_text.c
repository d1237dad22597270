/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/kept_text.h"

static void a_text_is_copied_and_cleared(void **state)
{
	struct obi_kept_text kept = {NULL};
	char text[] = "refused";
	(void)state;
	assert_string_equal(obi_kept_text(&kept), "");
	obi_kept_text_set(&kept, text);
	text[0] = 'R';
	assert_string_equal(obi_kept_text(&kept), "refused");
	obi_kept_text_set(&kept, obi_kept_text(&kept));
	assert_string_equal(obi_kept_text(&kept), "refused");
	obi_kept_text_set(&kept, obi_kept_text(&kept) + 2);
	assert_string_equal(obi_kept_text(&kept), "fused");
	obi_kept_text_set(&kept, "");
	assert_null(kept.text);
	obi_kept_text_clear(&kept);
	assert_string_equal(obi_kept_text(&kept), "");
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool sanitized = true;
#else
static const bool sanitized = false;
#endif

/* More than the C library has at hand when it gets no more of the kernel. */
enum { LARGE = 8 << 20 };

static void without_memory_it_says_so(void **state)
{
	struct obi_kept_text kept = {NULL};
	struct rlimit was, none;
	(void)state;
	if (sanitized) {
		skip(); /* its allocator ends the process */
	}
	char *large = malloc(LARGE);
	assert_non_null(large);
	memset(large, 'x', LARGE - 1);
	large[LARGE - 1] = '\0';
	assert_int_equal(getrlimit(RLIMIT_AS, &was), 0);
	none = (struct rlimit){.rlim_cur = 1, .rlim_max = was.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_AS, &none), 0); /* what is there stays */
	obi_kept_text_set(&kept, large);
	assert_int_equal(setrlimit(RLIMIT_AS, &was), 0);
	assert_string_equal(obi_kept_text(&kept), "out of memory");
	obi_kept_text_set(&kept, "and it is not freed");
	assert_string_equal(obi_kept_text(&kept), "and it is not freed");
	obi_kept_text_clear(&kept);
	free(large);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_text_is_copied_and_cleared),
	    cmocka_unit_test(without_memory_it_says_so),
	};
	return cmocka_run_group_tests_name("kept_text", tests, NULL, NULL);
}
