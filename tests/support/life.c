/* SPDX-License-Identifier: MIT */
#include "support/life.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>

#include "support/expect.h"

static void on_read(void *user, ob_call *call, const struct ob_value *params)
{
	int64_t n = 0;
	(void)user;
	(void)ob_get_int(ob_value_at(params, 0), &n);
	ob_call_replyf(call, "I", n * 2);
}

const struct ob_method life_source[] = {{"read", on_read}, {NULL, NULL}};

void life_works(struct family *f)
{
	struct ob_bytes text = {NULL, 0};
	int64_t n = 0;
	assert_true(ob_get_string(family_call(f, "echo", "[s]", "h\xc3\xa9llo"), &text));
	assert_true(ob_bytes_is(text, "h\xc3\xa9llo"));
	assert_true(ob_get_int(family_call(f, "echo", "[I]", INT64_MIN), &n));
	assert_true(n == INT64_MIN);
	assert_true(ob_get_int(family_call(f, "ask", "[s,i]", "source.read", 21), &n));
	assert_int_equal(n, 42);
}

struct numbers {
	struct family *f;
	int64_t last;
};

static bool has_number(void *user)
{
	struct numbers *w = user;
	for (uint32_t i = 0; i < w->f->line_count; i++) {
		if (w->f->numbers[i] == w->last) {
			return true;
		}
	}
	return false;
}

static void logs(struct family *f, int64_t first)
{
	struct numbers w = {f, first + 9};
	family_call(f, "log", "[i,I]", 10, first);
	family_until(f, has_number, &w);
}

static void kill_and_restart(struct family *f)
{
	struct ob_error err;
	int32_t pid = ob_connector_pid(f->connector);
	expect(family_try(f, 0, &err, "signal", "[i]", SIGKILL), OB_ECONNLOST, &err, NULL);
	family_await(f, OB_EVENT_READY, 2);
	assert_int_not_equal(ob_connector_pid(f->connector), pid);
	pid = ob_connector_pid(f->connector);
	expect(family_try(f, 0, &err, "exit", "[i]", 0), OB_ECONNLOST, &err, NULL);
	family_await(f, OB_EVENT_READY, 3);
	assert_int_not_equal(ob_connector_pid(f->connector), pid);
}

static void detach_and_adopt(struct family *f)
{
	struct ob_error err;
	int32_t pid = ob_connector_pid(f->connector);
	expect(ob_connector_detach(f->connector, &err), OB_OK, &err, NULL);
	ob_connector_close(f->connector);
	assert_true(family_alive(pid));
	family_connector(f);
	expect(ob_connector_expose(f->connector, "source", life_source, NULL, &err), OB_OK, &err,
	       NULL);
	expect(ob_connector_reconnect(f->connector, 0, NULL, &err), OB_OK, &err, NULL);
	assert_int_equal(ob_connector_pid(f->connector), pid);
}

void life_live(struct family *f)
{
	struct ob_error err;
	family_connector(f);
	expect(ob_connector_expose(f->connector, "source", life_source, NULL, &err), OB_OK, &err,
	       NULL);
	expect(ob_connector_start(f->connector, 0, NULL, &err), OB_OK, &err, NULL);
	life_works(f);
	logs(f, 100);
	kill_and_restart(f);
	life_works(f);
	detach_and_adopt(f);
	life_works(f);
	logs(f, 200);
	int32_t pid = ob_connector_pid(f->connector);
	expect(ob_connector_stop(f->connector, 0, NULL, &err), OB_OK, &err, NULL);
	assert_false(family_alive(pid));
}
