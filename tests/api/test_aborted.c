/* SPDX-License-Identifier: MIT */
/*
 * Blocking operations that a timeout or a cancel ends, and operations that meet another one: each
 * ends once, with the code that says why, and leaves what the header promises.
 */
#include "support/family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "support/expect.h"
#include "support/scratch.h"

enum { SOON_MS = 100 };

static ob_cancel *fired(void)
{
	struct ob_error err = {0};
	ob_cancel *cancel;
	expect(ob_cancel_new(&cancel, &err), OB_OK, &err, NULL);
	ob_cancel_fire(cancel);
	return cancel;
}

/* ---- Start ---- */

/* A child that never becomes ready is ended by the caller's timeout, and by a cancel. */
static void a_start_that_is_aborted_ends_the_child(void **state)
{
	struct family f;
	struct ob_error err = {0};
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, "silent", NULL);
	family_connector(&f);
	expect(ob_connector_start(f.connector, SOON_MS, NULL, &err), OB_ETIMEDOUT, &err, NULL);
	assert_false(ob_connector_is_running(f.connector));
	ob_cancel *cancel = fired();
	expect(ob_connector_start(f.connector, 0, cancel, &err), OB_ECANCELED, &err, NULL);
	assert_false(ob_connector_is_running(f.connector));
	ob_cancel_free(cancel);
	family_end(&f);
}

/* ---- Stop ---- */

static void stop_of_a_stubborn_child(ob_cancel *cancel, int code)
{
	struct family f;
	struct ob_error err = {0};
	family_begin(&f, OB_RUNTIME_INLINE, "stubborn", NULL);
	f.options.stop_timeout_ms = 60000;
	family_connector(&f);
	expect(ob_connector_start(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	int32_t pid = ob_connector_pid(f.connector);
	expect(ob_connector_stop(f.connector, SOON_MS, cancel, &err), code, &err, NULL);
	family_await_death(pid);
	expect(ob_connector_stop(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	family_end(&f);
}

/* Aborted, a stop kills at once, long before its own timeout. */
static void a_stop_that_is_aborted_kills(void **state)
{
	(void)state;
	stop_of_a_stubborn_child(NULL, OB_ETIMEDOUT);
	ob_cancel *cancel = fired();
	stop_of_a_stubborn_child(cancel, OB_ECANCELED);
	ob_cancel_free(cancel);
}

/* ---- Reconnect ---- */

static void another_connector(struct family *f)
{
	struct ob_error err = {0};
	expect(ob_connector_detach(f->connector, &err), OB_OK, &err, NULL);
	ob_connector_close(f->connector);
	family_connector(f);
}

/* A stopped child does not answer. What cannot be taken over now lives on, and can be later. */
static void a_reconnect_that_is_aborted_leaves_the_child(void **state)
{
	struct family f;
	struct ob_error err = {0};
	(void)state;
	family_start(&f, OB_RUNTIME_INLINE);
	int32_t pid = ob_connector_pid(f.connector);
	another_connector(&f);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	expect(ob_connector_reconnect(f.connector, SOON_MS, NULL, &err), OB_ETIMEDOUT, &err, NULL);
	ob_cancel *cancel = fired();
	expect(ob_connector_reconnect(f.connector, 0, cancel, &err), OB_ECANCELED, &err, NULL);
	ob_cancel_free(cancel);
	assert_true(family_alive(pid));
	assert_int_equal(kill(pid, SIGCONT), 0);
	expect(ob_connector_reconnect(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	assert_int_equal(ob_connector_pid(f.connector), pid);
	family_end(&f);
}

/* Without a caller's timeout ready_timeout_ms counts. */
static void a_reconnect_waits_for_the_ready_timeout(void **state)
{
	struct family f;
	struct ob_error err = {0};
	(void)state;
	family_start(&f, OB_RUNTIME_INLINE);
	int32_t pid = ob_connector_pid(f.connector);
	f.options.ready_timeout_ms = SOON_MS;
	another_connector(&f);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	int r = ob_connector_reconnect(f.connector, 0, NULL, &err);
	assert_true(r < 0);
	assert_true(family_alive(pid));
	assert_int_equal(kill(pid, SIGKILL), 0);
	family_await_death(pid);
	ob_runtime_run(f.runtime, 0); /* reaps it */
	family_end(&f);
}

/* ---- Two at once ---- */

struct results {
	int count;
	int codes[4];
};

static void on_done(void *user, int result, const struct ob_error *err)
{
	struct results *r = user;
	assert_true(r->count < 4);
	(void)err;
	r->codes[r->count++] = result;
}

static bool has_two(void *user)
{
	return ((struct results *)user)->count == 2;
}

static void a_stop_ends_a_start(void **state)
{
	struct family f;
	struct ob_error err = {0};
	struct results results = {0};
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, "silent", NULL);
	family_connector(&f);
	expect(ob_connector_start_async(f.connector, on_done, &results, &err), OB_OK, &err, NULL);
	family_await(&f, OB_EVENT_STARTING, 1);
	expect(ob_connector_stop_async(f.connector, on_done, &results, &err), OB_OK, &err, NULL);
	family_until(&f, has_two, &results);
	assert_true(results.codes[0] < 0);
	assert_int_equal(results.codes[1], OB_OK);
	assert_false(ob_connector_is_running(f.connector));
	family_end(&f);
}

static void a_second_start_is_refused(void **state)
{
	struct family f;
	struct ob_error err = {0};
	struct results results = {0};
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	family_connector(&f);
	expect(ob_connector_start_async(f.connector, on_done, &results, &err), OB_OK, &err, NULL);
	expect(ob_connector_start_async(f.connector, on_done, &results, &err), OB_OK, &err, NULL);
	family_until(&f, has_two, &results);
	assert_true((results.codes[0] == OB_OK) != (results.codes[1] == OB_OK));
	assert_true(ob_connector_is_running(f.connector));
	family_end(&f);
}

/* Closed while it starts. */
static void a_close_ends_a_start(void **state)
{
	struct family f;
	struct ob_error err = {0};
	struct results results = {0};
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, "silent", NULL);
	family_connector(&f);
	expect(ob_connector_start_async(f.connector, on_done, &results, &err), OB_OK, &err, NULL);
	family_await(&f, OB_EVENT_STARTING, 1);
	ob_connector_close(f.connector);
	f.connector = NULL;
	assert_int_equal(results.count, 1);
	assert_int_equal(results.codes[0], OB_ECANCELED);
	family_end(&f);
}

/* ---- Interfaces and connections ---- */

struct found {
	bool ended;
	int code;
	ob_client *client;
};

static void on_client(void *user, ob_client *client, int result, const struct ob_error *err)
{
	(void)err;
	*(struct found *)user = (struct found){true, result, client};
}

static bool has_ended(void *user)
{
	return ((struct found *)user)->ended;
}

static void an_interface_is_found_without_waiting(void **state)
{
	struct family f;
	struct ob_error err = {0};
	struct found found = {0};
	(void)state;
	family_start(&f, OB_RUNTIME_INLINE);
	expect(ob_connector_connect_interface_async(f.connector, "act", NULL, NULL, &err),
	       OB_EINVAL, &err, "done");
	expect(ob_connector_connect_interface_async(f.connector, "act", on_client, &found, &err),
	       OB_OK, &err, NULL);
	family_until(&f, has_ended, &found);
	assert_int_equal(found.code, OB_OK);
	assert_true(ob_client_is_connected(found.client));
	expect(ob_client_callf(found.client, 0, NULL, &err, "echo", "[i]", 1), OB_OK, &err, NULL);
	ob_client_free(found.client);
	found = (struct found){0};
	expect(ob_connector_connect_interface_async(f.connector, "none", on_client, &found, &err),
	       OB_OK, &err, NULL);
	family_until(&f, has_ended, &found);
	assert_int_equal(found.code, OB_ENOENT);
	assert_null(found.client);
	family_end(&f);
}

/* A stopped child answers neither a search nor a dial. */
static void a_search_and_a_dial_end_in_time(void **state)
{
	struct family f;
	struct ob_error err = {0};
	ob_client *client = NULL;
	(void)state;
	family_start(&f, OB_RUNTIME_INLINE);
	char *address = scratch_text("unix://%s/rpc.sock", f.dir);
	struct ob_client_options options = {
	    .size = sizeof options, .address = address, .token = f.tokens[0]};
	int32_t pid = ob_connector_pid(f.connector);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	expect(ob_connector_connect_interface(f.connector, "act", SOON_MS, &client, &err),
	       OB_ETIMEDOUT, &err, NULL);
	ob_cancel *cancel = fired();
	expect(ob_client_connect(f.runtime, &options, cancel, &client, &err), OB_ECANCELED, &err,
	       NULL);
	ob_cancel_free(cancel);
	options.connect_timeout_ms = SOON_MS;
	expect(ob_client_connect(f.runtime, &options, NULL, &client, &err), OB_ETIMEDOUT, &err,
	       NULL);
	assert_int_equal(kill(pid, SIGCONT), 0);
	expect(ob_client_connect(f.runtime, &options, NULL, &client, &err), OB_OK, &err, NULL);
	assert_true(ob_client_is_connected(client));
	ob_client_free(client);
	free(address);
	family_end(&f);
}

static void a_client_needs_an_address_and_a_method(void **state)
{
	struct family f;
	struct ob_error err = {0};
	ob_client *client = NULL;
	struct ob_client_options options = {.size = sizeof options};
	char name[2000];
	(void)state;
	memset(name, 'a', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	family_start(&f, OB_RUNTIME_INLINE);
	expect(ob_client_connect(f.runtime, &options, NULL, &client, &err), OB_EINVAL, &err,
	       "address");
	options.address = "unix:///nowhere";
	expect(ob_client_connect_async(f.runtime, &options, NULL, NULL, &err), OB_EINVAL, &err,
	       "done");
	options.token = "short";
	expect(ob_client_connect(f.runtime, &options, NULL, &client, &err), OB_EINVAL, &err,
	       "token");
	ob_client *child = ob_connector_client(f.connector);
	expect(ob_client_callf(child, 0, NULL, &err, "", NULL), OB_EINVAL, &err, "method");
	expect(ob_client_callf(child, 0, NULL, &err, name, NULL), OB_EINVAL, &err, "method");
	expect(ob_client_notifyf(child, &err, "", NULL), OB_EINVAL, &err, "method");
	expect(ob_client_callf(child, 0, NULL, &err, "act.echo", "i", 1), OB_EINVAL, &err, NULL);
	family_end(&f);
}

/* ---- Busy polling ---- */

static void a_loop_that_polls_busily_works(void **state)
{
	struct ob_runtime_options o = {
	    .size = sizeof o, .mode = OB_RUNTIME_INLINE, .busy_poll_us = 2000};
	struct family f;
	struct ob_error err = {0};
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	ob_runtime_free(f.runtime);
	expect(ob_runtime_new(&o, &f.runtime, &err), OB_OK, &err, NULL);
	family_connector(&f);
	expect(ob_connector_start(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	for (int i = 0; i < 20; i++) {
		family_call(&f, "echo", "[i]", i);
	}
	family_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_start_that_is_aborted_ends_the_child),
	    cmocka_unit_test(a_stop_that_is_aborted_kills),
	    cmocka_unit_test(a_reconnect_that_is_aborted_leaves_the_child),
	    cmocka_unit_test(a_reconnect_waits_for_the_ready_timeout),
	    cmocka_unit_test(a_stop_ends_a_start),
	    cmocka_unit_test(a_second_start_is_refused),
	    cmocka_unit_test(a_close_ends_a_start),
	    cmocka_unit_test(an_interface_is_found_without_waiting),
	    cmocka_unit_test(a_search_and_a_dial_end_in_time),
	    cmocka_unit_test(a_client_needs_an_address_and_a_method),
	    cmocka_unit_test(a_loop_that_polls_busily_works),
	};
	return cmocka_run_group_tests_name("aborted", tests, NULL, NULL);
}
