/* SPDX-License-Identifier: MIT */
/* What the parent dials: the address it chose, completed by a port at most. */
#include "files/child_address.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static int address_of(const char *listen, const char *rpc_addr, char *text, size_t size,
		      struct ob_error *err)
{
	struct ob_sink out = ob_sink_fixed(text, size - 1);
	int r = obi_child_address(listen, rpc_addr, &out, err);
	text[out.len] = '\0';
	return r;
}

static void the_address_is_what_the_parent_chose(void **state)
{
	static const struct {
		const char *listen, *rpc_addr, *dialled;
	} rows[] = {
	    {"unix:///a/rpc.sock", "unix:///a/rpc.sock", "unix:///a/rpc.sock"},
	    {"unix:///a/rpc.sock?mode=0660", "unix:///a/rpc.sock", "unix:///a/rpc.sock?mode=0660"},
	    {"unix:///a%20b/s", "unix:///a%20b/s", "unix:///a%20b/s"},
	    {"unix:///a/rpc.sock", NULL, "unix:///a/rpc.sock"},
	    {"tcp://127.0.0.1:80", "tcp://127.0.0.1:80", "tcp://127.0.0.1:80"},
	    {"tcp://127.0.0.1:80", "tcp://10.9.9.9:80", "tcp://127.0.0.1:80"},
	    {"tcp://127.0.0.1:0", "tcp://127.0.0.1:4711", "tcp://127.0.0.1:4711"},
	    {"tcp://localhost:0", "tcp://127.0.0.1:4711", "tcp://localhost:4711"},
	    {"tcp://[::1]:0", "tcp://[::1]:4711", "tcp://[::1]:4711"},
	    {"tcp://[::1]:0", "tcp://10.9.9.9:4711", "tcp://[::1]:4711"},
	    {"vsock://any:0", "vsock://any:4711", "vsock://any:4711"},
	    {"chaos+tcp://127.0.0.1:0?seed=1:0", "chaos+tcp://127.0.0.1:4711?seed=1:0",
	     "chaos+tcp://127.0.0.1:4711?seed=1:0"},
	    {"hvsock:///run/v:0", "hvsock:///run/v:52", "hvsock:///run/v:52"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char text[200];
		struct ob_error err = {0};
		if (address_of(rows[i].listen, rows[i].rpc_addr, text, sizeof text, &err) < 0) {
			fail_msg("%s: %s", rows[i].listen, err.text);
		}
		assert_string_equal(text, rows[i].dialled);
	}
}

static void fault_80_another_address_is_refused_and_both_are_named(void **state)
{
	static const char *const rows[][2] = {
	    {"unix:///a/rpc.sock", "unix:///b/run.sock"},
	    {"unix:///a/rpc.sock", "tcp://127.0.0.1:80"},
	    {"unix:///a/rpc.sock", "no address"},
	    {"unix:///a/rpc.sock", ""},
	    {"unix:///a/rpc.sock", "hvsock:///a/rpc.sock:1"},
	    {"tcp://127.0.0.1:80", "tcp://127.0.0.1:81"},
	    {"tcp://127.0.0.1:0", "tcp://127.0.0.1:0"},
	    {"tcp://127.0.0.1:0", "tcp://127.0.0.1"},
	    {"tcp://127.0.0.1:0", "chaos+tcp://127.0.0.1:80"},
	    {"hvsock:///run/v:0", "hvsock:///run/w:52"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char text[200];
		struct ob_error err = {0};
		assert_int_equal(address_of(rows[i][0], rows[i][1], text, sizeof text, &err),
				 OB_EPROTO);
		assert_string_equal(text, "");
		assert_non_null(strstr(err.text, rows[i][0]));
		assert_non_null(strstr(err.text, rows[i][1]));
	}
}

static void a_missing_port_is_an_error(void **state)
{
	char text[200];
	struct ob_error err = {0};
	(void)state;
	assert_int_equal(address_of("tcp://127.0.0.1:0", NULL, text, sizeof text, &err), OB_EPROTO);
	assert_non_null(strstr(err.text, "tcp://127.0.0.1:0"));
	assert_int_equal(address_of("no address", "unix:///a", text, sizeof text, NULL), OB_EINVAL);
	assert_int_equal(address_of("unix:///a/rpc.sock", NULL, text, 9, NULL), OB_ENOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_address_is_what_the_parent_chose),
	    cmocka_unit_test(fault_80_another_address_is_refused_and_both_are_named),
	    cmocka_unit_test(a_missing_port_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
