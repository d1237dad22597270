/* SPDX-License-Identifier: MIT */
/* Notifications to the caller of a call: progress, from the handler and from other threads. */
#include "support/family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "support/expect.h"
#include "support/scratch.h"

/* ---- What the caller hears ---- */

struct heard {
	int count;
	int64_t last;
	bool in_order;
};

static void on_progress(void *user, ob_call *call, const struct ob_value *params)
{
	struct heard *h = user;
	int64_t n = -1;
	assert_true(ob_call_is_notification(call));
	assert_true(ob_get_int(ob_value_at(params, 0), &n));
	h->in_order = h->count == 0 ? n == 0 : h->in_order && n == h->last + 1;
	h->last = n;
	h->count++;
}

static const struct ob_method progress[] = {{"progress", on_progress}, {NULL, NULL}};

/* The child sends `count` notifications of `size` bytes from a thread, then answers. */
static void a_connector_hears_progress_before_the_answer(void **state)
{
	static const enum ob_runtime_mode modes[] = {OB_RUNTIME_INLINE, OB_RUNTIME_THREADED};
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct family f;
		struct heard heard = {0};
		struct ob_error err = {0};
		int64_t sent = 0;
		family_begin(&f, modes[i], NULL);
		family_child(&f, "worker");
		family_connector(&f);
		expect(ob_connector_expose(f.connector, "job", progress, &heard, &err), OB_OK, &err,
		       NULL);
		expect(ob_connector_start(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
		for (int from_thread = 0; from_thread < 2; from_thread++) {
			heard = (struct heard){0};
			const struct ob_value *reply =
			    family_call(&f, "work", "[i,b]", 1000, from_thread);
			/* Every one that was sent has arrived before the answer. */
			assert_true(ob_get_int(reply, &sent));
			assert_int_equal(sent, 1000);
			assert_int_equal(heard.count, 1000);
			assert_true(heard.in_order);
		}
		family_end(&f);
	}
}

/* ---- In one process: a server, and a client that exposes methods ---- */

struct bench {
	char *dir, *address;
	ob_runtime *runtime;
	ob_server *server;
	ob_client *client;
	struct heard heard;
	ob_call *kept;
	atomic_int keeping;
};

/* A mechanism that exchanges messages: only after that is $/cancel sent. */
static const char *const auth[] = {"token", NULL};
static const char token[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

static void on_keep(void *user, ob_call *call, const struct ob_value *params)
{
	struct bench *b = user;
	(void)params;
	assert_non_null(ob_call_defer(call));
	b->kept = call;
	atomic_store(&b->keeping, 1);
}

/* The errors of a call that is not deferred are those of the notification itself. */
static void on_direct(void *user, ob_call *call, const struct ob_value *params)
{
	struct ob_error err = {0};
	char name[300];
	static char big[OB_MESSAGE_MAX_DEFAULT];
	(void)user;
	(void)params;
	memset(name, 'a', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	expect(ob_call_notifyf(call, &err, "job.progress", "[i]", 0), OB_OK, &err, NULL);
	expect(ob_call_notify(call, "job.nobody", NULL, &err), OB_OK, &err, NULL);
	expect(ob_call_notifyf(call, &err, "job.progress", "i", 1), OB_EINVAL, &err, "params");
	expect(ob_call_notifyf(call, &err, "job.progress", "[", 1), OB_EINVAL, &err, "format");
	expect(ob_call_notifyf(call, &err, "", NULL), OB_EINVAL, &err, "method");
	expect(ob_call_notifyf(call, &err, name, NULL), OB_EINVAL, &err, "method");
	expect(ob_call_notifyf(call, &err, "job.progress", "[B]", big, sizeof big), OB_ETOOBIG,
	       &err, "larger than message_max (4194304)");
	ob_call_replyf(call, "i", 1);
	expect(ob_call_notifyf(call, &err, "job.progress", "[i]", 1), OB_ECLOSED, &err,
	       "answered already");
}

static const struct ob_method served[] = {{"keep", on_keep}, {"direct", on_direct}, {NULL, NULL}};

static int begin(void **state)
{
	struct ob_runtime_options options = {.size = sizeof options, .mode = OB_RUNTIME_THREADED};
	struct bench *b = calloc(1, sizeof *b);
	struct ob_error err = {0};
	assert_non_null(b);
	b->dir = scratch_make();
	b->address = scratch_text("unix://%s/s.sock", b->dir);
	expect(ob_runtime_new(&options, &b->runtime, &err), OB_OK, &err, NULL);
	struct ob_server_options server = {.size = sizeof server,
					   .runtime = b->runtime,
					   .listen = b->address,
					   .auth = auth,
					   .token = token};
	struct ob_client_options client = {
	    .size = sizeof client, .address = b->address, .auth = auth, .token = token};
	expect(ob_server_open(&server, &b->server, &err), OB_OK, &err, NULL);
	expect(ob_server_expose(b->server, "act", served, b, &err), OB_OK, &err, NULL);
	expect(ob_server_start(b->server, &err), OB_OK, &err, NULL);
	expect(ob_client_connect(b->runtime, &client, NULL, &b->client, &err), OB_OK, &err, NULL);
	expect(ob_client_expose(b->client, "job", progress, &b->heard, &err), OB_OK, &err, NULL);
	*state = b;
	return 0;
}

static int end(void **state)
{
	struct bench *b = *state;
	ob_client_free(b->client);
	ob_server_close(b->server);
	ob_runtime_free(b->runtime);
	scratch_remove(b->dir);
	free(b->address);
	free(b);
	return 0;
}

static void a_handler_notifies_at_once(void **state)
{
	struct bench *b = *state;
	struct ob_error err = {0};
	expect(ob_client_callf(b->client, 0, NULL, &err, "act.direct", NULL), OB_OK, &err, NULL);
	assert_int_equal(b->heard.count, 1);
}

static void methods_are_exposed_where_the_connection_is(void **state)
{
	struct bench *b = *state;
	struct ob_error err = {0};
	expect(ob_client_expose(b->client, "job", progress, &b->heard, &err), OB_EEXIST, &err,
	       "job");
	expect(ob_client_expose(ob_server_parent(b->server), "job", progress, &b->heard, &err),
	       OB_EINVAL, &err, "shares the connection");
}

struct ended {
	atomic_int count;
	int code;
};

static void on_ended(void *user, int code, const struct ob_value *value, const struct ob_error *err)
{
	struct ended *e = user;
	(void)value;
	(void)err;
	e->code = code;
	atomic_fetch_add(&e->count, 1);
}

/* A call that the server keeps, and that this thread answers. */
static void keep(struct bench *b, struct ended *ended, uint64_t *ret_id)
{
	struct ob_error err = {0};
	memset(ended, 0, sizeof *ended);
	atomic_store(&b->keeping, 0);
	expect(ob_client_call_async(b->client, "act.keep", NULL, -1, on_ended, ended, ret_id, &err),
	       OB_OK, &err, NULL);
	while (atomic_load(&b->keeping) == 0) {
		/* A round trip for a thing that comes by itself. */
		(void)ob_client_callf(b->client, 0, NULL, &err, "outboard.ping", NULL);
	}
}

static void answer(struct bench *b, struct ended *ended)
{
	struct ob_error err = {0};
	ob_call_replyf(b->kept, "i", 1);
	while (ob_client_is_connected(b->client) && atomic_load(&ended->count) == 0) {
		(void)ob_client_callf(b->client, 0, NULL, &err, "outboard.ping", NULL);
	}
}

static void after_a_cancel_nothing_is_sent(void **state)
{
	struct bench *b = *state;
	struct ended ended;
	struct ob_error err = {0};
	uint64_t id;
	keep(b, &ended, &id);
	expect(ob_call_notifyf(b->kept, &err, "job.progress", "[i]", 0), OB_OK, &err, NULL);
	ob_client_cancel(b->client, id);
	while (!ob_call_is_canceled(b->kept)) {
		(void)ob_client_callf(b->client, 0, NULL, &err, "outboard.ping", NULL);
	}
	expect(ob_call_notifyf(b->kept, &err, "job.progress", "[i]", 1), OB_ECANCELED, &err,
	       "the caller has canceled the call");
	answer(b, &ended);
	assert_int_equal(ended.code, OB_ECANCELED);
	assert_int_equal(b->heard.count, 1);
}

static void after_the_end_of_the_connection_nothing_is_sent(void **state)
{
	struct bench *b = *state;
	struct ended ended;
	struct ob_error err = {0};
	uint64_t id;
	keep(b, &ended, &id);
	ob_client_free(b->client);
	b->client = NULL;
	while (!ob_call_is_canceled(b->kept)) {
		sched_yield();
	}
	int r;
	do { /* the client cancels its call before it closes the connection */
		sched_yield();
		r = ob_call_notifyf(b->kept, &err, "job.progress", "[i]", 0);
	} while (r == OB_ECANCELED);
	expect(r, OB_ECLOSED, &err, "the connection of the caller has ended");
	ob_call_replyf(b->kept, "i", 1);
}

/* Also when there is no loop any more. */
static void after_the_end_of_the_runtime_nothing_is_sent(void **state)
{
	struct bench *b = *state;
	struct ended ended;
	struct ob_error err = {0};
	uint64_t id;
	keep(b, &ended, &id);
	ob_client_free(b->client);
	ob_server_close(b->server);
	ob_runtime_free(b->runtime);
	b->client = NULL;
	b->server = NULL;
	b->runtime = NULL;
	expect(ob_call_notifyf(b->kept, &err, "job.progress", "[i]", 0), OB_ECLOSED, &err, NULL);
	ob_call_replyf(b->kept, "i", 1);
}

/* What cannot be sent is found on the thread of the loop, and told by the next call. */
static void an_error_of_a_deferred_call_is_told_by_the_next(void **state)
{
	struct bench *b = *state;
	struct ended ended;
	struct ob_error err = {0};
	uint64_t id;
	char *big = calloc(1, OB_MESSAGE_MAX_DEFAULT);
	assert_non_null(big);
	keep(b, &ended, &id);
	expect(ob_call_notifyf(b->kept, &err, "job.progress", "[B]", big,
			       (size_t)OB_MESSAGE_MAX_DEFAULT),
	       OB_OK, &err, NULL);
	(void)ob_client_callf(b->client, 0, NULL, &err, "outboard.ping", NULL);
	expect(ob_call_notifyf(b->kept, &err, "job.progress", "[i]", 7), OB_ETOOBIG, &err,
	       "larger than message_max");
	expect(ob_call_notifyf(b->kept, &err, "job.progress", "[i]", 0), OB_OK, &err, NULL);
	answer(b, &ended);
	assert_int_equal(ended.code, OB_OK);
	assert_int_equal(b->heard.count, 1);
	free(big);
}

/* Many threads notify at once, while the answers of other calls pass. */
static void *notify_often(void *user)
{
	struct bench *b = user;
	for (int i = 0; i < 500; i++) {
		(void)ob_call_notifyf(b->kept, NULL, "job.nobody", "[i,s]", i, "of a thread");
	}
	return NULL;
}

static void any_number_of_threads_may_notify(void **state)
{
	struct bench *b = *state;
	struct ended ended;
	struct ob_error err = {0};
	pthread_t threads[4];
	uint64_t id;
	keep(b, &ended, &id);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, notify_often, b), 0);
	}
	for (int i = 0; i < 100; i++) {
		expect(ob_client_callf(b->client, 0, NULL, &err, "outboard.ping", NULL), OB_OK,
		       &err, NULL);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
	}
	answer(b, &ended);
	assert_int_equal(ended.code, OB_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_connector_hears_progress_before_the_answer),
	    cmocka_unit_test_setup_teardown(a_handler_notifies_at_once, begin, end),
	    cmocka_unit_test_setup_teardown(methods_are_exposed_where_the_connection_is, begin,
					    end),
	    cmocka_unit_test_setup_teardown(after_a_cancel_nothing_is_sent, begin, end),
	    cmocka_unit_test_setup_teardown(after_the_end_of_the_connection_nothing_is_sent, begin,
					    end),
	    cmocka_unit_test_setup_teardown(after_the_end_of_the_runtime_nothing_is_sent, begin,
					    end),
	    cmocka_unit_test_setup_teardown(an_error_of_a_deferred_call_is_told_by_the_next, begin,
					    end),
	    cmocka_unit_test_setup_teardown(any_number_of_threads_may_notify, begin, end),
	};
	return cmocka_run_group_tests_name("call_notify", tests, NULL, NULL);
}
