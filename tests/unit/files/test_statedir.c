/* SPDX-License-Identifier: MIT */
/* The parent's own directory: whose it is, its locks, and what a new process signs. */
#include "files/statedir.h"
#include "support/scratch.h"

#include <errno.h>
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
	char *path; /* of the state directory */
	int fds;
};

static int begin(void **state)
{
	struct bed *bed = calloc(1, sizeof *bed);
	bed->dir = scratch_make();
	bed->path = scratch_text("%s/.state/one", bed->dir);
	bed->fds = scratch_open_fds();
	*state = bed;
	return 0;
}

static int end(void **state)
{
	struct bed *bed = *state;
	int leaked = scratch_open_fds() - bed->fds;
	scratch_remove(bed->dir);
	free(bed->path);
	free(bed);
	return leaked;
}

static struct obi_statedir open_dir(const struct bed *bed)
{
	struct obi_statedir dir = OBI_STATEDIR_NONE;
	struct ob_error err = {0};
	if (obi_statedir_open(bed->path, true, geteuid(), &dir, &err) < 0) {
		fail_msg("%s", err.text);
	}
	return dir;
}

static void expect_refused(const struct bed *bed, bool create, int code, const char *reason)
{
	struct obi_statedir dir = OBI_STATEDIR_NONE;
	struct ob_error err = {0};
	assert_int_equal(obi_statedir_open(bed->path, create, geteuid(), &dir, &err), code);
	assert_int_equal(dir.fd, -1);
	if (strstr(err.text, reason) == NULL ||
	    strncmp(err.text, "opening state directory: ", 25) != 0) {
		fail_msg("\"%s\" does not say \"%s\"", err.text, reason);
	}
}

/* ---- The directory ---- */

static void it_is_made_closed_to_others(void **state)
{
	const struct bed *bed = *state;
	struct stat st;
	expect_refused(bed, false, OB_ENOENT, "/.state: No such file");
	struct obi_statedir dir = open_dir(bed);
	assert_string_equal(dir.path, bed->path);
	assert_int_equal(stat(bed->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	obi_statedir_close(&dir);
}

static void a_changed_mode_is_set_back(void **state)
{
	const struct bed *bed = *state;
	struct stat st;
	struct obi_statedir dir = open_dir(bed);
	obi_statedir_close(&dir);
	static const mode_t modes[] = {0777, 0000, 0500};
	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		assert_int_equal(chmod(bed->path, modes[i]), 0);
		dir = open_dir(bed);
		assert_int_equal(stat(bed->path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0700);
		obi_statedir_close(&dir);
	}
}

static void a_link_or_a_file_in_its_place_is_refused(void **state)
{
	const struct bed *bed = *state;
	struct obi_statedir dir = open_dir(bed);
	obi_statedir_close(&dir);
	assert_int_equal(rmdir(bed->path), 0);
	assert_int_equal(symlink(bed->dir, bed->path), 0);
	expect_refused(bed, true, OB_EIO, "/one: ");
	assert_int_equal(unlink(bed->path), 0);
	scratch_write(bed->path, "x", 1, 0600);
	expect_refused(bed, true, OB_EIO, "/one: Not a directory");
}

static void another_users_directory_is_refused_and_not_changed(void **state)
{
	const struct bed *bed = *state;
	struct stat st;
	if (geteuid() != 0) {
		print_message("SKIP: only root can give a directory to another user\n");
		skip();
	}
	struct obi_statedir dir = open_dir(bed);
	obi_statedir_close(&dir);
	assert_int_equal(chown(bed->path, OTHER_USER, OTHER_USER), 0);
	assert_int_equal(chmod(bed->path, 0755), 0);
	expect_refused(bed, true, OB_EPERM, "/one: belongs to user 65533");
	assert_int_equal(stat(bed->path, &st), 0);
	assert_int_equal(st.st_uid, OTHER_USER);
	assert_int_equal(st.st_mode & 07777, 0755);
}

/* ---- Locks ---- */

static bool has_parent(const struct obi_statedir *dir)
{
	bool has = false;
	assert_int_equal(obi_statedir_has_parent(dir, &has, NULL), OB_OK);
	return has;
}

static bool is_held(const struct obi_statedir *dir)
{
	bool held = false;
	assert_int_equal(obi_statedir_is_held(dir, &held, NULL), OB_OK);
	return held;
}

static void one_connector_is_in_charge(void **state)
{
	struct obi_statedir one = open_dir(*state), two = open_dir(*state);
	struct ob_error err;
	assert_false(has_parent(&one));
	assert_int_equal(obi_statedir_lock(&one, NULL), OB_OK);
	assert_int_equal(obi_statedir_lock(&one, NULL), OB_OK);
	assert_true(has_parent(&two));
	assert_int_equal(obi_statedir_lock(&two, &err), OB_EBUSY);
	assert_non_null(strstr(err.text, "another connector holds "));
	obi_statedir_unlock(&one);
	assert_int_equal(obi_statedir_lock(&two, NULL), OB_OK);
	obi_statedir_close(&two);
	obi_statedir_close(&one);
}

static void temporary_files_of_a_dead_parent_are_removed(void **state)
{
	const struct bed *bed = *state;
	struct obi_statedir dir = open_dir(bed);
	char *path = scratch_text("%s/outboard-config-0123.tmp", bed->path);
	scratch_write(path, "x", 1, 0600);
	assert_int_equal(obi_statedir_lock(&dir, NULL), OB_OK);
	assert_int_equal(access(path, F_OK), -1);
	obi_statedir_close(&dir);
	free(path);
}

static void a_changed_mode_of_a_lock_is_set_back(void **state)
{
	const struct bed *bed = *state;
	struct obi_statedir dir = open_dir(bed);
	char *path = scratch_text("%s/parent.lock", bed->path);
	assert_int_equal(obi_statedir_lock(&dir, NULL), OB_OK);
	obi_statedir_unlock(&dir);
	assert_int_equal(chmod(path, 0), 0);
	assert_int_equal(obi_statedir_lock(&dir, NULL), OB_OK);
	obi_statedir_close(&dir);
	free(path);
}

static void the_lock_of_a_child_is_read_only_and_named(void **state)
{
	struct obi_statedir dir = open_dir(*state);
	struct obi_lock_id id, same;
	int fd = -1;
	assert_false(is_held(&dir));
	assert_int_equal(obi_statedir_make_lock(&dir, &fd, &id, NULL), OB_OK);
	assert_true(is_held(&dir));
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(obi_lock_id_of(fd, &same, NULL), OB_OK);
	assert_string_equal(id.text, same.text);
	close(fd);
	assert_false(is_held(&dir));
	obi_statedir_close(&dir);
}

static void a_holder_of_an_old_lock_does_not_count(void **state)
{
	struct obi_statedir dir = open_dir(*state);
	struct obi_lock_id old_id, new_id;
	int old = -1, new = -1;
	assert_int_equal(obi_statedir_make_lock(&dir, &old, &old_id, NULL), OB_OK);
	assert_int_equal(obi_statedir_make_lock(&dir, &new, &new_id, NULL), OB_OK);
	assert_string_not_equal(old_id.text, new_id.text);
	close(new);
	assert_false(is_held(&dir));
	close(old);
	obi_statedir_close(&dir);
}

/* ---- The signature ---- */

static void a_signature_is_read_back(void **state)
{
	struct obi_statedir dir = open_dir(*state);
	int32_t pid = 0;
	uint64_t noted = 0;
	int fd = -1;
	assert_int_equal(obi_statedir_read_start(&dir, &pid, &noted, NULL), OB_ENOENT);
	assert_int_equal(obi_statedir_make_start(&dir, &fd, NULL), OB_OK);
	assert_int_equal(obi_statedir_read_start(&dir, &pid, &noted, NULL), OB_ENOENT);
	assert_int_equal(write(fd, "4711 123456789\n", 15), 15);
	close(fd);
	assert_int_equal(obi_statedir_read_start(&dir, &pid, &noted, NULL), OB_OK);
	assert_int_equal(pid, 4711);
	assert_int_equal(noted, 123456789);
	assert_int_equal(obi_statedir_make_start(&dir, &fd, NULL), OB_OK);
	assert_int_equal(obi_statedir_read_start(&dir, &pid, &noted, NULL), OB_ENOENT);
	close(fd);
	obi_statedir_close(&dir);
}

/* The numbers of another boot may fit any process of this one. */
static void a_signature_of_another_boot_is_void(void **state)
{
	const struct bed *bed = *state;
	static const char other[] = "00000000-0000-4000-8000-000000000000 1 99999999999999\n";
	struct obi_statedir dir = open_dir(bed);
	char *path = scratch_text("%s/start", bed->path);
	int32_t pid;
	uint64_t noted;
	scratch_write(path, other, sizeof other - 1, 0600);
	assert_int_equal(obi_statedir_read_start(&dir, &pid, &noted, NULL), OB_ENOENT);
	assert_int_equal(unlink(path), 0);
	scratch_write(path, other + 37, sizeof other - 38, 0600);
	assert_int_equal(obi_statedir_read_start(&dir, &pid, &noted, NULL), OB_ENOENT);
	free(path);
	obi_statedir_close(&dir);
}

static void a_malformed_signature_is_none(void **state)
{
	static const char *const bad[] = {
	    "", "1", "1 99999999999999999999999", "x 1\n", "-5 1\n", "0 1\n", "99999999999 1\n"};
	struct obi_statedir dir = open_dir(*state);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		int32_t pid;
		uint64_t noted;
		int fd = -1;
		assert_int_equal(obi_statedir_make_start(&dir, &fd, NULL), OB_OK);
		assert_int_equal(write(fd, bad[i], strlen(bad[i])), (ssize_t)strlen(bad[i]));
		close(fd);
		assert_int_equal(obi_statedir_read_start(&dir, &pid, &noted, NULL), OB_ENOENT);
	}
	obi_statedir_close(&dir);
}

/* ---- Who is there ---- */

static struct obi_procid ourselves(void)
{
	struct obi_process process;
	assert_int_equal(obi_process_open_pid(getpid(), UINT64_MAX, &process, NULL), OB_OK);
	struct obi_procid id = process.id;
	obi_process_close(&process);
	return id;
}

static struct obi_runner probe(const struct obi_statedir *dir, const struct obi_procid *known)
{
	struct obi_runner runner;
	struct ob_error err = {0};
	if (obi_statedir_probe(dir, known, &runner, &err) < 0) {
		fail_msg("%s", err.text);
	}
	struct obi_procid id = runner.process.id;
	obi_process_close(&runner.process);
	runner.process.id = id;
	return runner;
}

static void sign(const struct obi_statedir *dir, int32_t pid)
{
	int fd = -1;
	assert_int_equal(obi_statedir_make_start(dir, &fd, NULL), OB_OK);
	assert_true(dprintf(fd, "%d 9999999999999999\n", (int)pid) > 0);
	close(fd);
}

static void nothing_lives_in_a_new_directory(void **state)
{
	static const struct obi_procid nobody;
	struct obi_statedir dir = open_dir(*state);
	struct obi_runner runner = probe(&dir, &nobody);
	assert_false(runner.alive || runner.held || runner.recorded);
	obi_statedir_close(&dir);
}

static void a_recorded_process_lives_whether_it_holds_the_lock_or_not(void **state)
{
	struct obi_statedir dir = open_dir(*state);
	struct obi_procid us = ourselves();
	struct obi_lock_id id;
	int lock = -1;
	struct obi_runner runner = probe(&dir, &us);
	assert_true(runner.alive && runner.recorded && !runner.held);
	assert_int_equal(runner.process.id.pid, getpid());
	assert_int_equal(obi_statedir_make_lock(&dir, &lock, &id, NULL), OB_OK);
	runner = probe(&dir, &us);
	assert_true(runner.alive && runner.recorded && runner.held);
	close(lock);
	obi_statedir_close(&dir);
}

static void fault_8_child_without_a_record_is_found_by_its_signature(void **state)
{
	static const struct obi_procid nobody;
	struct obi_statedir dir = open_dir(*state);
	struct obi_procid dead = ourselves();
	sign(&dir, getpid());
	struct obi_runner runner = probe(&dir, &nobody);
	assert_true(runner.alive && !runner.recorded);
	/* It is the recorded one, and that one is dead. */
	dead.start += 2;
	runner = probe(&dir, &dead);
	assert_false(runner.alive || runner.recorded);
	obi_statedir_close(&dir);
}

/* Its parent died before it was recorded, and then it died, too. */
static void a_dead_process_that_only_signed_names_its_group(void **state)
{
	struct obi_statedir dir = open_dir(*state);
	struct obi_procid dead = ourselves();
	dead.pid++;
	sign(&dir, INT32_MAX); /* no process has this pid */
	struct obi_runner runner = probe(&dir, &dead);
	assert_false(runner.alive);
	assert_int_equal(runner.process.id.pid, INT32_MAX);
	assert_string_equal(runner.process.id.boot, dead.boot);
	obi_statedir_close(&dir);
}

static void a_lock_without_a_process_is_held(void **state)
{
	struct obi_statedir dir = open_dir(*state);
	struct obi_procid dead = ourselves();
	struct obi_lock_id id;
	int lock = -1;
	dead.start += 2;
	assert_int_equal(obi_statedir_make_lock(&dir, &lock, &id, NULL), OB_OK);
	struct obi_runner runner = probe(&dir, &dead);
	assert_true(!runner.alive && !runner.recorded && runner.held);
	close(lock);
	obi_statedir_close(&dir);
}

#define WITH_BED(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_BED(it_is_made_closed_to_others),
	    WITH_BED(a_changed_mode_is_set_back),
	    WITH_BED(a_link_or_a_file_in_its_place_is_refused),
	    WITH_BED(another_users_directory_is_refused_and_not_changed),
	    WITH_BED(one_connector_is_in_charge),
	    WITH_BED(temporary_files_of_a_dead_parent_are_removed),
	    WITH_BED(a_changed_mode_of_a_lock_is_set_back),
	    WITH_BED(the_lock_of_a_child_is_read_only_and_named),
	    WITH_BED(a_holder_of_an_old_lock_does_not_count),
	    WITH_BED(a_signature_is_read_back),
	    WITH_BED(a_signature_of_another_boot_is_void),
	    WITH_BED(a_malformed_signature_is_none),
	    WITH_BED(nothing_lives_in_a_new_directory),
	    WITH_BED(a_recorded_process_lives_whether_it_holds_the_lock_or_not),
	    WITH_BED(fault_8_child_without_a_record_is_found_by_its_signature),
	    WITH_BED(a_dead_process_that_only_signed_names_its_group),
	    WITH_BED(a_lock_without_a_process_is_held),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
