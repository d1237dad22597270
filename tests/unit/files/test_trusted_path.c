/* SPDX-License-Identifier: MIT */
/* Paths that other users must not be able to redirect. */
#include "files/trusted_path.h"
#include "support/scratch.h"

#include <fcntl.h>
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

enum { OTHER_USER = 65533 };

struct bed {
	char *dir;
	int fds;
};

static int begin(void **state)
{
	struct bed *bed = calloc(1, sizeof *bed);
	bed->dir = scratch_make();
	bed->fds = scratch_open_fds();
	*state = bed;
	return 0;
}

static int end(void **state)
{
	struct bed *bed = *state;
	int fds = scratch_open_fds();
	scratch_remove(bed->dir);
	int leaked = fds - bed->fds;
	free(bed);
	return leaked;
}

static char *below(const struct bed *bed, const char *rest)
{
	return scratch_text("%s/%s", bed->dir, rest);
}

static void make_dir(const struct bed *bed, const char *name, mode_t mode)
{
	char *path = below(bed, name);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chmod(path, mode), 0);
	free(path);
}

static void make_link(const struct bed *bed, const char *name, const char *target)
{
	char *path = below(bed, name);
	assert_int_equal(symlink(target, path), 0);
	free(path);
}

static void expect_code(const struct bed *bed, const char *rest, uid_t child, int code,
			const char *text)
{
	struct obi_trusted_path found = OBI_TRUSTED_PATH_NONE;
	struct ob_error err = {0};
	char *path = below(bed, rest);
	assert_int_equal(obi_trusted_path_walk(path, 0, child, &found, &err), code);
	assert_int_equal(found.parent, -1);
	if (text != NULL && strstr(err.text, text) == NULL) {
		fail_msg("\"%s\" does not say \"%s\"", err.text, text);
	}
	free(path);
}

/* The walk of `rest` ends at the directory `real`, with the last name `name`. */
static void expect_found(const struct bed *bed, const char *rest, mode_t make_mode,
			 const char *real, const char *name)
{
	struct obi_trusted_path found = OBI_TRUSTED_PATH_NONE;
	struct ob_error err = {0};
	struct stat there, here;
	char *path = below(bed, rest), *dir = below(bed, real);
	if (obi_trusted_path_walk(path, make_mode, geteuid(), &found, &err) < 0) {
		fail_msg("%s", err.text);
	}
	assert_int_equal(stat(dir, &there), 0);
	assert_int_equal(fstat(found.parent, &here), 0);
	assert_int_equal(there.st_ino, here.st_ino);
	assert_string_equal(found.name, name);
	free(path);
	free(dir);
	path = scratch_text("%s%s%s/%s", bed->dir, real[0] != '\0' ? "/" : "", real, name);
	assert_string_equal(found.whole, path);
	obi_trusted_path_close(&found);
	free(path);
}

static void the_last_component_need_not_exist(void **state)
{
	make_dir(*state, "a", 0755);
	expect_found(*state, "a/b", 0, "a", "b");
	expect_found(*state, "a//./b/", 0, "a", "b");
	expect_code(*state, "missing/b", geteuid(), OB_ENOENT, "/missing");
}

static void missing_directories_are_made_with_the_mode_whatever_the_umask(void **state)
{
	const struct bed *bed = *state;
	struct stat st;
	char *path = below(bed, "x/y");
	mode_t was = umask(077);
	expect_found(bed, "x/y/z", 0711, "x/y", "z");
	umask(was);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0711);
	free(path);
}

static void own_links_in_own_directories_are_followed(void **state)
{
	const struct bed *bed = *state;
	char *absolute = below(bed, "a");
	make_dir(bed, "a", 0755);
	make_dir(bed, "a/in", 0755);
	make_link(bed, "relative", "a/in");
	make_link(bed, "absolute", absolute);
	expect_found(bed, "relative/b", 0, "a/in", "b");
	expect_found(bed, "absolute/in/b", 0, "a/in", "b");
	free(absolute);
}

static void a_loop_of_links_is_refused(void **state)
{
	make_link(*state, "one", "two");
	make_link(*state, "two", "one");
	expect_code(*state, "one/b", geteuid(), OB_EIO, NULL);
}

static void two_dots_are_refused_in_links_too(void **state)
{
	make_dir(*state, "a", 0755);
	make_link(*state, "up", "a/../a");
	expect_code(*state, "a/../b", geteuid(), OB_EINVAL, "\"..\"");
	expect_code(*state, "up/b", geteuid(), OB_EINVAL, "\"..\"");
}

static void a_directory_that_others_can_write_is_refused_unless_it_is_sticky(void **state)
{
	make_dir(*state, "open", 0777);
	make_dir(*state, "sticky", 01777);
	expect_code(*state, "open/b", geteuid(), OB_EPERM, "/open: writable by others (mode 0777)");
	expect_found(*state, "sticky/b", 0, "sticky", "b");
}

static void a_group_may_write_only_where_the_child_is_our_own_user(void **state)
{
	const struct bed *bed = *state;
	char *path = below(bed, "group");
	make_dir(bed, "group", 0775);
	assert_int_equal(chown(path, (uid_t)-1, getegid()), 0);
	expect_found(bed, "group/b", 0, "group", "b");
	if (getegid() != 0) {
		expect_code(bed, "group/b", OTHER_USER, OB_EPERM, "writable by others");
	}
	free(path);
}

static void what_is_no_directory_is_refused(void **state)
{
	const struct bed *bed = *state;
	char *path = below(bed, "file");
	scratch_write(path, "x", 1, 0600);
	expect_code(bed, "file/b", geteuid(), OB_EIO, "/file: Not a directory");
	free(path);
}

static void a_directory_or_link_of_another_user_is_refused(void **state)
{
	const struct bed *bed = *state;
	char *dir = below(bed, "home"), *link = below(bed, "link");
	if (geteuid() != 0) {
		print_message("SKIP: only root can give a directory to another user\n");
		free(dir);
		free(link);
		skip();
	}
	make_dir(bed, "home", 0755);
	make_dir(bed, "a", 0755);
	make_link(bed, "link", "a");
	assert_int_equal(chown(dir, OTHER_USER, OTHER_USER), 0);
	assert_int_equal(lchown(link, OTHER_USER, OTHER_USER), 0);
	expect_code(bed, "home/b", OTHER_USER, OB_EPERM, "/home: belongs to user 65533");
	expect_code(bed, "link/b", OTHER_USER, OB_EPERM,
		    "/link: a symbolic link that belongs to user 65533");
	free(dir);
	free(link);
}

static void a_path_that_names_nothing_is_refused(void **state)
{
	struct obi_trusted_path found = OBI_TRUSTED_PATH_NONE;
	char *longest = malloc(9000);
	(void)state;
	memset(longest, 'a', 8999);
	longest[8999] = '\0';
	longest[0] = '/';
	assert_int_equal(obi_trusted_path_walk("a/b", 0, 0, &found, NULL), OB_EINVAL);
	assert_int_equal(obi_trusted_path_walk("", 0, 0, &found, NULL), OB_EINVAL);
	assert_int_equal(obi_trusted_path_walk("/", 0, 0, &found, NULL), OB_EINVAL);
	assert_int_equal(obi_trusted_path_walk(longest, 0, 0, &found, NULL), OB_EINVAL);
	longest[4000] = '\0';
	assert_int_equal(obi_trusted_path_walk(longest, 0, 0, &found, NULL), OB_EINVAL);
	free(longest);
}

#define WITH_BED(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_BED(the_last_component_need_not_exist),
	    WITH_BED(missing_directories_are_made_with_the_mode_whatever_the_umask),
	    WITH_BED(own_links_in_own_directories_are_followed),
	    WITH_BED(a_loop_of_links_is_refused),
	    WITH_BED(two_dots_are_refused_in_links_too),
	    WITH_BED(a_directory_that_others_can_write_is_refused_unless_it_is_sticky),
	    WITH_BED(a_group_may_write_only_where_the_child_is_our_own_user),
	    WITH_BED(what_is_no_directory_is_refused),
	    WITH_BED(a_directory_or_link_of_another_user_is_refused),
	    WITH_BED(a_path_that_names_nothing_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
