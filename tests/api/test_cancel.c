/* SPDX-License-Identifier: MIT */
/* Calls that an ob_cancel ends: it may be fired by any thread, and watched by many calls. */
#include "support/family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "support/expect.h"

enum { CALLS = 8, LONG_MS = 600000 };

static ob_cancel *unfired(void)
{
	struct ob_error err = {0};
	ob_cancel *cancel;
	expect(ob_cancel_new(&cancel, &err), OB_OK, &err, NULL);
	return cancel;
}

static bool child_knows(struct family *f)
{
	bool canceled = false;
	assert_true(ob_get_bool(family_call(f, "canceled", NULL), &canceled));
	return canceled;
}

/* ---- Calls that wait ---- */

struct caller {
	struct family *f;
	ob_cancel *cancel;
	bool built; /* ob_client_callf_cancelable() */
	int code;
	pthread_t thread;
};

static atomic_int begun;

static void *call_keep(void *user)
{
	struct caller *c = user;
	ob_client *client = ob_connector_client(c->f->connector);
	atomic_fetch_add(&begun, 1);
	c->code = c->built
		      ? ob_client_callf_cancelable(client, LONG_MS, c->cancel, NULL, NULL,
						   "act.keep", "[i]", 1)
		      : ob_client_call(client, "act.keep", NULL, LONG_MS, c->cancel, NULL, NULL);
	return NULL;
}

/* Eight threads wait with one cancel. Some of them may see it when it was fired already. */
static void one_cancel_ends_the_calls_of_many_threads(void **state)
{
	struct family f;
	struct caller callers[CALLS];
	(void)state;
	family_start(&f, OB_RUNTIME_THREADED);
	ob_cancel *cancel = unfired();
	atomic_store(&begun, 0);
	for (int i = 0; i < CALLS; i++) {
		callers[i] = (struct caller){.f = &f, .cancel = cancel, .built = i % 2 == 0};
		assert_int_equal(pthread_create(&callers[i].thread, NULL, call_keep, &callers[i]),
				 0);
	}
	while (atomic_load(&begun) < CALLS) {
		family_call(&f, "echo", "[i]", 1);
	}
	ob_cancel_fire(cancel);
	for (int i = 0; i < CALLS; i++) {
		pthread_join(callers[i].thread, NULL);
		assert_int_equal(callers[i].code, OB_ECANCELED);
	}
	assert_true(child_knows(&f));
	ob_cancel_free(cancel);
	family_end(&f);
}

static void a_call_without_a_cancel_is_as_before(void **state)
{
	struct family f;
	struct ob_error err = {0};
	ob_reply *reply;
	int64_t number = 0;
	(void)state;
	family_start(&f, OB_RUNTIME_INLINE);
	ob_cancel *cancel = unfired();
	ob_client *client = ob_connector_client(f.connector);
	assert_int_equal(ob_reply_new(&reply, NULL), OB_OK);
	for (int i = 0; i < 2; i++) {
		expect(ob_client_callf_cancelable(client, 0, i == 0 ? NULL : cancel, reply, &err,
						  "act.echo", "[i]", 7 + i),
		       OB_OK, &err, NULL);
		assert_true(ob_get_int(ob_reply_value(reply), &number));
		assert_int_equal(number, 7 + i);
	}
	ob_cancel_fire(cancel);
	expect(ob_client_callf_cancelable(client, 0, cancel, reply, &err, "act.keep", NULL),
	       OB_ECANCELED, &err, "canceled");
	assert_true(child_knows(&f));
	ob_reply_free(reply);
	ob_cancel_free(cancel);
	ob_cancel_free(NULL);
	family_end(&f);
}

/* ---- Calls that do not wait ---- */

struct results {
	int count;
	int codes[CALLS];
};

static void on_done(void *user, int result, const struct ob_value *value,
		    const struct ob_error *err)
{
	struct results *r = user;
	(void)value;
	(void)err;
	assert_true(r->count < CALLS);
	r->codes[r->count++] = result;
}

static bool has_all(void *user)
{
	return ((struct results *)user)->count == CALLS;
}

static bool has_one(void *user)
{
	return ((struct results *)user)->count == 1;
}

static void *fire(void *cancel)
{
	ob_cancel_fire(cancel);
	return NULL;
}

/* The loop is this thread's; another one fires. */
static void a_cancel_ends_calls_that_nobody_waits_for(void **state)
{
	struct family f;
	struct ob_error err = {0};
	struct results results = {0};
	pthread_t thread;
	(void)state;
	family_start(&f, OB_RUNTIME_INLINE);
	ob_cancel *cancel = unfired();
	ob_client *client = ob_connector_client(f.connector);
	for (int i = 0; i < CALLS; i++) {
		expect(ob_client_call_async_cancelable(client, "act.keep", NULL, LONG_MS, cancel,
						       on_done, &results, &err),
		       OB_OK, &err, NULL);
	}
	family_call(&f, "echo", "[i]", 1);
	assert_int_equal(results.count, 0);
	assert_false(child_knows(&f));
	assert_int_equal(pthread_create(&thread, NULL, fire, cancel), 0);
	family_until(&f, has_all, &results);
	pthread_join(thread, NULL);
	for (int i = 0; i < CALLS; i++) {
		assert_int_equal(results.codes[i], OB_ECANCELED);
	}
	assert_true(child_knows(&f));
	/* One that was fired before ends the next call, too. */
	results = (struct results){0};
	expect(ob_client_call_async_cancelable(client, "act.keep", NULL, LONG_MS, cancel, on_done,
					       &results, &err),
	       OB_OK, &err, NULL);
	assert_int_equal(results.count, 0);
	family_until(&f, has_one, &results);
	assert_int_equal(results.codes[0], OB_ECANCELED);
	ob_cancel_free(cancel);
	family_end(&f);
}

/* It ends as it ends; the cancel is not needed any more, and may be freed. */
static void a_call_that_ended_does_not_watch_its_cancel(void **state)
{
	struct family f;
	struct ob_error err = {0};
	struct results results = {0};
	(void)state;
	family_start(&f, OB_RUNTIME_INLINE);
	ob_cancel *cancel = unfired();
	ob_client *client = ob_connector_client(f.connector);
	expect(ob_client_call_async_cancelable(client, "act.echo", NULL, 0, cancel, on_done,
					       &results, &err),
	       OB_OK, &err, NULL);
	family_until(&f, has_one, &results);
	assert_int_equal(results.codes[0], OB_OK);
	results = (struct results){0};
	expect(ob_client_call_async_cancelable(client, "act.keep", NULL, 1, cancel, on_done,
					       &results, &err),
	       OB_OK, &err, NULL);
	family_until(&f, has_one, &results);
	assert_int_equal(results.codes[0], OB_ETIMEDOUT);
	results = (struct results){0};
	expect(ob_client_call_async_cancelable(client, "act.cut", NULL, 0, cancel, on_done,
					       &results, &err),
	       OB_OK, &err, NULL);
	family_until(&f, has_one, &results);
	assert_int_equal(results.codes[0], OB_ECONNLOST);
	expect(
	    ob_client_call_async_cancelable(client, "", NULL, 0, cancel, on_done, &results, &err),
	    OB_EINVAL, &err, "method");
	ob_cancel_free(cancel);
	family_end(&f);
}

/* The client is freed, and the cancel fired, before the end of the call is told. */
static void a_cancel_may_outlive_the_client(void **state)
{
	struct family f;
	struct ob_error err = {0};
	struct results results = {0};
	ob_client *client;
	(void)state;
	family_start(&f, OB_RUNTIME_INLINE);
	ob_cancel *cancel = unfired();
	expect(ob_connector_connect_interface(f.connector, "act", 0, &client, &err), OB_OK, &err,
	       NULL);
	expect(ob_client_call_async_cancelable(client, "keep", NULL, LONG_MS, cancel, on_done,
					       &results, &err),
	       OB_OK, &err, NULL);
	ob_cancel_fire(cancel);
	ob_client_free(client);
	family_until(&f, has_one, &results);
	assert_true(results.codes[0] == OB_ECLOSED || results.codes[0] == OB_ECANCELED);
	ob_cancel_free(cancel);
	family_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_cancel_ends_the_calls_of_many_threads),
	    cmocka_unit_test(a_call_without_a_cancel_is_as_before),
	    cmocka_unit_test(a_cancel_ends_calls_that_nobody_waits_for),
	    cmocka_unit_test(a_call_that_ended_does_not_watch_its_cancel),
	    cmocka_unit_test(a_cancel_may_outlive_the_client),
	};
	return cmocka_run_group_tests_name("cancel", tests, NULL, NULL);
}
