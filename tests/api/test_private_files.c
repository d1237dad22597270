/* SPDX-License-Identifier: MIT */
/* Private files: what is read, and how one is replaced. */
#include <outboard/outboard.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/expect.h"
#include "support/scratch.h"

static char *dir;
static int directory;

static int set_up(void **state)
{
	(void)state;
	dir = scratch_make();
	directory = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return directory >= 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	close(directory);
	scratch_remove(dir);
	return 0;
}

static int read_file(const char *name, char *text, size_t size, struct ob_error *err)
{
	struct ob_sink out = ob_sink_fixed(text, size - 1);
	int r = ob_file_read(directory, name, (uint32_t)-1, &out, err);
	text[out.len] = '\0';
	return r;
}

static void a_replaced_file_is_private_and_read_back(void **state)
{
	char text[64];
	struct ob_error err;
	struct stat st;
	(void)state;
	expect(ob_file_replace(directory, "f", ob_bytes_text("first"), 0, &err), OB_OK, &err, NULL);
	expect(ob_file_replace(directory, "f", ob_bytes_text("second"), OB_FILE_SYNC, &err), OB_OK,
	       &err, NULL);
	expect(read_file("f", text, sizeof text, &err), OB_OK, &err, NULL);
	assert_string_equal(text, "second");
	assert_int_equal(fstatat(directory, "f", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void what_others_could_have_made_is_not_read(void **state)
{
	char text[64];
	struct ob_error err;
	(void)state;
	expect(read_file("none", text, sizeof text, &err), OB_ENOENT, &err, NULL);
	expect(ob_file_replace(directory, "f", ob_bytes_text("text"), 0, &err), OB_OK, &err, NULL);
	assert_int_equal(symlinkat("f", directory, "link"), 0);
	expect(read_file("link", text, sizeof text, &err), OB_EPERM, &err, "symbolic link");
	assert_int_equal(mkfifoat(directory, "fifo", 0600), 0);
	expect(read_file("fifo", text, sizeof text, &err), OB_EPERM, &err, "not a regular file");
	assert_int_equal(fchmodat(directory, "f", 0640, 0), 0);
	expect(read_file("f", text, sizeof text, &err), OB_EPERM, &err, "0640");
	assert_int_equal(fchmodat(directory, "f", 0600, 0), 0);
	expect(read_file("f", text, 4, &err), OB_ETOOBIG, &err, NULL);
}

static void a_name_is_one_in_the_directory(void **state)
{
	struct ob_error err;
	(void)state;
	expect(ob_file_replace(directory, "../f", ob_bytes_text("x"), 0, &err), OB_EINVAL, &err,
	       "not a name in a directory");
	expect(ob_file_replace(directory, "", ob_bytes_text("x"), 0, &err), OB_EINVAL, &err, NULL);
}

static void a_failure_leaves_the_old_file(void **state)
{
	char text[64];
	struct ob_error err;
	(void)state;
	assert_int_equal(mkdirat(directory, "taken", 0700), 0);
	expect(ob_file_replace(directory, "taken", ob_bytes_text("x"), 0, &err), OB_EIO, &err,
	       "renaming temp taken file: ");
	expect(ob_file_replace(directory, "f", ob_bytes_text("old"), 0, &err), OB_OK, &err, NULL);
	expect(read_file("f", text, sizeof text, &err), OB_OK, &err, NULL);
	assert_string_equal(text, "old");
}

static void files_of_a_killed_writer_are_swept(void **state)
{
	(void)state;
	int fd =
	    openat(directory, "outboard-config-0123456789abcdef.tmp", O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	close(fd);
	fd = openat(directory, "other.tmp", O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	close(fd);
	ob_file_sweep(directory);
	assert_int_equal(faccessat(directory, "outboard-config-0123456789abcdef.tmp", F_OK, 0), -1);
	assert_int_equal(faccessat(directory, "other.tmp", F_OK, 0), 0);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(a_replaced_file_is_private_and_read_back),
	    TEST(what_others_could_have_made_is_not_read),
	    TEST(a_name_is_one_in_the_directory),
	    TEST(a_failure_leaves_the_old_file),
	    TEST(files_of_a_killed_writer_are_swept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
