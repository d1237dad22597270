/* SPDX-License-Identifier: MIT */
/* The token of a child that others start, from a file. */
#include "files/token_file.h"
#include "support/expect.h"
#include "support/scratch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define DIGITS "000102030405060708090A0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static char *dir, *path;

static int setup(void **state)
{
	(void)state;
	dir = scratch_make();
	path = scratch_text("%s/token", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(path);
	scratch_remove(dir);
	return 0;
}

static int read_text(const char *text, mode_t mode, char token[OBI_TOKEN_SIZE],
		     struct ob_error *err)
{
	unlink(path);
	scratch_write(path, text, strlen(text), mode);
	return obi_token_file_read(path, token, err);
}

static void white_space_may_follow_the_digits(void **state)
{
	static const char *const texts[] = {DIGITS, DIGITS "\n", DIGITS "\r\n", DIGITS " \t\n\n"};
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		char token[OBI_TOKEN_SIZE] = "";
		struct ob_error err = {0};
		expect(read_text(texts[i], 0600, token, &err), OB_OK, &err, NULL);
		assert_string_equal(token, DIGITS);
	}
}

static void what_is_no_token_is_refused(void **state)
{
	static const char *const texts[] = {"",
					    "\n",
					    "0001",
					    DIGITS "0",
					    " " DIGITS,
					    DIGITS "\n"
						   "x",
					    DIGITS "\v"};
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		char token[OBI_TOKEN_SIZE] = "none";
		struct ob_error err = {0};
		expect(read_text(texts[i], 0600, token, &err), OB_EINVAL, &err,
		       "token: does not hold a token of 64 hex digits");
		assert_string_equal(token, "none");
	}
}

static void fault_121_unsafe_token_files_are_refused(void **state)
{
	char token[OBI_TOKEN_SIZE];
	struct ob_error err = {0};
	char long_text[200];
	(void)state;
	expect(read_text(DIGITS, 0640, token, &err), OB_EPERM, &err, "mode 0640");
	memset(long_text, '\n', sizeof long_text - 1);
	long_text[sizeof long_text - 1] = '\0';
	expect(read_text(long_text, 0600, token, &err), OB_ETOOBIG, &err, "larger than 128 bytes");
	unlink(path);
	expect(obi_token_file_read(path, token, &err), OB_ENOENT, &err, "No such file");
	assert_int_equal(symlink("elsewhere", path), 0);
	expect(obi_token_file_read(path, token, &err), OB_EPERM, &err, "is a symbolic link");
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	expect(obi_token_file_read(path, token, &err), OB_EPERM, &err, "not a regular file");
}

static void fault_121_a_token_file_of_another_user_is_refused(void **state)
{
	char token[OBI_TOKEN_SIZE];
	struct ob_error err = {0};
	(void)state;
	if (geteuid() != 0) {
		print_message("skipped: only root can make a file of another user\n");
		skip();
	}
	scratch_write(path, DIGITS, sizeof DIGITS - 1, 0600);
	assert_int_equal(chown(path, 1, 1), 0);
	expect(obi_token_file_read(path, token, &err), OB_EPERM, &err, "belongs to user 1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(white_space_may_follow_the_digits, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_is_no_token_is_refused, setup, teardown),
	    cmocka_unit_test_setup_teardown(fault_121_unsafe_token_files_are_refused, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(fault_121_a_token_file_of_another_user_is_refused,
					    setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
