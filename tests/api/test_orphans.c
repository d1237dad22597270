/* SPDX-License-Identifier: MIT */
/* Children that were let go while their parent lives on: they are reaped when they die. */
#include "support/family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* Whether the process is gone, its zombie included. */
static bool is_gone(void *user)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d", *(const int32_t *)user);
	return access(path, F_OK) != 0;
}

static void detach(struct family *f)
{
	struct ob_error err;
	if (ob_connector_detach(f->connector, &err) < 0) {
		fail_msg("%s", err.text);
	}
	ob_connector_close(f->connector);
	f->connector = NULL;
}

static void reconnect(struct family *f)
{
	struct ob_error err;
	family_connector(f);
	if (ob_connector_reconnect(f->connector, 0, NULL, &err) < 0) {
		fail_msg("%s", err.text);
	}
}

/* times: how often it is detached before it dies */
static void kill_detached(enum ob_runtime_mode mode, int times)
{
	struct family f;
	family_start(&f, mode);
	int32_t pid = ob_connector_pid(f.connector);
	for (int i = 1; i < times; i++) {
		detach(&f);
		reconnect(&f);
		assert_int_equal(ob_connector_pid(f.connector), pid);
	}
	detach(&f);
	assert_int_equal(kill(pid, SIGKILL), 0);
	family_until(&f, is_gone, &pid);
	family_end(&f);
}

static void a_detached_child_is_reaped(void **state)
{
	(void)state;
	kill_detached(OB_RUNTIME_INLINE, 1);
	kill_detached(OB_RUNTIME_THREADED, 1);
}

static void a_child_detached_adopted_and_detached_is_reaped(void **state)
{
	(void)state;
	kill_detached(OB_RUNTIME_INLINE, 2);
	kill_detached(OB_RUNTIME_THREADED, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_detached_child_is_reaped),
	    cmocka_unit_test(a_child_detached_adopted_and_detached_is_reaped),
	};
	return cmocka_run_group_tests_name("orphans", tests, NULL, NULL);
}
