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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_failure_of_a_socket_has_a_code),
	    cmocka_unit_test(a_connected_socket_is_done),
	};
	return cmocka_run_group_tests_name("socket_code", tests, NULL, NULL);
}
