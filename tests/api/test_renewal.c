/* SPDX-License-Identifier: MIT */
/* Keys that are used up: a new connection is made before the last record, and nothing is
 * reported as an attack. And keys that are not needed any more. */
#include "support/family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/expect.h"
#include "support/scratch.h"

/* The plugin's: three quarters of them make a connection due for renewal; the last few are kept
 * for its end. */
enum { RECORDS = 400, RENEW_AT = RECORDS * 3 / 4, BEAT_MS = 100 };

static char *before, *home;
static char *diary, *settings; /* of this side's plugin */

static const char *const auth[] = {"short_lived", NULL};
static bool dials_home; /* the child does */

static void find_plugins(void)
{
	before = scratch_text("%s", scratch_env("OUTBOARD_PLUGIN_PATH"));
	char *plugins = scratch_text("%s:%s/test-plugins", before, scratch_env("OB_TEST_BUILD"));
	setenv("OUTBOARD_PLUGIN_PATH", plugins, 1);
	free(plugins);
}

static void leave_plugins(void)
{
	setenv("OUTBOARD_PLUGIN_PATH", before, 1);
	free(before);
}

static void begin(struct family *f)
{
	struct ob_error err;
	find_plugins();
	family_begin(f, OB_RUNTIME_INLINE, NULL);
	f->options.auth = auth;
	f->options.health_interval_ms = BEAT_MS;
	diary = scratch_text("%s/diary", f->scratch);
	f->options.settings = settings =
	    scratch_text("{\"auth\":{\"short_lived\":{\"diary\":\"%s\"}}}", diary);
	if (dials_home) {
		f->options.ready = OB_READY_DIAL_HOME;
		f->options.accept = home = scratch_text("unix://%s/home.sock", f->scratch);
	}
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
	free(settings);
	free(diary);
	free(home);
	home = NULL;
	leave_plugins();
}

/* How often the plugin of this side has noted something. */
static uint32_t noted(char what)
{
	char text[64];
	uint32_t n = 0;
	int fd = open(diary, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	ssize_t len = read(fd, text, sizeof text);
	assert_in_range(len, 0, sizeof text - 1);
	for (ssize_t i = 0; i < len; i++) {
		n += text[i] == what;
	}
	close(fd);
	return n;
}

static bool is_renewed(void *user)
{
	return noted('+') > *(const uint32_t *)user;
}

/* Calls until the connection is due for renewal, and none until it has been renewed. */
static void wear_and_rest(struct family *f)
{
	uint32_t made = noted('+'), worn = noted('=');
	for (int i = 0; noted('=') == worn; i++) {
		family_call(f, "echo", "[i]", i);
	}
	family_until(f, is_renewed, &made);
	assert_int_equal(noted('!'), 0); /* it did not wait until the keys were used up */
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
		wear_and_rest(&f);
	}
	end(&f, pid);
}

static void fault_47_a_child_that_dials_does_so_again_for_new_keys(void **state)
{
	struct family f;
	(void)state;
	dials_home = true;
	begin(&f);
	dials_home = false;
	int32_t pid = ob_connector_pid(f.connector);
	wear_and_rest(&f);
	family_call(&f, "echo", "[i]", 0);
	assert_int_equal(family_count(&f, OB_EVENT_LINK_DOWN), 0);
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

/* ---- The end ---- */

static void say_one(void *user, ob_call *call, const struct ob_value *params)
{
	(void)user, (void)params;
	ob_call_replyf(call, "i", 1);
}

static void free_client(void *user, int result, const struct ob_value *value,
			const struct ob_error *err)
{
	ob_client **client = user;
	(void)value, (void)err;
	if (*client != NULL && result == OB_OK) {
		ob_client *freed = *client;
		*client = NULL;
		ob_client_free(freed);
	}
}

/* A client is freed in a callback, while its connection is on the stack: its plugin gets back all
 * that was made with the settings before the settings themselves. */
static void keys_end_before_their_settings(void **state)
{
	static const struct ob_method methods[] = {{"one", say_one}, {NULL, NULL}};
	struct ob_error err = {.text = ""};
	ob_runtime *runtime;
	ob_server *server;
	ob_client *client;
	char text[8] = "";
	(void)state;
	find_plugins();
	char *dir = scratch_make(), *address = scratch_text("unix://%s/s", dir);
	char *path = scratch_text("%s/diary", dir);
	char *with_diary = scratch_text("{\"auth\":{\"short_lived\":{\"diary\":\"%s\"}}}", path);
	expect(ob_runtime_new(NULL, &runtime, &err), OB_OK, &err, NULL);
	const struct ob_server_options served = {
	    .size = sizeof served, .runtime = runtime, .listen = address, .auth = auth};
	const struct ob_client_options dialled = {
	    .size = sizeof dialled, .address = address, .auth = auth, .settings = with_diary};
	expect(ob_server_open(&served, &server, &err), OB_OK, &err, NULL);
	expect(ob_server_expose(server, "say", methods, NULL, &err), OB_OK, &err, NULL);
	expect(ob_server_start(server, &err), OB_OK, &err, NULL);
	expect(ob_client_connect(runtime, &dialled, NULL, &client, &err), OB_OK, &err, NULL);
	int r = ob_client_call_async(client, "say.one", NULL, 0, free_client, &client, NULL, &err);
	expect(r, OB_OK, &err, NULL);
	while (client != NULL) {
		(void)ob_runtime_run(runtime, 10);
	}
	ob_server_close(server);
	ob_runtime_free(runtime);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, text, sizeof text - 1), 3);
	assert_string_equal(text, "+.-");
	close(fd);
	free(with_diary);
	free(path);
	free(address);
	scratch_remove(dir);
	leave_plugins();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fault_47_worn_keys_are_replaced_when_it_is_quiet),
	    cmocka_unit_test(fault_47_a_child_that_dials_does_so_again_for_new_keys),
	    cmocka_unit_test(fault_47_spent_keys_are_replaced_at_any_moment),
	    cmocka_unit_test(keys_end_before_their_settings),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
