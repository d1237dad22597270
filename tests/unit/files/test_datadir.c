/* SPDX-License-Identifier: MIT */
/* The data directory: its owner, its locks, the processes that hold them, and its files. */
#include "files/child_config.h"
#include "files/datadir.h"
#include "files/fifo.h"
#include "process/spawn.h"
#include "support/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { DEADLINE = 20000 };

#define SHELL(script) ((const char *const[]){"/bin/sh", "-c", script, NULL})

static const struct obi_procid NOBODY;

static struct obi_datadir open_dir(const char *path)
{
	struct obi_datadir dir = OBI_DATADIR_NONE;
	struct ob_error err = {0};
	if (obi_datadir_open(path, true, geteuid(), getegid(), &dir, &err) < 0) {
		fail_msg("%s", err.text);
	}
	return dir;
}

static void expect_refused(const char *path, bool create, int code, const char *reason)
{
	struct obi_datadir dir = OBI_DATADIR_NONE;
	struct ob_error err = {0};
	int fds = scratch_open_fds();
	assert_int_equal(obi_datadir_open(path, create, geteuid(), getegid(), &dir, &err), code);
	char *text = scratch_text("creating data directory: %s%s", path, reason);
	assert_string_equal(err.text, text);
	assert_int_equal(dir.fd, -1);
	assert_int_equal(scratch_open_fds(), fds);
	free(text);
}

/* ---- The directory ---- */

static void directory_is_made_with_those_above_it(void **unused)
{
	(void)unused;
	struct stat st;
	char *scratch = scratch_make(), *path = scratch_text("%s/a/b//c/", scratch),
	     *above = scratch_text("%s/a", scratch);
	mode_t was = umask(0);
	struct obi_datadir dir = open_dir(path);
	umask(was);
	assert_string_equal(dir.path, path);
	assert_int_equal(fstat(dir.fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(above, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	obi_datadir_close(&dir);
	assert_int_equal(dir.fd, -1);
	obi_datadir_close(&dir);
	/* It is there now. */
	dir = open_dir(path);
	obi_datadir_close(&dir);
	free(above);
	free(path);
	scratch_remove(scratch);
}

static void directory_of_others_or_open_to_others_is_refused(void **unused)
{
	(void)unused;
	char *scratch = scratch_make(), *path = scratch_text("%s/d", scratch),
	     *other = scratch_text("%s/x", scratch);
	expect_refused(path, false, OB_ENOENT, ": No such file or directory");
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chmod(path, 0750), 0);
	expect_refused(path, true, OB_EPERM,
		       ": accessible to group or others (mode 0750, not 0700)");
	assert_int_equal(chmod(path, 0700), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(path, 65533, 65533), 0);
		expect_refused(path, true, OB_EPERM, ": belongs to user 65533");
		assert_int_equal(chown(path, 0, 0), 0);
	}
	assert_int_equal(symlink(path, other), 0);
	expect_refused(other, true, OB_EIO, ": Not a directory");
	assert_int_equal(unlink(other), 0);
	scratch_write(other, "", 0, 0600);
	expect_refused(other, true, OB_EIO, ": Not a directory");
	struct ob_error err = {0};
	struct obi_datadir dir;
	assert_int_equal(obi_datadir_open("relative", true, geteuid(), getegid(), &dir, &err),
			 OB_EINVAL);
	assert_string_equal(err.text,
			    "creating data directory: \"relative\" is not an absolute path");
	free(other);
	free(path);
	scratch_remove(scratch);
}

static void directory_is_given_to_a_child_of_another_user(void **unused)
{
	(void)unused;
	struct stat st;
	struct obi_datadir dir;
	struct ob_config config = {.size = sizeof config}, back = {.size = sizeof back};
	if (geteuid() != 0) {
		print_message("skipped: only root can do that\n");
		skip();
	}
	char *scratch = scratch_make();
	assert_int_equal(obi_datadir_open(scratch, true, 65533, 65532, &dir, NULL), OB_OK);
	assert_int_equal(fstat(dir.fd, &st), 0);
	assert_int_equal(st.st_uid, 65533);
	assert_int_equal(st.st_gid, 65532);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(obi_datadir_write_config(&dir, &config, NULL), OB_OK);
	assert_int_equal(fstatat(dir.fd, OBI_FILE_CONFIG, &st, 0), 0);
	assert_int_equal(st.st_uid, 65533);
	assert_int_equal(obi_datadir_read_config(&dir, &back, NULL), OB_OK);
	obi_child_config_clear(&back);
	obi_datadir_close(&dir);
	/* And is that child's the next time too. */
	assert_int_equal(obi_datadir_open(scratch, true, 65533, 65532, &dir, NULL), OB_OK);
	obi_datadir_close(&dir);
	scratch_remove(scratch);
}

/* ---- Locks ---- */

static void one_connector_holds_a_directory(void **unused)
{
	(void)unused;
	struct ob_error err = {0};
	char *scratch = scratch_make();
	struct obi_datadir one = open_dir(scratch), two = open_dir(scratch);
	assert_int_equal(obi_datadir_lock(&one, &err), OB_OK);
	assert_int_equal(obi_datadir_lock(&one, &err), OB_OK);
	assert_int_equal(obi_datadir_lock(&two, &err), OB_EBUSY);
	char *text = scratch_text("another connector holds %s", scratch);
	assert_string_equal(err.text, text);
	obi_datadir_unlock(&one);
	obi_datadir_unlock(&one);
	assert_int_equal(obi_datadir_lock(&two, &err), OB_OK);
	obi_datadir_close(&two);
	assert_int_equal(obi_datadir_lock(&one, &err), OB_OK);
	obi_datadir_close(&one);
	free(text);
	scratch_remove(scratch);
}

static void lock_that_is_no_file_is_refused(void **unused)
{
	(void)unused;
	struct ob_error err = {0};
	struct obi_occupant occupant;
	int lock;
	char *scratch = scratch_make();
	struct obi_datadir dir = open_dir(scratch);
	assert_int_equal(symlinkat("/etc/hostname", dir.fd, "parent.lock"), 0);
	assert_int_equal(symlinkat("/etc/hostname", dir.fd, "outboard.lock"), 0);
	assert_int_equal(obi_datadir_lock(&dir, &err), OB_EIO);
	assert_int_equal(obi_datadir_probe(&dir, &NOBODY, &occupant, &err), OB_EIO);
	assert_int_equal(unlinkat(dir.fd, "parent.lock", 0) | unlinkat(dir.fd, "outboard.lock", 0),
			 0);
	assert_int_equal(
	    mkfifoat(dir.fd, "parent.lock", 0600) | mkfifoat(dir.fd, "outboard.lock", 0600), 0);
	assert_int_equal(obi_datadir_lock(&dir, &err), OB_EPERM);
	assert_int_equal(obi_datadir_probe(&dir, &NOBODY, &occupant, &err), OB_EPERM);
	assert_int_equal(obi_datadir_lock_child(&dir, &lock, &err), OB_EPERM);
	obi_datadir_close(&dir);
	scratch_remove(scratch);
}

/* A child in dir that holds outboard.lock. */
static struct obi_process start_child(struct obi_datadir *dir,
				      const struct ob_connector_options *options, int out)
{
	int lock = -1, null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct ob_error err = {0};
	struct obi_process process = OBI_PROCESS_NONE;
	assert_int_equal(obi_datadir_lock_child(dir, &lock, &err), OB_OK);
	struct obi_spawn spawn = {.options = options,
				  .config_path = "/d",
				  .out_fd = out >= 0 ? out : null,
				  .err_fd = null,
				  .lock_fd = lock};
	if (obi_spawn(&spawn, &process, &err) < 0) {
		fail_msg("%s", err.text);
	}
	close(lock);
	close(null);
	return process;
}

static void end_child(struct obi_process *process)
{
	struct pollfd p = {.fd = process->pidfd, .events = POLLIN};
	struct obi_exit end;
	obi_process_signal(process, SIGKILL, NULL);
	assert_int_equal(poll(&p, 1, DEADLINE), 1);
	assert_int_equal(obi_process_end(process, &end), OB_OK);
}

static struct obi_occupant probe(const struct obi_datadir *dir, const struct obi_procid *known)
{
	struct obi_occupant occupant;
	struct ob_error err = {0};
	if (obi_datadir_probe(dir, known, &occupant, &err) < 0) {
		fail_msg("%s", err.text);
	}
	return occupant;
}

static void empty_directory_is_unoccupied(void **unused)
{
	(void)unused;
	int lock;
	char *scratch = scratch_make();
	struct obi_datadir dir = open_dir(scratch);
	assert_int_equal(probe(&dir, &NOBODY).kind, OBI_OCCUPANT_NONE);
	assert_int_equal(faccessat(dir.fd, "outboard.lock", F_OK, 0),
			 -1); /* looking makes nothing */
	assert_int_equal(obi_datadir_lock_child(&dir, &lock, NULL), OB_OK);
	assert_int_equal(probe(&dir, &NOBODY).kind, OBI_OCCUPANT_LEFTOVERS);
	close(lock);
	assert_int_equal(probe(&dir, &NOBODY).kind, OBI_OCCUPANT_NONE);
	obi_datadir_close(&dir);
	scratch_remove(scratch);
}

static void live_child_is_found_by_its_record(void **unused)
{
	(void)unused;
	int lock;
	struct ob_connector_options options = {.argv = SHELL("exec sleep 1000")};
	char *scratch = scratch_make();
	struct obi_datadir dir = open_dir(scratch);
	struct obi_process child = start_child(&dir, &options, -1);
	struct obi_occupant occupant = probe(&dir, &child.id);
	assert_int_equal(occupant.kind, OBI_OCCUPANT_LIVE);
	assert_true(occupant.recorded);
	assert_true(obi_procid_equal(&occupant.process.id, &child.id));
	obi_process_close(&occupant.process);
	/* Looking took nothing, and nobody gets in beside it. */
	assert_int_equal(obi_datadir_lock_child(&dir, &lock, NULL), OB_EBUSY);
	end_child(&child);
	assert_int_equal(probe(&dir, &occupant.process.id).kind, OBI_OCCUPANT_NONE);
	assert_int_equal(obi_datadir_lock_child(&dir, &lock, NULL), OB_OK);
	close(lock);
	obi_datadir_close(&dir);
	scratch_remove(scratch);
}

static void fault_8_child_without_a_record_is_found_by_its_signature(void **unused)
{
	(void)unused;
	struct ob_connector_options options = {.argv = SHELL("exec sleep 1000")};
	char *scratch = scratch_make();
	struct obi_datadir dir = open_dir(scratch);
	/* state.json may be that of the child before. */
	struct obi_process before = start_child(&dir, &options, -1);
	struct obi_procid old = before.id;
	end_child(&before);
	struct obi_process child = start_child(&dir, &options, -1);
	const struct obi_procid *known[] = {&NOBODY, &old};
	for (int i = 0; i < 2; i++) {
		struct obi_occupant occupant = probe(&dir, known[i]);
		assert_int_equal(occupant.kind, OBI_OCCUPANT_LIVE);
		assert_false(occupant.recorded);
		assert_true(obi_procid_equal(&occupant.process.id, &child.id));
		obi_process_close(&occupant.process);
	}
	end_child(&child);
	obi_datadir_close(&dir);
	scratch_remove(scratch);
}

static void leftovers_are_distinguished_from_a_child_and_killed(void **unused)
{
	(void)unused;
	struct ob_connector_options options = {.argv = SHELL("sleep 1000 & exit 0")};
	struct flock wait = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char *scratch = scratch_make();
	struct obi_datadir dir = open_dir(scratch);
	struct obi_process child = start_child(&dir, &options, -1);
	struct obi_procid id = child.id;
	assert_int_equal(waitpid(id.pid, NULL, 0), id.pid);
	obi_process_close(&child);
	/* With a record of it and without: its number is in the lock. */
	const struct obi_procid *known[] = {&id, &NOBODY};
	struct obi_occupant occupant;
	for (int i = 0; i < 2; i++) {
		occupant = probe(&dir, known[i]);
		assert_int_equal(occupant.kind, OBI_OCCUPANT_LEFTOVERS);
		assert_int_equal(occupant.process.pidfd, -1);
		assert_int_equal(occupant.process.id.pid, id.pid);
	}
	assert_int_equal(obi_leftovers_kill(&occupant.process.id, NULL), OB_OK);
	int fd = openat(dir.fd, "outboard.lock", O_RDWR | O_CLOEXEC);
	assert_int_equal(fcntl(fd, F_OFD_SETLKW, &wait),
			 0); /* until the kernel has closed it for them */
	close(fd);
	assert_int_equal(probe(&dir, &id).kind, OBI_OCCUPANT_NONE);
	obi_datadir_close(&dir);
	scratch_remove(scratch);
}

static void lock_of_leftovers_that_stay_is_replaced(void **unused)
{
	(void)unused;
	int old, lock;
	char *scratch = scratch_make();
	struct obi_datadir dir = open_dir(scratch);
	assert_int_equal(obi_datadir_lock_child(&dir, &old, NULL), OB_OK);
	assert_int_equal(obi_datadir_lock_child(&dir, &lock, NULL), OB_EBUSY);
	assert_int_equal(obi_datadir_replace_lock(&dir, NULL), OB_OK);
	assert_int_equal(probe(&dir, &NOBODY).kind, OBI_OCCUPANT_NONE);
	assert_int_equal(obi_datadir_lock_child(&dir, &lock, NULL), OB_OK);
	close(old);
	assert_int_equal(probe(&dir, &NOBODY).kind, OBI_OCCUPANT_LEFTOVERS);
	close(lock);
	assert_int_equal(obi_datadir_replace_lock(&dir, NULL), OB_OK);
	assert_int_equal(obi_datadir_replace_lock(&dir, NULL), OB_OK);
	obi_datadir_close(&dir);
	scratch_remove(scratch);
}

static void malformed_signatures_are_ignored(void **unused)
{
	(void)unused;
	const char *bad[] = {"",
			     "1",
			     "1 99999999999999999999999",
			     "x 1\n",
			     "-5 1\n",
			     "0 1\n",
			     "4711",
			     "99999999999 1\n"};
	char *scratch = scratch_make();
	struct obi_datadir dir = open_dir(scratch);
	int lock;
	assert_int_equal(obi_datadir_lock_child(&dir, &lock, NULL), OB_OK);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(ftruncate(lock, 0), 0);
		assert_int_equal(pwrite(lock, bad[i], strlen(bad[i]), 0), (ssize_t)strlen(bad[i]));
		struct obi_occupant occupant = probe(&dir, &NOBODY);
		assert_int_equal(occupant.kind, OBI_OCCUPANT_LEFTOVERS);
		assert_int_equal(occupant.process.id.pid, 0);
	}
	close(lock);
	obi_datadir_close(&dir);
	scratch_remove(scratch);
}

static void child_cannot_point_at_processes_of_other_users(void **unused)
{
	(void)unused;
	struct ob_connector_options nobody = {
	    .argv = SHELL("exec sleep 1000"), .user = "65533", .group = "65533"};
	if (geteuid() != 0) {
		print_message("skipped: only root can do that\n");
		skip();
	}
	char *scratch = scratch_make();
	struct obi_datadir dir = open_dir(scratch);
	struct obi_process child = start_child(&dir, &nobody, -1);
	/* The directory is of root's child; what it names runs as 65533. */
	assert_int_equal(probe(&dir, &NOBODY).kind, OBI_OCCUPANT_LEFTOVERS);
	dir.uid = 65533;
	struct obi_occupant occupant = probe(&dir, &NOBODY);
	assert_int_equal(occupant.kind, OBI_OCCUPANT_LIVE);
	obi_process_close(&occupant.process);
	end_child(&child);
	obi_datadir_close(&dir);
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

static void cleaning_removes_own_files_only(void **unused)
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(directory_is_made_with_those_above_it),
	    cmocka_unit_test(directory_of_others_or_open_to_others_is_refused),
	    cmocka_unit_test(directory_is_given_to_a_child_of_another_user),
	    cmocka_unit_test(one_connector_holds_a_directory),
	    cmocka_unit_test(lock_that_is_no_file_is_refused),
	    cmocka_unit_test(empty_directory_is_unoccupied),
	    cmocka_unit_test(live_child_is_found_by_its_record),
	    cmocka_unit_test(fault_8_child_without_a_record_is_found_by_its_signature),
	    cmocka_unit_test(leftovers_are_distinguished_from_a_child_and_killed),
	    cmocka_unit_test(lock_of_leftovers_that_stay_is_replaced),
	    cmocka_unit_test(malformed_signatures_are_ignored),
	    cmocka_unit_test(child_cannot_point_at_processes_of_other_users),
	    cmocka_unit_test(cleaning_removes_own_files_only),
	    cmocka_unit_test(config_texts_are_those_of_the_origin),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
