/* SPDX-License-Identifier: MIT */
/* How a process ended, in one line. */
#include "supervisor/exit_reason.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void an_end_is_told_with_the_memory_that_ran_out(void **state)
{
	(void)state;
	static const struct {
		struct obi_exit end;
		bool ended;
		int64_t kills;
		const char *text;
	} cases[] = {
	    {{OB_EXIT_CODE, 3}, false, -1, "process 12 exited with status 3"},
	    {{OB_EXIT_CODE, 0}, false, 0, "process 12 exited with status 0"},
	    {{OB_EXIT_SIGNAL, 9}, false, 0, "process 12 was killed by signal 9"},
	    {{OB_EXIT_UNKNOWN, 0}, false, -1, "process 12 exited; its status is not known"},
	    {{OB_EXIT_SIGNAL, 9}, false, 1, "killed: out of memory (cgroup)"},
	    /* We sent the signal. */
	    {{OB_EXIT_SIGNAL, 9},
	     true,
	     1,
	     "process 12 was killed by signal 9; out of memory in its cgroup (1 killed)"},
	    {{OB_EXIT_SIGNAL, 15},
	     false,
	     2,
	     "process 12 was killed by signal 15; out of memory in its cgroup (2 killed)"},
	    {{OB_EXIT_CODE, 137},
	     false,
	     1,
	     "process 12 exited with status 137; out of memory in its cgroup (1 killed)"},
	    {{OB_EXIT_UNKNOWN, 0},
	     false,
	     1,
	     "process 12 exited; its status is not known; out of memory in its cgroup (1 killed)"},
	    {{OB_EXIT_CODE, 0}, false, 1, "process 12 exited with status 0"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char text[OBI_EXIT_REASON_SIZE];
		const struct ob_cgroup_usage usage = {.oom_kills = cases[i].kills};
		obi_exit_reason(12, &cases[i].end, cases[i].ended, &usage, text);
		assert_string_equal(text, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_end_is_told_with_the_memory_that_ran_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
