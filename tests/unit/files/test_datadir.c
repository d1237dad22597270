/* SPDX-License-Identifier: MIT */
/* The data directory: whose it is, and what is in it. */
#include "files/child_config.h"
#include "files/datadir.h"
#include "files/fifo.h"
#include "support/scratch.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const struct obi_directory_id NONE;

static struct obi_datadir open_dir(const char *path)
{
	struct obi_datadir dir = OBI_DATADIR_NONE;
	struct ob_error err = {0};
	if (obi_datadir_make(path, geteuid(), getegid(), &NONE, &dir, &err) < 0) {
		fail_msg("%s", err.text);
	}
	return dir;
}

static void expect_text(const struct ob_error *err, const char *doing, const char *path,
			const char *reason)
{
	char *text = scratch_text("%s data directory: %s%s", doing, path, reason);
	assert_string_equal(err->text, text);
	free(text);
}

static void expect_refused(const char *path, int code, const char *reason)
{
	struct obi_datadir dir = OBI_DATADIR_NONE;
	struct ob_error err = {0};
	int fds = scratch_open_fds();
	assert_int_equal(obi_datadir_make(path, geteuid(), getegid(), &NONE, &dir, &err), code);
	expect_text(&err, "creating", path, reason);
	assert_int_equal(dir.fd, -1);
	assert_int_equal(scratch_open_fds(), fds);
}

static mode_t mode_of(const char *path)
{
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static uid_t owner_of(const char *path)
{
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	return st.st_uid;
}

static void need_root(void)
{
	if (geteuid() != 0) {
		print_message("SKIP: only root can give a directory to another user\n");
		skip();
	}
}

/* ---- The directory ---- */

static void directory_is_made_with_those_above_it(void **unused)
{
	(void)unused;
	char *scratch = scratch_make(), *path = scratch_text("%s/a/b//c/", scratch),
	     *real = scratch_text("%s/a/b/c", scratch), *above = scratch_text("%s/a", scratch);
	mode_t was = umask(0);
	struct obi_datadir dir = open_dir(path);
	umask(was);
	assert_string_equal(dir.path, real);
	assert_int_equal(mode_of(real), 0700);
	assert_int_equal(mode_of(above), 0700);
	assert_true(dir.made.inode != 0);
	obi_datadir_close(&dir);
	assert_int_equal(dir.fd, -1);
	obi_datadir_close(&dir);
	/* It exists now, and this call did not make it. */
	dir = open_dir(path);
	assert_int_equal(dir.made.inode, 0);
	obi_datadir_close(&dir);
	free(above);
	free(real);
	free(path);
	scratch_remove(scratch);
}

static void fault_81_a_mode_that_the_child_changed_is_set_back(void **unused)
{
	(void)unused;
	char *scratch = scratch_make(), *path = scratch_text("%s/d", scratch);
	static const mode_t modes[] = {0777, 0755, 0000};
	struct obi_datadir dir = open_dir(path);
	obi_datadir_close(&dir);
	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		assert_int_equal(chmod(path, modes[i]), 0);
		dir = open_dir(path);
		assert_int_equal(mode_of(path), 0700);
		obi_datadir_close(&dir);
	}
	free(path);
	scratch_remove(scratch);
}

static void what_is_no_directory_is_refused(void **unused)
{
	(void)unused;
	struct ob_error err = {0};
	struct obi_datadir dir;
	char *scratch = scratch_make(), *other = scratch_text("%s/x", scratch);
	assert_int_equal(obi_datadir_open(other, geteuid(), getegid(), &dir, &err), OB_ENOENT);
	expect_text(&err, "opening", other, ": No such file or directory");
	assert_int_equal(symlink(scratch, other), 0);
	expect_refused(other, OB_EIO, ": Not a directory");
	assert_int_equal(unlink(other), 0);
	scratch_write(other, "", 0, 0600);
	expect_refused(other, OB_EIO, ": Not a directory");
	assert_int_equal(obi_datadir_make("relative", geteuid(), getegid(), &NONE, &dir, &err),
			 OB_EINVAL);
	assert_string_equal(err.text,
			    "creating data directory: \"relative\" is not an absolute path");
	free(other);
	scratch_remove(scratch);
}

static void fault_83_an_existing_directory_of_another_user_is_refused_and_not_changed(void **unused)
{
	(void)unused;
	need_root();
	struct ob_error err = {0};
	struct obi_datadir dir;
	char *scratch = scratch_make(), *path = scratch_text("%s/d", scratch);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(obi_datadir_make(path, 65533, 65532, &NONE, &dir, &err), OB_EPERM);
	expect_text(&err, "creating", path,
		    ": exists and belongs to user 0, not to the child's user 65533");
	assert_int_equal(owner_of(path), 0);
	assert_int_equal(mode_of(path), 0755);
	assert_int_equal(chown(path, 65531, 65531), 0);
	expect_refused(path, OB_EPERM,
		       ": exists and belongs to user 65531, not to the child's user 0");
	assert_int_equal(obi_datadir_open(path, 0, 0, &dir, &err), OB_EPERM);
	assert_int_equal(owner_of(path), 65531);
	free(path);
	scratch_remove(scratch);
}

static void fault_83_a_link_of_another_user_on_the_way_is_refused(void **unused)
{
	(void)unused;
	need_root();
	struct ob_error err = {0};
	struct obi_datadir dir;
	char *scratch = scratch_make(), *secret = scratch_text("%s/secret", scratch),
	     *link = scratch_text("%s/link", scratch), *path = scratch_text("%s/link/d", scratch),
	     *real = scratch_text("%s/secret/d", scratch);
	assert_int_equal(mkdir(secret, 0755), 0);
	assert_int_equal(mkdir(real, 0700), 0);
	assert_int_equal(symlink("secret", link), 0);
	assert_int_equal(lchown(link, 65533, 65533), 0);
	assert_int_equal(obi_datadir_make(path, 65533, 65532, &NONE, &dir, &err), OB_EPERM);
	expect_text(&err, "creating", link, ": a symbolic link that belongs to user 65533");
	assert_int_equal(owner_of(real), 0);
	free(real);
	free(path);
	free(link);
	free(secret);
	scratch_remove(scratch);
}

static void directory_is_given_to_a_child_of_another_user(void **unused)
{
	(void)unused;
	need_root();
	struct stat st;
	struct obi_datadir dir;
	struct ob_config config = {.size = sizeof config}, back = {.size = sizeof back};
	char *scratch = scratch_make(), *path = scratch_text("%s/above/d", scratch),
	     *above = scratch_text("%s/above", scratch);
	assert_int_equal(obi_datadir_make(path, 65533, 65532, &NONE, &dir, NULL), OB_OK);
	assert_int_equal(fstat(dir.fd, &st), 0);
	assert_int_equal(st.st_uid, 65533);
	assert_int_equal(st.st_gid, 65532);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(mode_of(above), 0711); /* the child can pass through */
	assert_int_equal(obi_datadir_write_config(&dir, &config, NULL), OB_OK);
	assert_int_equal(fstatat(dir.fd, OBI_FILE_CONFIG, &st, 0), 0);
	assert_int_equal(st.st_uid, 65533);
	assert_int_equal(obi_datadir_read_config(&dir, &back, NULL), OB_OK);
	obi_child_config_clear(&back);
	obi_datadir_close(&dir);
	assert_int_equal(obi_datadir_make(path, 65533, 65532, &NONE, &dir, NULL), OB_OK);
	obi_datadir_close(&dir);
	free(above);
	free(path);
	scratch_remove(scratch);
}

static void fault_95_a_directory_that_was_made_for_another_user_changes_hands(void **unused)
{
	(void)unused;
	need_root();
	struct ob_error err = {0};
	struct obi_datadir dir;
	char *scratch = scratch_make(), *path = scratch_text("%s/d", scratch);
	assert_int_equal(obi_datadir_make(path, 65533, 65532, &NONE, &dir, NULL), OB_OK);
	struct obi_directory_id made = dir.made, other = {made.device, made.inode + 1};
	obi_datadir_close(&dir);
	assert_int_equal(obi_datadir_make(path, 65531, 65530, &other, &dir, &err), OB_EPERM);
	assert_int_equal(obi_datadir_make(path, 65531, 65530, &made, &dir, &err), OB_OK);
	assert_int_equal(owner_of(path), 65531);
	assert_int_equal(dir.made.inode, made.inode);
	obi_datadir_close(&dir);
	free(path);
	scratch_remove(scratch);
}

/* ---- Files ---- */

static void bind_socket(const char *dir)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(addr.sun_path, sizeof addr.sun_path, "%s/" OBI_FILE_SOCKET, dir);
	assert_int_equal(bind(sock, (struct sockaddr *)&addr, sizeof addr), 0);
	close(sock);
}

static bool is_there(const struct obi_datadir *dir, const char *name)
{
	return faccessat(dir->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void cleaning_removes_ours_and_nothing_else(void **unused)
{
	(void)unused;
	char *scratch = scratch_make(), *mine = scratch_text("%s/precious", scratch),
	     *temp = scratch_text("%s/outboard-config-1.tmp", scratch);
	struct obi_datadir dir = open_dir(scratch);
	struct ob_config config = {.size = sizeof config};
	struct obi_fifo out = OBI_FIFO_NONE;
	scratch_write(mine, "x", 1, 0600);
	scratch_write(temp, "x", 1, 0600);
	assert_int_equal(obi_datadir_write_config(&dir, &config, NULL), OB_OK);
	assert_int_equal(obi_fifo_make(dir.fd, OBI_FILE_STDOUT, "stdout", 65536, (uid_t)-1,
				       (gid_t)-1, &out, NULL),
			 OB_OK);
	obi_fifo_close(&out);
	bind_socket(scratch);
	obi_datadir_clean(&dir, false);
	assert_false(is_there(&dir, "outboard-config-1.tmp"));
	assert_true(is_there(&dir, OBI_FILE_CONFIG) && is_there(&dir, OBI_FILE_STDOUT) &&
		    is_there(&dir, OBI_FILE_SOCKET));
	obi_datadir_clean(&dir, true);
	assert_false(is_there(&dir, OBI_FILE_CONFIG) || is_there(&dir, OBI_FILE_STDOUT) ||
		     is_there(&dir, OBI_FILE_SOCKET));
	assert_true(is_there(&dir, "precious"));
	/* What is no socket is not the child's. */
	assert_int_equal(symlinkat("precious", dir.fd, OBI_FILE_SOCKET), 0);
	obi_datadir_clean(&dir, true);
	assert_true(is_there(&dir, OBI_FILE_SOCKET));
	obi_datadir_close(&dir);
	free(temp);
	free(mine);
	scratch_remove(scratch);
}

static void config_texts_are_those_of_the_origin(void **unused)
{
	(void)unused;
	struct ob_error err = {0};
	struct ob_config config = {.size = sizeof config};
	char *scratch = scratch_make(), *path = scratch_text("%s/" OBI_FILE_CONFIG, scratch);
	struct obi_datadir dir = open_dir(scratch);
	assert_int_equal(obi_datadir_read_config(&dir, &config, &err), OB_ENOENT);
	assert_string_equal(err.text,
			    "reading outboard config: outboard.json: No such file or directory");
	scratch_write(path, "{", 1, 0600);
	assert_int_equal(obi_datadir_read_config(&dir, &config, &err), OB_EINVAL);
	assert_memory_equal(err.text, "parsing outboard config: ", 25);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(obi_datadir_write_config(&dir, &config, &err), OB_EIO);
	assert_string_equal(err.text,
			    "writing outboard config: renaming temp config file: Is a directory");
	obi_datadir_close(&dir);
	free(path);
	scratch_remove(scratch);
}

/* While a child runs its directory costs no descriptor, and is opened again only if it is the
 * same. */
static void fault_88_a_directory_rests_and_wakes(void **unused)
{
	char *top = scratch_make();
	char *path = scratch_text("%s/data", top), *moved = scratch_text("%s/moved", top);
	struct ob_error err = {0};
	(void)unused;
	int fds = scratch_open_fds();
	struct obi_datadir dir = open_dir(path);
	obi_datadir_rest(&dir);
	assert_int_equal(scratch_open_fds(), fds);
	assert_true(dir.fd == -1 && dir.path != NULL);
	assert_int_equal(obi_datadir_wake(&dir, &err), OB_OK);
	assert_true(dir.fd >= 0);
	assert_int_equal(obi_datadir_wake(&dir, &err), OB_OK);
	obi_datadir_rest(&dir);
	/* Another directory of the same name is not taken for it. */
	assert_int_equal(rename(path, moved), 0);
	assert_int_equal(obi_datadir_wake(&dir, &err), OB_ENOENT);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(obi_datadir_wake(&dir, &err), OB_ENOENT);
	expect_text(&err, "opening", path, ": was replaced by another directory");
	assert_int_equal(scratch_open_fds(), fds);
	obi_datadir_close(&dir);
	assert_int_equal(obi_datadir_wake(&dir, NULL), OB_ENOENT);
	free(moved);
	free(path);
	scratch_remove(top);
}

int main(void)
{
	umask(022); /* the modes that are asked for */
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(directory_is_made_with_those_above_it),
	    cmocka_unit_test(fault_81_a_mode_that_the_child_changed_is_set_back),
	    cmocka_unit_test(fault_88_a_directory_rests_and_wakes),
	    cmocka_unit_test(what_is_no_directory_is_refused),
	    cmocka_unit_test(
		fault_83_an_existing_directory_of_another_user_is_refused_and_not_changed),
	    cmocka_unit_test(fault_83_a_link_of_another_user_on_the_way_is_refused),
	    cmocka_unit_test(directory_is_given_to_a_child_of_another_user),
	    cmocka_unit_test(fault_95_a_directory_that_was_made_for_another_user_changes_hands),
	    cmocka_unit_test(cleaning_removes_ours_and_nothing_else),
	    cmocka_unit_test(config_texts_are_those_of_the_origin),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
