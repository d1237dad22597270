/* SPDX-License-Identifier: MIT */
/* Failpoints do what OUTBOARD_FP says. They are compiled into this program in every build; the
 * library has them only when it was configured with OUTBOARD_FAILPOINTS. */
#ifndef OB_FAILPOINTS
#define OB_FAILPOINTS
#endif
#include "base/failpoint.c" /* NOLINT: the file itself */

#include <spawn.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static char self[4096];

/* In a child process: pass three places twice, and return by the exit status which of them
 * failed with which errno. */
static int pass(void)
{
	int failed = 0;
	for (int round = 0; round < 2; round++) {
		failed |= OBI_FAILPOINT("first") && errno == ENOSPC ? 1 << round : 0;
		failed |= OBI_FAILPOINT("second") && errno == EIO ? 4 << round : 0;
		OBI_CRASHPOINT("third");
	}
	return failed;
}

static int run_with(const char *orders)
{
	pid_t pid = 0;
	int status;
	char *argv[] = {self, "--pass", NULL};
	assert_int_equal(setenv("OUTBOARD_FP", orders, 1), 0);
	assert_int_equal(posix_spawn(&pid, self, NULL, NULL, argv, environ), 0);
	unsetenv("OUTBOARD_FP");
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void expect_exit(const char *orders, int code)
{
	int status = run_with(orders);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), code);
}

static void places_without_an_order_do_nothing(void **unused)
{
	(void)unused;
	expect_exit("", 0);
	expect_exit("elsewhere=kill", 0);
}

static void errors_come_each_time_or_at_their_time(void **unused)
{
	(void)unused;
	expect_exit("first=error(ENOSPC)", 3);
	expect_exit("first=error(ENOSPC)@1", 1);
	expect_exit("first=error(ENOSPC)@2;second=error(EIO)@1", 2 | 4);
	expect_exit("first=error(ENOSPC)@3", 0);
	expect_exit("first=error(EIO)", 0);
}

static void process_is_ended_at_the_place(void **unused)
{
	(void)unused;
	expect_exit("third=exit(9)", 9);
	expect_exit("third=exit(9)@2;first=exit(8)@3", 9);
	int status = run_with("second=kill@2");
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void an_invalid_failpoint_ends_the_process(void **unused)
{
	(void)unused;
	const char *bad[] = {"first",		"first=",	 "first=error(ENOSUCH)",
			     "first=die",	"first=exit",	 "first=kill@0",
			     "first=kill@x",	"first=kill@1x", "first=killed",
			     "first=error(EIO", "first=exit(9",	 "first=error(EIO)x",
			     "first=exit(9)@"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		expect_exit(bad[i], 70);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(places_without_an_order_do_nothing),
	    cmocka_unit_test(errors_come_each_time_or_at_their_time),
	    cmocka_unit_test(process_is_ended_at_the_place),
	    cmocka_unit_test(an_invalid_failpoint_ends_the_process),
	};
	if (argc > 1 && strcmp(argv[1], "--pass") == 0) {
		return pass();
	}
	if (readlink("/proc/self/exe", self, sizeof self - 1) < 0) {
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
