/* SPDX-License-Identifier: MIT */
/* plugin/loader: which files are loaded, and the errors for all others. */
#include "plugin/loader.h"
#include "support/scratch.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char *made; /* the directory of the plugins made for the tests */

static char *fixture(const char *name)
{
	return scratch_text("%s/%s.so", made, name);
}

/* A copy of a good plugin as dir/name.so. */
static char *place_as(const char *dir, const char *name, const char *plugin, mode_t mode)
{
	char *from = fixture(plugin);
	char *to = scratch_text("%s/%s.so", dir, name);
	scratch_copy(from, to, mode);
	free(from);
	return to;
}

static char *place(const char *dir, const char *plugin, mode_t mode)
{
	return place_as(dir, plugin, plugin, mode);
}

/* Open and load; the name of the first plugin in the list, or NULL. */
static const char *load(const char *const *dirs, const char *name_or_path, int *ret_rc,
			struct ob_error *err)
{
	struct obi_plugin_file file;
	ob_plugin_list list = NULL;
	*ret_rc = obi_plugin_file_open(dirs, name_or_path, 0, &file, err);
	if (*ret_rc == OB_OK) {
		*ret_rc = obi_plugin_file_load(&file, &list, err);
		obi_plugin_file_close(&file);
	}
	return list != NULL ? list[0]->name : NULL;
}

static void assert_loads(const char *const *dirs, const char *name_or_path, const char *name)
{
	struct ob_error err = {.text = ""};
	int rc;
	const char *got = load(dirs, name_or_path, &rc, &err);
	assert_string_equal(err.text, "");
	assert_int_equal(rc, OB_OK);
	assert_string_equal(got, name);
}

/* The message starts with the plugin, then its path, then the reason. */
static void assert_refused(const char *const *dirs, const char *what, int code, const char *path,
			   const char *reason)
{
	struct ob_error err;
	int rc;
	assert_null(load(dirs, what, &rc, &err));
	assert_int_equal(rc, code);
	assert_int_equal(err.code, code);
	const char *base = strrchr(path, '/') + 1;
	char *expected =
	    scratch_text("plugin %.*s (%s): %s", (int)strcspn(base, "."), base, path, reason);
	if (strstr(err.text, expected) != err.text) {
		fail_msg("\"%s\" does not begin with \"%s\"", err.text, expected);
	}
	free(expected);
}

/* ---- Search ---- */

static void a_bare_name_is_looked_up_in_the_directories(void **state)
{
	const char *dirs[] = {"/nonexistent", *state, made, NULL};
	assert_loads(dirs, "new_auth", "new_auth");
}

static void an_absolute_path_is_taken_as_it_is(void **state)
{
	char *path = place_as(*state, "anything", "new_auth", 0644);
	assert_loads(NULL, path, "new_auth");
	free(path);
}

static void fault_68_missing_plugin_names_the_searched_directories(void **state)
{
	const char *dirs[] = {"/nonexistent", *state, NULL};
	struct ob_error err;
	int rc;
	assert_null(load(dirs, "nosuch", &rc, &err));
	assert_int_equal(rc, OB_EPLUGIN);
	char *expected = scratch_text("plugin nosuch: no nosuch.so in /nonexistent:%s"
				      " (see OUTBOARD_PLUGIN_PATH, plugin_path)",
				      (char *)*state);
	assert_string_equal(err.text, expected);
	free(expected);
	assert_refused(NULL, "/nonexistent/x.so", OB_EPLUGIN, "/nonexistent/x.so", "no such file");
}

static void fault_70_a_name_is_never_a_path(void **state)
{
	static const char *const names[] = {
	    "",
	    ".",
	    "..",
	    "./new_auth",
	    "../plugins/new_auth",
	    "sub/new_auth",
	    "new_auth.so",
	    "New",
	    "0ld",
	    "-x",
	    "a b",
	    "a-name-that-is-longer-than-31-chars",
	};
	const char *dirs[] = {made, NULL};
	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct ob_error err;
		int rc;
		assert_null(load(dirs, names[i], &rc, &err));
		assert_int_equal(rc, OB_EINVAL);
		assert_non_null(strstr(err.text, "neither a bare name nor an absolute path"));
	}
}

static void fault_70_the_working_directory_is_not_searched(void **state)
{
	const char *dirs[] = {"/nonexistent", NULL};
	struct ob_error err;
	int rc;
	free(place(*state, "new_auth", 0644));
	assert_int_equal(chdir(*state), 0);
	assert_int_equal(setenv("LD_LIBRARY_PATH", *state, 1), 0);
	const char *got = load(dirs, "new_auth", &rc, &err);
	unsetenv("LD_LIBRARY_PATH");
	assert_int_equal(chdir("/"), 0);
	assert_null(got);
	assert_int_equal(rc, OB_EPLUGIN);
}

static void the_first_directory_that_has_it_decides_even_by_refusal(void **state)
{
	const char *dirs[] = {*state, made, NULL};
	char *path = place(*state, "new_auth", 0646);
	assert_refused(dirs, "new_auth", OB_EPERM, path, "it is writable by group or others");
	free(path);
}

/* ---- Owner and mode ---- */

static void fault_70_files_that_others_can_write_are_refused(void **state)
{
	static const mode_t modes[] = {0664, 0646, 0666, 0777, 0620};
	char *path = place(*state, "new_auth", 0644);
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		assert_int_equal(chmod(path, modes[i]), 0);
		assert_refused(NULL, path, OB_EPERM, path, "it is writable by group or others");
	}
	assert_int_equal(chmod(path, 0755), 0);
	assert_loads(NULL, path, "new_auth");
	free(path);
}

static void fault_70_directories_that_others_can_write_are_refused(void **state)
{
	static const mode_t modes[] = {0770, 0707, 0777, 01777};
	const char *dirs[] = {*state, NULL};
	char *path = place(*state, "new_auth", 0644);
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		assert_int_equal(chmod(*state, modes[i]), 0);
		assert_refused(dirs, "new_auth", OB_EPERM, path,
			       "its directory is writable by group or others");
		assert_refused(NULL, path, OB_EPERM, path,
			       "its directory is writable by group or others");
	}
	assert_int_equal(chmod(*state, 0755), 0);
	assert_loads(dirs, "new_auth", "new_auth");
	free(path);
}

static void fault_70_a_file_of_another_user_is_refused(void **state)
{
	if (geteuid() != 0) {
		print_message("skipped: only root can give files to another user\n");
		skip();
	}
	char *path = place(*state, "new_auth", 0644);
	assert_int_equal(chown(path, 65534, 65534), 0);
	assert_refused(NULL, path, OB_EPERM, path, "it belongs neither to root nor to this user");
	assert_int_equal(chown(path, 0, 0), 0);
	assert_int_equal(chown(*state, 65534, 65534), 0);
	assert_refused(NULL, path, OB_EPERM, path,
		       "its directory belongs neither to root nor to this user");
	/* Their owner may load them. */
	assert_int_equal(chown(path, 65534, 65534), 0);
	assert_int_equal(seteuid(65534), 0);
	struct ob_error err;
	int rc;
	load(NULL, path, &rc, &err);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(rc, OB_OK);
	free(path);
}

/* ---- Type and content ---- */

static void fault_70_only_regular_files_are_plugins(void **state)
{
	const char *dirs[] = {*state, NULL};
	char *target = fixture("new_auth");
	char *link = scratch_text("%s/link.so", (char *)*state);
	char *fifo = scratch_text("%s/fifo.so", (char *)*state);
	char *dir = scratch_text("%s/dir.so", (char *)*state);
	assert_int_equal(symlink(target, link), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_refused(dirs, "link", OB_EPLUGIN, link, "a symbolic link, not a regular file");
	assert_refused(dirs, "fifo", OB_EPLUGIN, fifo, "not a regular file");
	assert_refused(dirs, "dir", OB_EPLUGIN, dir, "not a regular file");
	free(target);
	free(link);
	free(fifo);
	free(dir);
}

static void fault_68_a_file_that_is_not_elf_is_refused(void **state)
{
	static const char *const contents[] = {"", "\177EL", "#!/bin/sh\nexit 0\n"};
	const char *dirs[] = {*state, NULL};
	for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
		char *path = scratch_text("%s/script.so", (char *)*state);
		scratch_write(path, contents[i], strlen(contents[i]), 0755);
		assert_refused(dirs, "script", OB_EPLUGIN, path, "not an ELF file");
		unlink(path);
		free(path);
	}
}

static void fault_68_the_error_of_the_linker_is_passed_on(void **state)
{
	const char *dirs[] = {*state, made, NULL};
	char *path = scratch_text("%s/torn.so", (char *)*state);
	scratch_write(path, "\177ELF", 4, 0644);
	assert_refused(dirs, "torn", OB_EPLUGIN, path, "file too short");
	free(path);
	path = fixture("unresolved");
	assert_refused(dirs, "unresolved", OB_EPLUGIN, path,
		       "undefined symbol: nobody_defines_this");
	free(path);
}

static void fault_68_a_plugin_without_the_entry_is_refused(void **state)
{
	const char *dirs[] = {made, NULL};
	char *path = fixture("no_symbol");
	(void)state;
	assert_refused(dirs, "no_symbol", OB_EPLUGIN, path,
		       "it does not export outboard_plugin_v1");
	free(path);
}

static void fault_68_a_plugin_without_a_list_is_refused(void **state)
{
	const char *dirs[] = {made, NULL};
	char *path = fixture("null_list");
	(void)state;
	assert_refused(dirs, "null_list", OB_EPLUGIN, path, "outboard_plugin_v1() returned NULL");
	free(path);
	path = fixture("empty_list");
	assert_refused(dirs, "empty_list", OB_EPLUGIN, path,
		       "outboard_plugin_v1() returned an empty list");
	free(path);
}

/* ---- Which file is loaded ---- */

/* Descriptor numbers are reused, and the linker remembers names: it must not confuse two
 * directories. */
static void plugins_of_one_name_in_two_directories_are_two(void **state)
{
	char *one = scratch_text("%s/one", (char *)*state);
	char *two = scratch_text("%s/two", (char *)*state);
	assert_int_equal(mkdir(one, 0700), 0);
	assert_int_equal(mkdir(two, 0700), 0);
	free(place_as(one, "same", "new_auth", 0644));
	free(place_as(two, "same", "old_transport", 0644));
	const char *dirs_one[] = {one, NULL};
	const char *dirs_two[] = {two, NULL};
	assert_loads(dirs_one, "same", "new_auth");
	assert_loads(dirs_two, "same", "old_transport");
	assert_loads(dirs_one, "same", "new_auth");
	free(one);
	free(two);
}

static void a_file_replaced_between_check_and_load_is_the_one_in_the_same_directory(void **state)
{
	char *dir = scratch_text("%s/dir", (char *)*state);
	char *away = scratch_text("%s/away", (char *)*state);
	struct obi_plugin_file file;
	ob_plugin_list list;
	assert_int_equal(mkdir(dir, 0700), 0);
	char *path = place_as(dir, "it", "new_auth", 0644);
	assert_int_equal(obi_plugin_file_open(NULL, path, 0, &file, NULL), OB_OK);
	/* An attacker who owns a directory above replaces the directory. */
	assert_int_equal(rename(dir, away), 0);
	assert_int_equal(mkdir(dir, 0700), 0);
	free(place_as(dir, "it", "old_transport", 0644));
	assert_int_equal(obi_plugin_file_load(&file, &list, NULL), OB_OK);
	assert_string_equal(list[0]->name, "new_auth");
	obi_plugin_file_close(&file);
	free(path);
	free(dir);
	free(away);
}

static void the_same_file_has_the_same_identity(void **state)
{
	struct obi_plugin_file a, b;
	char *path = place(*state, "new_auth", 0644);
	char *other = scratch_text("%s/other.so", (char *)*state);
	assert_int_equal(link(path, other), 0);
	assert_int_equal(obi_plugin_file_open(NULL, path, 0, &a, NULL), OB_OK);
	assert_int_equal(obi_plugin_file_open(NULL, other, 0, &b, NULL), OB_OK);
	assert_int_equal(a.dev, b.dev);
	assert_int_equal(a.ino, b.ino);
	assert_string_equal(a.path, path);
	assert_string_equal(b.path, other);
	obi_plugin_file_close(&a);
	obi_plugin_file_close(&b);
	free(path);
	free(other);
}

static void no_descriptor_stays_open(void **state)
{
	static const char *const names[] = {"new_auth",	  "no_symbol", "null_list",
					    "unresolved", "nosuch",    "NOT A NAME"};
	const char *dirs[] = {*state, made, NULL};
	int before = scratch_open_fds();
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		int rc;
		load(dirs, names[i], &rc, NULL);
	}
	assert_int_equal(scratch_open_fds(), before);
}

/* ---- Frame ---- */

static int setup(void **state)
{
	*state = scratch_make();
	return 0;
}

static int teardown(void **state)
{
	scratch_remove(*state);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_bare_name_is_looked_up_in_the_directories),
	    TEST(an_absolute_path_is_taken_as_it_is),
	    TEST(fault_68_missing_plugin_names_the_searched_directories),
	    TEST(fault_70_a_name_is_never_a_path),
	    TEST(fault_70_the_working_directory_is_not_searched),
	    TEST(the_first_directory_that_has_it_decides_even_by_refusal),
	    TEST(fault_70_files_that_others_can_write_are_refused),
	    TEST(fault_70_directories_that_others_can_write_are_refused),
	    TEST(fault_70_a_file_of_another_user_is_refused),
	    TEST(fault_70_only_regular_files_are_plugins),
	    TEST(fault_68_a_file_that_is_not_elf_is_refused),
	    TEST(fault_68_the_error_of_the_linker_is_passed_on),
	    TEST(fault_68_a_plugin_without_the_entry_is_refused),
	    TEST(fault_68_a_plugin_without_a_list_is_refused),
	    TEST(plugins_of_one_name_in_two_directories_are_two),
	    TEST(a_file_replaced_between_check_and_load_is_the_one_in_the_same_directory),
	    TEST(the_same_file_has_the_same_identity),
	    TEST(no_descriptor_stays_open),
	};
	made = scratch_text("%s/test-plugins", scratch_env("OB_TEST_BUILD"));
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	free(made);
	return failed;
}
