/* SPDX-License-Identifier: MIT */
/* Descriptors 0 to 2 that are closed become /dev/null; those that are open stay as they are. */
#include "base/standard_fds.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { SAVED = 100 };

static bool is_null(int fd)
{
	struct stat st, null;
	return fstat(fd, &st) == 0 && stat("/dev/null", &null) == 0 && st.st_rdev == null.st_rdev;
}

/* The descriptors of this set of bits are closed. Nothing may be printed until they are back. */
static void closed_ones_become_dev_null(void **unused)
{
	(void)unused;
	for (int set = 0; set < 8; set++) {
		bool null[3], closed_on_exec = false;
		int file = open("/", O_RDONLY | O_CLOEXEC), next;
		for (int fd = 0; fd < 3; fd++) {
			assert_int_equal(dup2(fd, SAVED + fd), SAVED + fd);
			dup2(file, fd);
			if ((set >> fd & 1) != 0) {
				close(fd);
			}
		}
		close(file);
		obi_standard_fds_fill();
		next = open("/", O_RDONLY | O_CLOEXEC);
		for (int fd = 0; fd < 3; fd++) {
			null[fd] = is_null(fd);
			closed_on_exec = closed_on_exec || (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
			dup2(SAVED + fd, fd);
			close(SAVED + fd);
		}
		assert_true(next > 2);
		close(next);
		assert_false(closed_on_exec);
		for (int fd = 0; fd < 3; fd++) {
			assert_int_equal(null[fd], set >> fd & 1);
		}
	}
}

/* Where nothing can be opened, the descriptors stay closed and nothing else happens. */
static void without_descriptors_nothing_is_opened(void **unused)
{
	struct rlimit limit, none;
	(void)unused;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(dup2(STDIN_FILENO, SAVED), SAVED);
	close(STDIN_FILENO);
	none = (struct rlimit){0, limit.rlim_max};
	int limited = setrlimit(RLIMIT_NOFILE, &none);
	obi_standard_fds_fill();
	int restored = setrlimit(RLIMIT_NOFILE, &limit);
	bool open = fcntl(STDIN_FILENO, F_GETFD) >= 0;
	dup2(SAVED, STDIN_FILENO);
	close(SAVED);
	assert_int_equal(limited, 0);
	assert_int_equal(restored, 0);
	assert_false(open);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(closed_ones_become_dev_null),
	    cmocka_unit_test(without_descriptors_nothing_is_opened),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
