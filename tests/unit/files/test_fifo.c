/* SPDX-License-Identifier: MIT */
/* The pipes for the output of a child. */
#include "files/fifo.h"
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

#define NAME "stdout.fifo"

static int make(const struct scratch_place *place, uint32_t bytes, struct obi_fifo *ret,
		struct ob_error *err)
{
	return obi_fifo_make(place->fd, NAME, "stdout", bytes, (uid_t)-1, (gid_t)-1, ret, err);
}

static void fault_57_opening_never_waits_for_the_other_side(void **unused)
{
	(void)unused;
	struct stat st;
	struct scratch_place place = scratch_make_place();
	struct obi_fifo fifo = OBI_FIFO_NONE;
	mode_t was = umask(0);
	assert_int_equal(make(&place, 256 * 1024, &fifo, NULL), OB_OK);
	umask(was);
	assert_int_equal(fstat(fifo.fd, &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(fcntl(fifo.fd, F_GETPIPE_SZ), 256 * 1024);
	/* Each end is an open file of its own, so what one sets the other does not see. */
	assert_true(fcntl(fifo.fd, F_GETFL) & O_NONBLOCK);
	assert_false(fcntl(fifo.child_fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fifo.fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(fifo.child_fd, F_GETFD) & FD_CLOEXEC);
	obi_fifo_close(&fifo);
	assert_int_equal(fifo.fd, -1);
	obi_fifo_close(&fifo);
	scratch_remove_place(&place);
}

static void fault_62_what_was_written_waits_for_the_next_parent(void **unused)
{
	(void)unused;
	char text[16] = {0};
	struct scratch_place place = scratch_make_place();
	struct obi_fifo fifo = OBI_FIFO_NONE, next = OBI_FIFO_NONE;
	assert_int_equal(make(&place, 65536, &fifo, NULL), OB_OK);
	int child = fcntl(fifo.child_fd, F_DUPFD_CLOEXEC, 0);
	assert_int_equal(write(child, "before\n", 7), 7);
	obi_fifo_close(&fifo); /* the parent dies */
	assert_int_equal(write(child, "after\n", 6), 6);
	assert_int_equal(obi_fifo_open(place.fd, NAME, "stdout", geteuid(), &next, NULL), OB_OK);
	assert_int_equal(next.child_fd, -1);
	assert_int_equal(read(next.fd, text, sizeof text), 13);
	assert_memory_equal(text, "before\nafter\n", 13);
	/* No writer is no end of file, and no data is no wait. */
	close(child);
	assert_int_equal(read(next.fd, text, sizeof text), -1);
	assert_int_equal(errno, EAGAIN);
	obi_fifo_close(&next);
	scratch_remove_place(&place);
}

static void making_replaces_an_existing_file(void **unused)
{
	(void)unused;
	char byte;
	struct scratch_place place = scratch_make_place();
	struct obi_fifo old = OBI_FIFO_NONE, fresh = OBI_FIFO_NONE;
	assert_int_equal(make(&place, 65536, &old, NULL), OB_OK);
	assert_int_equal(write(old.child_fd, "x", 1), 1);
	assert_int_equal(make(&place, 65536, &fresh, NULL), OB_OK);
	assert_int_equal(read(fresh.fd, &byte, 1), -1);
	obi_fifo_close(&old);
	obi_fifo_close(&fresh);
	assert_int_equal(unlinkat(place.fd, NAME, 0), 0);

	/* A link is replaced, not followed. */
	char *victim = scratch_text("%s/victim", place.path);
	scratch_write(victim, "precious", 8, 0600);
	assert_int_equal(symlinkat(victim, place.fd, NAME), 0);
	assert_int_equal(make(&place, 65536, &fresh, NULL), OB_OK);
	struct stat st;
	assert_int_equal(stat(victim, &st), 0);
	assert_int_equal(st.st_size, 8);
	obi_fifo_close(&fresh);
	free(victim);
	scratch_remove_place(&place);
}

static void only_the_owner_may_open(const struct scratch_place *place, const char *path)
{
	struct obi_fifo fifo = OBI_FIFO_NONE;
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(chown(path, 65533, 65533), 0);
	assert_int_equal(obi_fifo_open(place->fd, NAME, "stdout", 65532, &fifo, NULL), OB_EPERM);
	assert_int_equal(obi_fifo_open(place->fd, NAME, "stdout", 65533, &fifo, NULL), OB_OK);
	obi_fifo_close(&fifo);
	assert_int_equal(unlink(path), 0);
}

static void fault_61_what_is_no_fifo_of_ours_is_refused(void **unused)
{
	(void)unused;
	struct ob_error err = {0};
	struct scratch_place place = scratch_make_place();
	struct obi_fifo fifo = OBI_FIFO_NONE;
	int fds = scratch_open_fds();
	assert_int_equal(obi_fifo_open(place.fd, NAME, "stdout", geteuid(), &fifo, &err),
			 OB_ENOENT);
	assert_string_equal(err.text, "opening stdout FIFO: No such file or directory");

	char *path = scratch_text("%s/" NAME, place.path),
	     *target = scratch_text("%s/target", place.path);
	scratch_write(path, "x", 1, 0600);
	assert_int_equal(obi_fifo_open(place.fd, NAME, "stdout", geteuid(), &fifo, &err), OB_EPERM);
	assert_string_equal(err.text,
			    "opening stdout FIFO: not a FIFO, or it belongs to another user");
	assert_int_equal(unlink(path), 0);

	assert_int_equal(mkfifo(target, 0600), 0);
	assert_int_equal(symlink(target, path), 0);
	assert_int_equal(obi_fifo_open(place.fd, NAME, "stdout", geteuid(), &fifo, &err), OB_EPERM);
	assert_int_equal(unlink(path), 0);

	if (geteuid() == 0) {
		only_the_owner_may_open(&place, path);
	}
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(make(&place, 65536, &fifo, &err), OB_EIO);
	assert_string_equal(err.text, "creating stdout FIFO: Is a directory");
	assert_int_equal(fifo.fd, -1);
	assert_int_equal(scratch_open_fds(), fds);
	free(target);
	free(path);
	scratch_remove_place(&place);
}

static void pipe_size_is_limited_by_the_system(void **unused)
{
	(void)unused;
	struct scratch_place place = scratch_make_place();
	struct obi_fifo fifo = OBI_FIFO_NONE;
	assert_int_equal(make(&place, UINT32_MAX, &fifo, NULL), OB_OK);
	assert_true(fcntl(fifo.fd, F_GETPIPE_SZ) >= 4096);
	obi_fifo_close(&fifo);
	scratch_remove_place(&place);
}

static void fifo_can_be_given_to_the_child(void **unused)
{
	(void)unused;
	struct stat st;
	if (geteuid() != 0) {
		print_message("skipped: only root can do that\n");
		skip();
	}
	struct scratch_place place = scratch_make_place();
	struct obi_fifo fifo = OBI_FIFO_NONE;
	assert_int_equal(obi_fifo_make(place.fd, NAME, "stdout", 65536, 65533, 65532, &fifo, NULL),
			 OB_OK);
	assert_int_equal(fstat(fifo.fd, &st), 0);
	assert_int_equal(st.st_uid, 65533);
	assert_int_equal(st.st_gid, 65532);
	obi_fifo_close_child(&fifo);
	assert_int_equal(fifo.child_fd, -1);
	assert_true(fifo.fd >= 0);
	obi_fifo_close(&fifo);
	scratch_remove_place(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fault_57_opening_never_waits_for_the_other_side),
	    cmocka_unit_test(fault_62_what_was_written_waits_for_the_next_parent),
	    cmocka_unit_test(making_replaces_an_existing_file),
	    cmocka_unit_test(fault_61_what_is_no_fifo_of_ours_is_refused),
	    cmocka_unit_test(pipe_size_is_limited_by_the_system),
	    cmocka_unit_test(fifo_can_be_given_to_the_child),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
