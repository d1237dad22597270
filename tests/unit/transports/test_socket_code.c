/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the headers above first */
#include <cmocka.h>

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transports/common/stream.h"

static void every_failure_of_a_socket_has_a_code(void **state)
{
	static const struct {
		int sys, code;
	} table[] = {
	    {EAGAIN, OB_EAGAIN},	{ECONNREFUSED, OB_EREFUSED}, {ENOENT, OB_ENOENT},
	    {ENOTDIR, OB_ENOENT},	{EACCES, OB_EPERM},	     {EPERM, OB_EPERM},
	    {EADDRINUSE, OB_EEXIST},	{EINVAL, OB_EINVAL},	     {ENAMETOOLONG, OB_EINVAL},
	    {EAFNOSUPPORT, OB_EINVAL},	{EADDRNOTAVAIL, OB_EINVAL},  {ETIMEDOUT, OB_ETIMEDOUT},
	    {ECONNRESET, OB_ECONNLOST}, {EMFILE, OB_ENOMEM},	     {ENFILE, OB_ENOMEM},
	    {ENOBUFS, OB_ENOMEM},	{ENOMEM, OB_ENOMEM},	     {ENETUNREACH, OB_EIO},
	};
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		assert_int_equal(obi_socket_code(table[i].sys), table[i].code);
	}
}

static void a_connected_socket_is_done(void **state)
{
	int pair[2];
	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(obi_connect_outcome(pair[0]), 0);
	close(pair[0]);
	close(pair[1]);
}

static int send_buffer(int fd)
{
	int size = 0;
	socklen_t len = sizeof size;
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &len), 0);
	return size;
}

static void room_to_send_only_grows(void **state)
{
	int pair[2];
	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	int usual = send_buffer(pair[0]);
	obi_stream_send_room(pair[0], usual / 4);
	assert_int_equal(send_buffer(pair[0]), usual);
	obi_stream_send_room(pair[0], usual);
	assert_true(send_buffer(pair[0]) > usual);
	assert_int_equal(send_buffer(pair[1]), usual);
	obi_stream_send_room(pair[0], usual / 4);
	assert_true(send_buffer(pair[0]) > usual);
	close(pair[0]);
	close(pair[1]);
	obi_stream_send_room(-1, usual); /* what is no socket is left alone */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_failure_of_a_socket_has_a_code),
	    cmocka_unit_test(a_connected_socket_is_done),
	    cmocka_unit_test(room_to_send_only_grows),
	};
	return cmocka_run_group_tests_name("socket_code", tests, NULL, NULL);
}
