/* SPDX-License-Identifier: MIT */
/*
 * The vsock transport as far as it goes without a vsock: what it refuses, and what it says where a filter forbids it. The rest is
 * tested in a guest that the test boots: the vsock of this machine belongs to whatever hosts it, and is never touched.
 */
#include "unit/wire_bed.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cmocka.h>

static bool forbidden; /* socket(AF_VSOCK) fails with EPERM in this process, whatever we do */

/* As containers have it. Every test here runs under it, so that none can reach this machine's vsock, even by mistake. */
static bool forbid_vsock(void)
{
	struct sock_filter filter[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_VSOCK, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

static void assert_refused(const struct bed *bed, const char *address, bool listening, const char *why)
{
	struct ob_listener *listener;
	struct ob_stream *stream;
	struct ob_error err = {.text = ""};
	int rc = listening ? bed_listen(bed, address, (struct ob_stream_params){0}, &listener, &err)
			   : bed_dial(bed, address, &stream, &err);
	assert_int_equal(rc, OB_EINVAL);
	if (strstr(err.text, why) == NULL) {
		fail_msg("%s: %s", address, err.text);
	}
}

static void only_a_cid_and_a_port_are_an_address(void **state)
{
	static const char *const bad[] = {"3",	   "me:1",  "-1:5",  "4294967296:1", "99999999999999999999:1",
					  "3:1/x", "3:1?a", "0x3:1", ":1",	     "all:1"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_refused(*state, bad[i], true, "is not of the form vsock://cid:port");
		assert_refused(*state, bad[i], false, "is not of the form vsock://cid:port");
	}
}

static void reserved_cids_are_refused(void **state)
{
	assert_refused(*state, "0:5000", true, "CID 0 is reserved for the hypervisor");
	assert_refused(*state, "0:5000", false, "CID 0 is reserved for the hypervisor");
	assert_refused(*state, "any:5000", false, "any can be listened on, not connected to");
	assert_refused(*state, "4294967295:5000", false, "any can be listened on, not connected to");
	assert_refused(*state, "3:0", false, "port 0 can be listened on, not connected to");
}

static void a_filter_that_forbids_vsock_is_said(void **state)
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
		assert_int_equal(bed_listen(bed, places[i], (struct ob_stream_params){0}, &listener, &err), OB_EPERM);
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
	forbidden = forbid_vsock();
	return wire_begin(state, "vsock", "vsock://");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WIRE_TEST(only_a_cid_and_a_port_are_an_address),
	    WIRE_TEST(reserved_cids_are_refused),
	    WIRE_TEST(a_filter_that_forbids_vsock_is_said),
	};
	return cmocka_run_group_tests(tests, setup, wire_end);
}
