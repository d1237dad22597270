/* SPDX-License-Identifier: MIT */
/* Keys that are used up: a new connection is made before the last record, and nothing is
 * reported as an attack. */
#include "support/family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "support/scratch.h"

/* The plugin's: three quarters of them make a connection due for renewal; the last few are kept
 * for its end. */
enum { RECORDS = 400, RENEW_AT = RECORDS * 3 / 4, BEAT_MS = 100 };

static char *before;

static void begin(struct family *f)
{
	static const char *const auth[] = {"short_lived", NULL};
	struct ob_error err;
	char *plugins;
	before = scratch_text("%s", scratch_env("OUTBOARD_PLUGIN_PATH"));
	plugins = scratch_text("%s:%s/test-plugins", before, scratch_env("OB_TEST_BUILD"));
	setenv("OUTBOARD_PLUGIN_PATH", plugins, 1);
	free(plugins);
	family_begin(f, OB_RUNTIME_INLINE, NULL);
	f->options.auth = auth;
	f->options.health_interval_ms = BEAT_MS;
	family_connector(f);
	if (ob_connector_start(f->connector, 0, NULL, &err) != OB_OK) {
		fail_msg("%s", err.text);
	}
}

/* The process is the one that was started, and no log line reports a broken connection or a
 * changed record. */
static void end(struct family *f, int32_t pid)
{
	assert_int_equal(ob_connector_pid(f->connector), pid);
	assert_int_equal(family_count(f, OB_EVENT_STARTING), 1);
	assert_int_equal(family_count(f, OB_EVENT_UNRESPONSIVE), 0);
	for (uint32_t i = 0; i < f->line_count; i++) {
		assert_null(strstr(f->lines[i], "a connection was"));
	}
	family_end(f);
	setenv("OUTBOARD_PLUGIN_PATH", before, 1);
	free(before);
}

static bool is_over(void *user)
{
	uint32_t *turns = user;
	return (*turns)-- == 0;
}

/* No calls for a few heartbeats. */
static void rest(struct family *f)
{
	for (int i = 0; i < 3; i++) {
		uint32_t turns = BEAT_MS / 20;
		family_until(f, is_over, &turns);
	}
	family_await_state(f, OB_STATE_READY, OB_LINK_UP);
}

/* Each round ends when the connection is due. It is renewed in the pause that follows, so no
 * call ever fails. */
static void fault_47_worn_keys_are_replaced_when_it_is_quiet(void **state)
{
	struct family f;
	(void)state;
	begin(&f);
	int32_t pid = ob_connector_pid(f.connector);
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < RENEW_AT + 10; i++) {
			family_call(&f, "echo", "[i]", i);
		}
		rest(&f);
	}
	end(&f, pid);
}

/* Without a pause it is renewed under load: a call may be refused then, but one that was sent is
 * answered. */
static void fault_47_spent_keys_are_replaced_at_any_moment(void **state)
{
	enum { CALLS = 5 * RECORDS };
	struct family f;
	uint32_t failed = 0;
	(void)state;
	begin(&f);
	int32_t pid = ob_connector_pid(f.connector);
	for (int i = 0; i < CALLS; i++) {
		struct ob_error err = {.text = ""};
		int r = family_try(&f, FAMILY_WAIT_MS, &err, "echo", "[i]", i);
		if (r != OB_OK) {
			assert_int_equal(r, OB_EDOWN);
			failed++;
			family_await_state(&f, OB_STATE_READY, OB_LINK_UP);
		}
	}
	assert_true(failed > 0 && failed <= 2 * CALLS / RENEW_AT);
	end(&f, pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fault_47_worn_keys_are_replaced_when_it_is_quiet),
	    cmocka_unit_test(fault_47_spent_keys_are_replaced_at_any_moment),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
