/* SPDX-License-Identifier: MIT */
/* Where the program of a command is found. */
#include "process/environ.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/scratch.h"

#define ENV(...) ((const char *const[]){__VA_ARGS__, NULL})

/* A directory with a, which cannot be executed, and b/a, which can. */
static char *dir;
static char good[256], in_dir[256], in_b[256], in_both[512];

static int set_up(void **unused)
{
	(void)unused;
	char path[256];
	dir = scratch_make();
	snprintf(path, sizeof path, "%s/a", dir);
	scratch_write(path, "", 0, 0600);
	snprintf(path, sizeof path, "%s/b", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(good, sizeof good, "%s/b/a", dir);
	scratch_write(good, "", 0, 0700);
	snprintf(in_dir, sizeof in_dir, "PATH=%s", dir);
	snprintf(in_b, sizeof in_b, "PATH=%s/b", dir);
	snprintf(in_both, sizeof in_both, "PATH=%s:%s/b", dir, dir);
	return 0;
}

static int tear_down(void **unused)
{
	(void)unused;
	scratch_remove(dir);
	return 0;
}

static void expect(const char *command, const char *const *env, int result, const char *want)
{
	struct obi_arena arena;
	struct ob_error err = {0};
	const char *file = NULL;
	obi_arena_init(&arena, 1 << 20);
	assert_int_equal(obi_environ_find(command, env, &arena, &file, &err), result);
	assert_string_equal(result == OB_OK ? file : err.text, want);
	obi_arena_free(&arena);
}

static void a_command_is_found_in_the_path_that_the_child_gets(void **unused)
{
	(void)unused;
	setenv("PATH", "/nonexistent", 1);
	expect("a", ENV(in_b), OB_OK, good);
	expect("a", ENV("A=1", "PATH=/nonexistent", in_both), OB_OK, good);
	expect("/x/y", ENV("PATH=/nonexistent"), OB_OK, "/x/y");
	setenv("PATH", in_b + strlen("PATH="), 1);
	expect("a", NULL, OB_OK, good);
	expect("a", ENV("XPATH=/nonexistent", "PATHX=/nonexistent"), OB_OK, good);
}

static void the_message_says_whose_path_was_searched(void **unused)
{
	(void)unused;
	setenv("PATH", in_b + strlen("PATH="), 1);
	expect("a", ENV("PATH=/nonexistent"), OB_ENOENT,
	       "\"a\" in PATH of its env: No such file or directory");
	expect("a", ENV("PATH="), OB_ENOENT, "\"a\" in PATH of its env: No such file or directory");
	expect("a", ENV(in_dir), OB_EPERM, "\"a\" in PATH of its env: Permission denied");
	expect("c", NULL, OB_ENOENT, "\"c\" in PATH of the parent: No such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_command_is_found_in_the_path_that_the_child_gets),
	    cmocka_unit_test(the_message_says_whose_path_was_searched),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
