/* SPDX-License-Identifier: MIT */
/* A parent on a system that forbids AF_VSOCK, as the filter of a container does: the error says
 * so, and soon. */
#include "support/family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <time.h>

#include "support/clock.h"
#include "support/novsock.h"

static void a_start_that_is_not_permitted_fails_at_once(void **state)
{
	static const char *const sleeper[] = {"sleep", "1000", NULL};
	struct family f;
	struct ob_error err = {.text = ""};
	(void)state;
	if (!novsock_enter()) {
		print_message("skipped: this kernel takes no seccomp filter, and the vsock of this "
			      "machine is not ours\n");
		skip();
	}
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	f.options.argv = sleeper;
	f.options.listen = f.options.connect = "vsock://42:5000";
	f.options.ready = OB_READY_RPC;
	family_connector(&f);
	int64_t began = now_ms();
	assert_int_equal(ob_connector_start(f.connector, 0, NULL, &err), OB_EPERM);
	assert_true(now_ms() - began < FAMILY_WAIT_MS);
	assert_non_null(strstr(err.text, "seccomp"));
	assert_int_equal(ob_connector_pid(f.connector), 0);
	family_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_start_that_is_not_permitted_fails_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
