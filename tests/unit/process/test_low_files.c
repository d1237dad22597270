/* SPDX-License-Identifier: MIT */
/* Reserved low descriptors, and children that are started with them beside thousands of others. */
#include "process/low_files.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "process/spawn.h"
#include "support/scratch.h"

enum { MANY = 1500, THREADS = 4, STARTS = 25, DEADLINE = 20000 };

static bool is_null(int fd)
{
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	return S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

static bool is_same(int a, int b)
{
	struct stat first, second;
	assert_int_equal(fstat(a, &first), 0);
	assert_int_equal(fstat(b, &second), 0);
	return first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

static void what_is_borrowed_is_low_and_given_back(void **unused)
{
	int source[2], borrowed[OBI_LOW_FILES] = {0};
	(void)unused;
	assert_int_equal(pipe2(source, O_CLOEXEC), 0);
	int before = scratch_open_fds();
	obi_low_files_hold();
	obi_low_files_hold();
	const int sources[OBI_LOW_FILES] = {source[0], source[1], source[1], -1};
	int end = obi_low_files_borrow(sources, borrowed);
	assert_in_range(end, OBI_LOW_FILES + 1, OBI_LOW_FILES_BELOW);
	for (int i = 0; i < 3; i++) {
		assert_in_range(borrowed[i], 4, end - 1);
		assert_true(is_same(borrowed[i], sources[i]));
		assert_true((fcntl(borrowed[i], F_GETFD) & FD_CLOEXEC) != 0);
	}
	assert_int_equal(borrowed[3], -1);
	/* There is one set. */
	int others[OBI_LOW_FILES];
	assert_int_equal(obi_low_files_borrow(sources, others), 0);
	obi_low_files_return();
	for (int i = 0; i < 3; i++) {
		assert_true(is_null(borrowed[i]));
	}
	obi_low_files_release();
	assert_true(scratch_open_fds() > before);
	obi_low_files_release();
	assert_int_equal(scratch_open_fds(), before);
	assert_int_equal(obi_low_files_borrow(sources, others), 0);
	close(source[0]);
	close(source[1]);
}

static void without_descriptors_nothing_is_reserved(void **unused)
{
	(void)unused;
	int borrowed[OBI_LOW_FILES];
	const int sources[OBI_LOW_FILES] = {0, 1, 2, -1};
	int before = scratch_open_fds();
	for (int spare = 0; spare < OBI_LOW_FILES; spare++) {
		struct rlimit limit = scratch_limit_fds(spare);
		obi_low_files_hold();
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
		assert_int_equal(scratch_open_fds(), before);
		assert_int_equal(obi_low_files_borrow(sources, borrowed), 0);
		obi_low_files_release();
	}
}

/* ---- With thousands of other descriptors ---- */

static int opened[MANY];

/* Raise the soft limit, or skip the test. */
static void check_limit(void)
{
	struct rlimit limit;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_max < 2 * (rlim_t)MANY) {
		print_message("skipped: the hard limit of descriptors is %ju\n",
			      (uintmax_t)limit.rlim_max);
		skip();
	}
	limit.rlim_cur = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void open_many(void)
{
	for (int i = 0; i < MANY; i++) {
		opened[i] = open("/dev/zero", O_RDONLY); /* not close-on-exec */
		assert_true(opened[i] >= 0);
	}
}

static void close_many(void)
{
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(close(opened[i]), 0);
	}
}

/* Start a child that shows its descriptors, and return what it says. */
static void start_one(int number, char *text, size_t size)
{
	char script[128];
	int out[2];
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	snprintf(script, sizeof script, "test -e /proc/self/fd/4 && echo more; echo %d", number);
	const char *const argv[] = {"/bin/sh", "-c", script, NULL};
	const struct ob_connector_options options = {.argv = argv};
	const struct obi_spawn spawn = {.options = &options,
					.config_path = "/d",
					.out_fd = out[1],
					.err_fd = out[1],
					.lock_fd = -1,
					.start_fd = -1};
	struct obi_process process;
	struct obi_exit end = {OB_EXIT_UNKNOWN, -1};
	assert_int_equal(obi_spawn(&spawn, &process, NULL), OB_OK);
	close(out[1]);
	ssize_t len = read(out[0], text, size - 1);
	text[len > 0 ? len : 0] = '\0';
	struct pollfd p = {.fd = process.pidfd, .events = POLLIN};
	assert_int_equal(poll(&p, 1, DEADLINE), 1);
	assert_int_equal(obi_process_end(&process, &end), OB_OK);
	close(out[0]);
}

static void *start_some(void *user)
{
	int first = *(const int *)user;
	intptr_t wrong = 0;
	for (int i = first; i < first + STARTS; i++) {
		char text[64], want[16];
		snprintf(want, sizeof want, "%d\n", i);
		start_one(i, text, sizeof text);
		wrong += strcmp(text, want) != 0;
	}
	return (void *)wrong;
}

static void threads_start_children_each_with_its_own_files(void **unused)
{
	pthread_t threads[THREADS];
	int numbers[THREADS];
	(void)unused;
	check_limit();
	obi_low_files_hold();
	open_many();
	for (int i = 0; i < THREADS; i++) {
		numbers[i] = 1000 * i;
		assert_int_equal(pthread_create(&threads[i], NULL, start_some, &numbers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		void *wrong;
		pthread_join(threads[i], &wrong);
		assert_null(wrong);
	}
	close_many();
	obi_low_files_release();
}

static void high_numbers_are_not_reserved(void **unused)
{
	int borrowed[OBI_LOW_FILES];
	const int sources[OBI_LOW_FILES] = {0, 1, 2, -1};
	char text[64];
	(void)unused;
	check_limit();
	open_many();
	int before = scratch_open_fds();
	obi_low_files_hold();
	assert_int_equal(scratch_open_fds(), before);
	assert_int_equal(obi_low_files_borrow(sources, borrowed), 0);
	start_one(7, text, sizeof text);
	assert_string_equal(text, "7\n");
	obi_low_files_release();
	close_many();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_borrowed_is_low_and_given_back),
	    cmocka_unit_test(without_descriptors_nothing_is_reserved),
	    cmocka_unit_test(threads_start_children_each_with_its_own_files),
	    cmocka_unit_test(high_numbers_are_not_reserved),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
