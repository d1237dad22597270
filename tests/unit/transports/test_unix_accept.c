/* SPDX-License-Identifier: MIT */
/* The unix transport's accept: connections, failures, descriptors. */
#include "unit/transports/unix_bed.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

static void accept_without_a_connection_says_again(void **state)
{
	struct bed *bed = *state;
	char *path = bed_path(bed, "s");
	struct ob_listener *listener = must_listen(bed, path);
	struct ob_stream *stream = NULL;
	assert_int_equal(bed->ops->accept(listener, &stream, NULL), OB_EAGAIN);
	assert_null(stream);
	bed->ops->listener_close(listener);
	free(path);
}

static void fault_35_accept_without_descriptors_fails_and_recovers(void **state)
{
	struct bed *bed = *state;
	char *path = bed_path(bed, "s");
	struct ob_listener *listener = must_listen(bed, path);
	struct ob_stream *client = must_dial(bed, path), *server;
	struct rlimit limit, none;
	struct ob_error err;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	int rc = bed->ops->accept(listener, &server, &err);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(rc, OB_ENOMEM);
	assert_int_equal(err.sys, EMFILE);
	bed->ops->close(must_accept(bed, listener));
	bed->ops->close(client);
	bed->ops->listener_close(listener);
	free(path);
}

static void a_connection_that_left_before_accept_is_taken_and_ends(void **state)
{
	struct bed *bed = *state;
	char *path = bed_path(bed, "s");
	struct ob_listener *listener = must_listen(bed, path);
	bed->ops->close(must_dial(bed, path));
	struct ob_stream *server = must_accept(bed, listener);
	char byte;
	struct iovec piece = {&byte, 1};
	assert_int_equal(bed->ops->readv(server, &piece, 1, NULL), 0);
	bed->ops->close(server);
	bed->ops->listener_close(listener);
	free(path);
}

static void descriptors_are_non_blocking_and_close_on_exec(void **state)
{
	struct bed *bed = *state;
	char *path = bed_path(bed, "s");
	struct pair c = must_connect(bed, path);
	int fds[] = {bed->ops->listener_fd(c.listener), bed->ops->fd(c.client),
		     bed->ops->fd(c.server)};
	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
		assert_true((fcntl(fds[i], F_GETFL) & O_NONBLOCK) != 0);
		assert_true((fcntl(fds[i], F_GETFD) & FD_CLOEXEC) != 0);
	}
	close_pair(bed, &c);
	free(path);
}

static void a_thousand_connections_leave_nothing_open(void **state)
{
	struct bed *bed = *state;
	char *path = bed_path(bed, "s");
	struct ob_listener *listener = must_listen(bed, path);
	int before = scratch_open_fds();
	for (int i = 0; i < 1000; i++) {
		struct ob_stream *client = must_dial(bed, path),
				 *server = must_accept(bed, listener);
		struct ob_peer peer = {.size = sizeof peer, .pidfd = -1};
		assert_int_equal(bed->ops->peer(server, &peer, NULL), OB_OK);
		bed->ops->close(i % 2 == 0 ? client : server);
		bed->ops->close(i % 2 == 0 ? server : client);
	}
	assert_int_equal(scratch_open_fds(), before);
	bed->ops->listener_close(listener);
	free(path);
}

/* ---- Faults of accept4 itself ---- */

/* The errno of the next accept4() of this process; 0: none, ask the kernel. */
static int inject;

/* Replaces the function of the C library, also in the plugin. */
__attribute__((visibility("default"))) int accept4(int fd, void *addr, void *len, int flags)
{
	if (inject != 0) {
		errno = inject;
		return -1;
	}
	return (int)syscall(SYS_accept4, fd, addr, len, flags);
}

static void assert_accept_survives(void **state, const int *errors, size_t count, int code)
{
	struct bed *bed = *state;
	char *path = bed_path(bed, "s");
	struct ob_listener *listener = must_listen(bed, path);
	struct ob_stream *client = must_dial(bed, path), *server = NULL;
	for (size_t i = 0; i < count; i++) {
		inject = errors[i];
		int rc = bed->ops->accept(listener, &server, NULL);
		inject = 0;
		assert_int_equal(rc, code);
		assert_null(server);
	}
	bed->ops->close(must_accept(bed, listener));
	bed->ops->close(client);
	bed->ops->listener_close(listener);
	free(path);
}

static void fault_36_a_connection_that_fails_in_accept_is_skipped(void **state)
{
	static const int errors[] = {ECONNABORTED, EPROTO, EPERM, EINTR, ENETDOWN, EHOSTUNREACH};
	assert_accept_survives(state, errors, sizeof errors / sizeof *errors, OB_EAGAIN);
}

static void fault_35_every_shortage_in_accept_has_one_code(void **state)
{
	static const int errors[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM};
	assert_accept_survives(state, errors, sizeof errors / sizeof *errors, OB_ENOMEM);
}

static void other_failures_of_accept_are_final(void **state)
{
	static const int errors[] = {EBADF, EINVAL, ENOTSOCK};
	assert_accept_survives(state, errors, sizeof errors / sizeof *errors, OB_EIO);
}

/* ---- Frame ---- */

static int setup(void **state)
{
	bed_begin(*state);
	return 0;
}

static int teardown(void **state)
{
	return bed_end(*state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(accept_without_a_connection_says_again),
	    TEST(fault_35_accept_without_descriptors_fails_and_recovers),
	    TEST(a_connection_that_left_before_accept_is_taken_and_ends),
	    TEST(descriptors_are_non_blocking_and_close_on_exec),
	    TEST(a_thousand_connections_leave_nothing_open),
	    TEST(fault_36_a_connection_that_fails_in_accept_is_skipped),
	    TEST(fault_35_every_shortage_in_accept_has_one_code),
	    TEST(other_failures_of_accept_are_final),
	};
	return cmocka_run_group_tests(tests, unix_group_setup, unix_group_teardown);
}
