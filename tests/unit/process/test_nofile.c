/* SPDX-License-Identifier: MIT */
/* The soft limit of descriptors: it is raised for this process, and children get the old one. */
#include "process/nofile.h"

#include <errno.h>
#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/deny.h"

enum { SOFT = 200 };

static struct rlimit64 limit_now(void)
{
	struct rlimit64 limit;
	assert_int_equal(getrlimit64(RLIMIT_NOFILE, &limit), 0);
	return limit;
}

static void set_soft(rlim64_t soft)
{
	struct rlimit64 limit = {soft, limit_now().rlim_max};
	assert_int_equal(setrlimit64(RLIMIT_NOFILE, &limit), 0);
}

static void a_limit_that_cannot_be_raised_further_is_the_childrens_too(void **state)
{
	struct rlimit64 childs;
	uint64_t raised = 0;
	(void)state;
	set_soft(limit_now().rlim_max);
	assert_int_equal(obi_nofile_raise(&raised, NULL), OB_OK);
	assert_true(raised == limit_now().rlim_max);
	assert_false(obi_nofile_of_children(&childs));
}

static void children_get_the_limit_from_before(void **state)
{
	struct rlimit64 childs;
	uint64_t raised = 0;
	(void)state;
	set_soft(SOFT);
	assert_int_equal(obi_nofile_raise(&raised, NULL), OB_OK);
	assert_true(raised == limit_now().rlim_max && limit_now().rlim_cur == raised);
	assert_true(obi_nofile_of_children(&childs));
	assert_true(childs.rlim_cur == SOFT && childs.rlim_max == raised);
	assert_int_equal(obi_nofile_raise(NULL, NULL), OB_OK); /* again: the first one counts */
	assert_true(obi_nofile_of_children(&childs) && childs.rlim_cur == SOFT);
}

/* The last test: the filter stays. */
static void a_kernel_that_refuses_is_an_error(void **state)
{
	struct ob_error err = {0};
	struct rlimit64 childs;
	(void)state;
	if (!deny_call(SYS_prlimit64, EPERM)) {
		print_message("skipped: this kernel takes no filter of system calls\n");
		skip();
	}
	assert_int_equal(obi_nofile_raise(NULL, &err), OB_EIO);
	assert_string_equal(err.text,
			    "reading the limit of descriptors: prlimit64: Operation not permitted");
	assert_false(obi_nofile_of_children(&childs));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_limit_that_cannot_be_raised_further_is_the_childrens_too),
	    cmocka_unit_test(children_get_the_limit_from_before),
	    cmocka_unit_test(a_kernel_that_refuses_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
