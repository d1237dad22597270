/* SPDX-License-Identifier: MIT */
/* Numbers that are allocated: real sockets. The ports are above those that the kernel gives away.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/number_lease.h"

static const struct obi_number_range many = {61100, 61999};

/* Of this process, since the same test may run twice at once; and the number behind them. */
static struct obi_number_range cids, moved;

static int choose_cids(void **state)
{
	(void)state;
	cids.first = 3000000000u + 3 * (uint32_t)getpid();
	cids.last = cids.first + 1;
	moved.first = moved.last = cids.first + 2;
	return 0;
}

/* A listener at a port of its own. */
static int listen_at(const struct sockaddr *address, socklen_t size, uint32_t *ret_port)
{
	struct sockaddr_in6 is; /* the port is at the same place in both */
	socklen_t len = sizeof is;
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, address, size), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&is, &len), 0);
	*ret_port = ntohs(is.sin6_port);
	return fd;
}

static int listen_local(uint32_t *ret_port)
{
	const struct sockaddr_in local = {.sin_family = AF_INET,
					  .sin_addr = {htonl(INADDR_LOOPBACK)}};
	return listen_at((const struct sockaddr *)&local, sizeof local, ret_port);
}

static void two_never_get_the_same(void **state)
{
	struct obi_number_lease one = OBI_NUMBER_LEASE_NONE, two = OBI_NUMBER_LEASE_NONE;
	struct ob_error err;
	(void)state;
	assert_int_equal(obi_number_take(&one, OBI_NUMBER_PORT, &many, 0, 5, NULL), OB_OK);
	assert_int_equal(obi_number_take(&two, OBI_NUMBER_PORT, &many, 0, 5, NULL), OB_OK);
	assert_true(obi_range_has(&many, one.number) && obi_range_has(&many, two.number));
	assert_int_not_equal(one.number, two.number);
	const struct obi_number_range both = {one.number, one.number};
	struct obi_number_lease three = OBI_NUMBER_LEASE_NONE;
	assert_int_equal(obi_number_take(&three, OBI_NUMBER_PORT, &both, 0, 0, &err), OB_EBUSY);
	assert_non_null(strstr(err.text, ": 1 are of other children, 0 are in use otherwise"));
	assert_int_equal(three.fd, -1);
	/* A context id of the same number is another one. */
	assert_int_equal(obi_number_take(&three, OBI_NUMBER_CID, &both, 0, 0, &err), OB_OK);
	obi_number_give_back(&three);
	obi_number_give_back(&one);
	obi_number_give_back(&two);
}

static void what_was_given_back_can_be_taken(void **state)
{
	struct obi_number_lease one = OBI_NUMBER_LEASE_NONE, two = OBI_NUMBER_LEASE_NONE;
	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(obi_number_take(&one, OBI_NUMBER_CID, &cids, 0, 0, NULL), OB_OK);
		assert_int_equal(obi_number_take(&two, OBI_NUMBER_CID, &cids, 0, 0, NULL), OB_OK);
		assert_int_equal(one.number + two.number, cids.first + cids.last);
		obi_number_give_back(&one);
		obi_number_give_back(&one);
		obi_number_give_back(&two);
	}
}

static void the_number_of_before_comes_first(void **state)
{
	struct obi_number_lease lease = OBI_NUMBER_LEASE_NONE, other = OBI_NUMBER_LEASE_NONE;
	(void)state;
	obi_number_keep(&lease, OBI_NUMBER_CID, cids.last);
	assert_true(lease.fd >= 0);
	int fd = lease.fd;
	/* The lease stays as it is. */
	assert_int_equal(obi_number_take(&lease, OBI_NUMBER_CID, &cids, cids.last, 0, NULL), OB_OK);
	assert_int_equal(lease.number, cids.last);
	assert_int_equal(lease.fd, fd);
	/* A child that runs has its number, though another one holds it; its next start does not.
	 */
	obi_number_keep(&other, OBI_NUMBER_CID, cids.last);
	assert_int_equal(other.fd, -1);
	assert_int_equal(other.number, cids.last);
	assert_int_equal(obi_number_take(&other, OBI_NUMBER_CID, &cids, cids.last, 1, NULL), OB_OK);
	assert_int_equal(other.number, cids.first);
	/* One that is not in the range any more is given up. */
	assert_int_equal(obi_number_take(&lease, OBI_NUMBER_CID, &moved, cids.last, 0, NULL),
			 OB_OK);
	assert_int_equal(lease.number, moved.first);
	obi_number_give_back(&lease);
	obi_number_give_back(&other);
}

static void a_port_on_which_somebody_listens_is_passed_over(void **state)
{
	const struct sockaddr_in any = {.sin_family = AF_INET};
	const struct sockaddr_in6 six = {.sin6_family = AF_INET6,
					 .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int probe = socket(AF_INET6, SOCK_STREAM, 0);
	bool has_six = probe >= 0 && bind(probe, (const struct sockaddr *)&six, sizeof six) == 0;
	(void)state;
	for (int i = 0; i < (has_six ? 3 : 2); i++) {
		struct obi_number_lease lease = OBI_NUMBER_LEASE_NONE;
		struct ob_error err;
		uint32_t port;
		int fd = i == 0	  ? listen_local(&port)
			 : i == 1 ? listen_at((const struct sockaddr *)&any, sizeof any, &port)
				  : listen_at((const struct sockaddr *)&six, sizeof six, &port);
		const struct obi_number_range only = {port, port};
		assert_int_equal(obi_number_take(&lease, OBI_NUMBER_PORT, &only, port, 0, &err),
				 OB_EBUSY);
		assert_non_null(strstr(err.text, "0 are of other children, 1 are in use"));
		assert_int_equal(lease.fd, -1);
		close(fd);
	}
	close(probe);
}

static void a_held_port_that_is_used_is_changed(void **state)
{
	struct obi_number_lease lease = OBI_NUMBER_LEASE_NONE;
	uint32_t port;
	(void)state;
	int fd = listen_local(&port);
	obi_number_keep(&lease, OBI_NUMBER_PORT, port);
	const struct obi_number_range only = {port, port};
	assert_int_equal(obi_number_take(&lease, OBI_NUMBER_PORT, &only, port, 0, NULL), OB_EBUSY);
	assert_int_equal(lease.number, port);
	assert_int_equal(obi_number_take(&lease, OBI_NUMBER_PORT, &many, port, 0, NULL), OB_OK);
	assert_true(obi_range_has(&many, lease.number));
	obi_number_give_back(&lease);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(two_never_get_the_same),
	    cmocka_unit_test(what_was_given_back_can_be_taken),
	    cmocka_unit_test(the_number_of_before_comes_first),
	    cmocka_unit_test(a_port_on_which_somebody_listens_is_passed_over),
	    cmocka_unit_test(a_held_port_that_is_used_is_changed),
	};
	return cmocka_run_group_tests(tests, choose_cids, NULL);
}
