/* SPDX-License-Identifier: MIT */
/*
 * The vsock transport without a vsock: invalid addresses, and the error where a filter forbids it.
 * The rest is tested in guests that the tests boot: the vsock of this machine belongs to its host
 * and is never used.
 */
#include "unit/transports/wire_bed.h"

#include "support/novsock.h"

#include <errno.h>
#include <setjmp.h>

#include <cmocka.h>

/* Every test here runs under the filter, so that none can use the vsock of this machine by
 * mistake. */
static bool forbidden;

static void assert_refused(const struct bed *bed, const char *address, bool listening,
			   const char *why)
{
	struct ob_listener *listener;
	struct ob_stream *stream;
	struct ob_error err = {.text = ""};
	int rc = listening ? bed_listen(bed, address, (struct ob_listen_params){0}, &listener, &err)
			   : bed_dial(bed, address, &stream, &err);
	assert_int_equal(rc, OB_EINVAL);
	if (strstr(err.text, why) == NULL) {
		fail_msg("%s: %s", address, err.text);
	}
}

static void only_a_cid_and_a_port_are_an_address(void **state)
{
	static const char *const bad[] = {
	    "3",     "me:1",  "-1:5",  "4294967296:1", "99999999999999999999:1",
	    "3:1/x", "3:1?a", "0x3:1", ":1",	       "all:1"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_refused(*state, bad[i], true, "is not of the form vsock://cid:port");
		assert_refused(*state, bad[i], false, "is not of the form vsock://cid:port");
	}
}

static void reserved_cids_are_refused(void **state)
{
	assert_refused(*state, "0:5000", true, "CID 0 is reserved for the hypervisor");
	assert_refused(*state, "0:5000", false, "CID 0 is reserved for the hypervisor");
	assert_refused(*state, "any:5000", false, "any is only for listening");
	assert_refused(*state, "4294967295:5000", false, "any is only for listening");
	assert_refused(*state, "3:0", false, "port 0 is only for listening");
}

static void a_filter_that_forbids_vsock_is_reported(void **state)
{
	struct bed *bed = *state;
	struct ob_listener *listener;
	struct ob_stream *stream;
	static const char *const places[] = {"any:5000", "local:5000", "host:5000", "42:5000"};
	if (!forbidden) {
		print_message("skipped: this kernel takes no seccomp filter\n");
		skip();
	}
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		struct ob_error err = {.text = ""};
		assert_int_equal(
		    bed_listen(bed, places[i], (struct ob_listen_params){0}, &listener, &err),
		    OB_EPERM);
		assert_non_null(strstr(err.text, "seccomp"));
		if (i > 0) {
			assert_int_equal(bed_dial(bed, places[i], &stream, &err), OB_EPERM);
			assert_non_null(strstr(err.text, "seccomp"));
			assert_int_equal(err.sys, EPERM);
		}
	}
}

static int setup(void **state)
{
	forbidden = novsock_enter();
	return wire_begin(state, "vsock", "vsock://");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WIRE_TEST(only_a_cid_and_a_port_are_an_address),
	    WIRE_TEST(reserved_cids_are_refused),
	    WIRE_TEST(a_filter_that_forbids_vsock_is_reported),
	};
	return cmocka_run_group_tests(tests, setup, wire_end);
}
