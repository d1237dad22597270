/* SPDX-License-Identifier: MIT */
/* Waiting for a state of a child, and what calls to a child that is down say. */
#include "support/family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ev.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/expect.h"
#include "support/scratch.h"

static const enum ob_runtime_mode modes[] = {OB_RUNTIME_INLINE, OB_RUNTIME_THREADED};

/* The ends of waits, which the thread of a runtime may report. */
struct ends {
	pthread_mutex_t lock;
	int count;
	int code;	 /* of the last one */
	char text[1024]; /* of its error */
};

static void on_end(void *user, int result, const struct ob_error *err)
{
	struct ends *ends = user;
	pthread_mutex_lock(&ends->lock);
	ends->count++;
	ends->code = result;
	snprintf(ends->text, sizeof ends->text, "%s", err != NULL ? err->text : "");
	pthread_mutex_unlock(&ends->lock);
}

static bool has_ended(void *user)
{
	struct ends *ends = user;
	pthread_mutex_lock(&ends->lock);
	bool ended = ends->count > 0;
	pthread_mutex_unlock(&ends->lock);
	return ended;
}

static void expect_end(struct family *f, struct ends *ends, int code, const char *text)
{
	family_until(f, has_ended, ends);
	assert_int_equal(ends->count, 1);
	assert_int_equal(ends->code, code);
	assert_non_null(strstr(ends->text, text));
	ends->count = 0;
}

static void wait_for(struct family *f, uint32_t state, int64_t timeout_ms, struct ends *ends)
{
	struct ob_error err;
	expect(ob_connector_wait_async(f->connector, state, timeout_ms, on_end, ends, &err), OB_OK,
	       &err, NULL);
}

/* ---- Waits ---- */

static void readiness_is_awaited(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct ends ends = {.lock = PTHREAD_MUTEX_INITIALIZER};
		struct family f;
		struct ob_error err;
		family_begin(&f, modes[i], NULL);
		family_connector(&f);
		expect(ob_connector_supervise(f.connector, &err), OB_OK, &err, NULL);
		expect(ob_connector_wait(f.connector, OB_STATE_READY, FAMILY_WAIT_MS, NULL, &err),
		       OB_OK, &err, NULL);
		expect(ob_connector_wait(f.connector, OB_STATE_READY, FAMILY_WAIT_MS, NULL, &err),
		       OB_OK, &err, NULL);
		wait_for(&f, OB_STATE_READY, 0, &ends);
		expect_end(&f, &ends, OB_OK, "");
		family_call(&f, "echo", "[i]", 1);
		family_end(&f);
	}
}

static void every_state_on_the_way_ends_its_wait(void **state)
{
	static const uint32_t way[] = {OB_STATE_IDLE,  OB_STATE_WAITING,  OB_STATE_STARTING,
				       OB_STATE_READY, OB_STATE_STOPPING, OB_STATE_STOPPED};
	enum { WAYS = sizeof way / sizeof way[0] };
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct ends ends[WAYS] = {{.count = 0}};
		struct family f;
		struct ob_error err;
		family_begin(&f, modes[i], NULL);
		f.options.ready = OB_READY_NONE; /* it is ready within the turn that starts it */
		family_connector(&f);
		expect(ob_connector_start_async(f.connector, NULL, NULL, &err), OB_OK, &err, NULL);
		for (int j = 0; j < WAYS; j++) {
			pthread_mutex_init(&ends[j].lock, NULL);
			if (i == 0 || way[j] != OB_STATE_IDLE) {
				wait_for(&f, way[j], 0, &ends[j]);
			} else {
				on_end(&ends[j], OB_OK, NULL); /* its thread may have begun */
			}
		}
		/* On a threaded runtime two of them may have passed before their wait. */
		for (int j = i == 0 ? 0 : 3; j < 4; j++) {
			expect_end(&f, &ends[j], OB_OK, "");
		}
		expect(ob_connector_stop(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
		for (int j = 4; j < WAYS; j++) {
			expect_end(&f, &ends[j], OB_OK, "");
		}
		family_end(&f);
	}
}

static void a_state_that_cannot_come_ends_the_wait(void **state)
{
	struct ends ends = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct family f;
	struct ob_error err;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, "exit=9", NULL);
	f.options.restart = (struct ob_restart_policy){.max_restarts = 2, .backoff_base_ms = 1};
	family_connector(&f);
	expect(ob_connector_wait(f.connector, OB_STATE_READY, 0, NULL, &err), OB_EDOWN, &err,
	       "waiting for outboard process actor to be ready: the child was not started");
	expect(ob_connector_start_async(f.connector, NULL, NULL, &err), OB_OK, &err, NULL);
	expect(ob_connector_wait(f.connector, OB_STATE_READY, 0, NULL, &err), OB_EDOWN, &err,
	       "the child is stopped: ");
	assert_non_null(strstr(err.text, "status 9"));
	/* The restart policy is waited for. */
	expect(ob_connector_supervise(f.connector, &err), OB_OK, &err, NULL);
	wait_for(&f, OB_STATE_READY, 0, &ends);
	expect(ob_connector_wait(f.connector, OB_STATE_FAILED, FAMILY_WAIT_MS, NULL, &err), OB_OK,
	       &err, NULL);
	assert_int_equal(family_count(&f, OB_EVENT_RESTARTING), 2);
	expect_end(&f, &ends, OB_EDOWN, "failed: gave up after 2 restarts");
	expect(ob_connector_wait(f.connector, OB_STATE_IDLE, 0, NULL, &err), OB_EDOWN, &err,
	       "a request was made");
	expect(ob_connector_wait(f.connector, 77, 0, NULL, &err), OB_EINVAL, &err, "77");
	assert_int_equal(ob_connector_wait_async(f.connector, 77, 0, on_end, &ends, NULL),
			 OB_EINVAL);
	family_end(&f);
}

static void stop_and_detach_end_the_wait_for_readiness(void **state)
{
	struct ends ends = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct family f;
	struct ob_error err;
	(void)state;
	family_start(&f, OB_RUNTIME_THREADED);
	int32_t pid = ob_connector_pid(f.connector);
	wait_for(&f, OB_STATE_BACKOFF, 0, &ends);
	expect(ob_connector_detach(f.connector, &err), OB_OK, &err, NULL);
	expect_end(&f, &ends, OB_EDOWN, "to be backoff: the child is detached");
	expect(ob_connector_start_or_reconnect(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	assert_int_equal(ob_connector_pid(f.connector), pid);
	/* What was before a stop that was asked for is not its reason. */
	wait_for(&f, OB_STATE_BACKOFF, 0, &ends); /* before: it is over at once */
	expect(family_try(&f, 0, &err, "exit", "[i]", 4), OB_ECONNLOST, &err, NULL);
	expect_end(&f, &ends, OB_OK, "");
	expect(ob_connector_wait(f.connector, OB_STATE_READY, FAMILY_WAIT_MS, NULL, &err), OB_OK,
	       &err, NULL);
	wait_for(&f, OB_STATE_BACKOFF, 0, &ends);
	expect(ob_connector_stop(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	expect_end(&f, &ends, OB_EDOWN, "to be backoff: the child is stopped");
	assert_null(strstr(ends.text, "status"));
	family_end(&f);
}

static void a_start_that_is_cancelled_early_ends_the_wait(void **state)
{
	struct ends ends = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct family f;
	struct ob_error err;
	ob_cancel *cancel;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, "silent", NULL);
	f.options.stop_timeout_ms = 100;
	family_connector(&f);
	expect(ob_cancel_new(&cancel, &err), OB_OK, &err, NULL);
	ob_cancel_fire(cancel);
	wait_for(&f, OB_STATE_STARTING, 0, &ends);
	expect_end(&f, &ends, OB_EDOWN, "the child was not started");
	expect(ob_connector_start(f.connector, 0, cancel, &err), OB_ECANCELED, &err, NULL);
	expect(ob_connector_wait(f.connector, OB_STATE_STOPPED, FAMILY_WAIT_MS, NULL, &err), OB_OK,
	       &err, NULL);
	ob_cancel_free(cancel);
	family_end(&f);
}

static void waits_time_out_and_are_cancelled(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct ends ends = {.lock = PTHREAD_MUTEX_INITIALIZER};
		struct family f;
		struct ob_error err;
		ob_cancel *cancel;
		family_start(&f, modes[i]);
		expect(ob_cancel_new(&cancel, &err), OB_OK, &err, NULL);
		expect(ob_connector_wait(f.connector, OB_STATE_STOPPED, 10, NULL, &err),
		       OB_ETIMEDOUT, &err,
		       "timeout waiting for outboard process actor to be stopped");
		ob_cancel_fire(cancel);
		expect(ob_connector_wait(f.connector, OB_STATE_STOPPED, 0, cancel, &err),
		       OB_ECANCELED, &err, "was canceled");
		expect(ob_connector_wait(f.connector, OB_STATE_READY, 0, cancel, &err), OB_OK, &err,
		       NULL);
		wait_for(&f, OB_STATE_STOPPED, 10, &ends);
		expect_end(&f, &ends, OB_ETIMEDOUT, "to be stopped");
		assert_true(ob_connector_is_running(f.connector));
		ob_cancel_free(cancel);
		family_end(&f);
	}
}

/* ---- Threads and callbacks ---- */

struct waiter {
	pthread_t thread;
	ob_connector *connector;
	uint32_t state;
	int code;
};

static void *wait_in_thread(void *user)
{
	struct waiter *w = user;
	w->code = ob_connector_wait(w->connector, w->state, FAMILY_WAIT_MS, NULL, NULL);
	return NULL;
}

static void many_threads_wait(void **state)
{
	struct waiter waiters[8];
	struct family f;
	struct ob_error err;
	(void)state;
	family_begin(&f, OB_RUNTIME_THREADED, NULL);
	family_connector(&f);
	expect(ob_connector_start_async(f.connector, NULL, NULL, &err), OB_OK, &err, NULL);
	for (int i = 0; i < 8; i++) {
		waiters[i] = (struct waiter){.connector = f.connector, .state = OB_STATE_READY};
		pthread_create(&waiters[i].thread, NULL, wait_in_thread, &waiters[i]);
	}
	for (int i = 0; i < 8; i++) {
		pthread_join(waiters[i].thread, NULL);
		assert_int_equal(waiters[i].code, OB_OK);
	}
	family_end(&f);
}

static void a_close_ends_the_waits(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct ends ends = {.lock = PTHREAD_MUTEX_INITIALIZER};
		struct family f;
		family_start(&f, modes[i]);
		for (int j = 0; j < 3; j++) {
			wait_for(&f, OB_STATE_STOPPED, 60000, &ends);
		}
		ob_connector_close(f.connector);
		f.connector = NULL;
		assert_int_equal(ends.count, 3);
		assert_int_equal(ends.code, OB_ECLOSED);
		family_end(&f);
	}
}

static void close_now(void *user, int what)
{
	struct family *f = user;
	struct ob_error err;
	(void)what;
	if (f->connector != NULL) {
		ob_connector *connector = f->connector;
		f->connector = NULL;
		ob_connector_close(connector);
		expect(ob_connector_wait_async(connector, OB_STATE_READY, 0, NULL, NULL, &err),
		       OB_ECLOSED, &err, "closed");
	}
}

static void a_close_in_a_callback_ends_a_blocking_wait(void **state)
{
	struct family f;
	struct ob_error err;
	ob_watch *timer;
	(void)state;
	family_start(&f, OB_RUNTIME_INLINE);
	expect(ob_watch_timer(f.runtime, 1, close_now, &f, &timer, &err), OB_OK, &err, NULL);
	expect(ob_connector_wait(f.connector, OB_STATE_STOPPED, 0, NULL, &err), OB_ECLOSED, &err,
	       "the connector is closed");
	ob_watch_free(timer);
	family_await(&f, OB_EVENT_STOPPED, 1);
	family_end(&f);
}

/* On the loop of an application. */
struct chain {
	ob_connector *connector;
	int count;
	int last;
};

static void on_link(void *user, int result, const struct ob_error *err)
{
	static const uint32_t next[] = {OB_STATE_STARTING, OB_STATE_READY, OB_STATE_STOPPED};
	struct chain *chain = user;
	(void)err;
	chain->last = result;
	if (result < 0 || chain->count == 3) {
		return;
	}
	assert_int_equal(ob_connector_wait(chain->connector, OB_STATE_IDLE, 0, NULL, NULL),
			 OB_EDEADLK);
	uint32_t state = next[chain->count++];
	if (state == OB_STATE_STARTING) { /* else the child would stay idle */
		assert_int_equal(ob_connector_supervise(chain->connector, NULL), OB_OK);
	}
	assert_int_equal(ob_connector_wait_async(chain->connector, state, 0, on_link, chain, NULL),
			 OB_OK);
	if (state == OB_STATE_STOPPED) {
		ob_connector_close(chain->connector);
	}
}

static void callbacks_may_wait_again_and_close(void **state)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct ob_runtime_options o = {.size = sizeof o, .mode = OB_RUNTIME_ATTACHED, .loop = loop};
	struct ob_error err;
	struct chain chain = {.count = 0};
	ob_runtime *runtime;
	char *scratch = scratch_make();
	char *dir = scratch_text("%s/child", scratch);
	char *actor = scratch_text("%s/children/child-actor", scratch_env("OB_TEST_BUILD"));
	const char *argv[] = {actor, NULL};
	struct ob_connector_options co = {
	    .size = sizeof co, .name = "actor", .data_path = dir, .argv = argv};
	(void)state;
	expect(ob_runtime_new(&o, &runtime, &err), OB_OK, &err, NULL);
	expect(ob_connector_new(runtime, &co, &chain.connector, &err), OB_OK, &err, NULL);
	expect(ob_connector_wait_async(chain.connector, OB_STATE_IDLE, 0, on_link, &chain, &err),
	       OB_OK, &err, NULL);
	assert_int_equal(chain.count, 0); /* from the loop only */
	while (chain.last != OB_ECLOSED && chain.last != OB_EDOWN) {
		ev_run(loop, EVRUN_ONCE);
	}
	assert_int_equal(chain.last, OB_ECLOSED);
	assert_int_equal(chain.count, 3);
	ob_runtime_free(runtime);
	ev_loop_destroy(loop);
	free(actor);
	free(dir);
	scratch_remove(scratch);
}

/* ---- Calls to a child that is down ---- */

static void expect_down(struct family *f, const char *why)
{
	struct ob_error err;
	ob_client *client = ob_connector_client(f->connector);
	expect(ob_client_call(client, "act.echo", NULL, 0, NULL, NULL, &err), OB_EDOWN, &err, why);
	assert_int_equal(strncmp(err.text, "RPC not connected: ", 19), 0);
	expect(ob_client_call_async(client, "act.echo", NULL, 0, NULL, NULL, NULL, &err), OB_EDOWN,
	       &err, why);
	expect(ob_client_notify(client, "act.echo", NULL, &err), OB_EDOWN, &err, why);
}

static void a_call_says_that_the_child_restarts_and_when(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	f.options.restart =
	    (struct ob_restart_policy){.backoff_base_ms = 3600000, .backoff_max_ms = 3600000};
	family_launch(&f);
	assert_true(family_status(&f).next_try_ms == -1);
	expect(family_try(&f, 0, &err, "exit", "[i]", 3), OB_ECONNLOST, &err, NULL);
	expect(ob_connector_wait(f.connector, OB_STATE_BACKOFF, FAMILY_WAIT_MS, NULL, &err), OB_OK,
	       &err, NULL);
	expect_down(&f, "RPC not connected: restarting in ");
	expect_down(&f, ", exit status 3");
	int64_t left = family_status(&f).next_try_ms;
	assert_true(left > 0 && left <= 3600000);
	expect(ob_connector_stop(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	expect_down(&f, "the child is stopped");
	assert_true(family_status(&f).next_try_ms == -1);
	family_end(&f);
}

static void a_call_says_in_which_state_the_child_is(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, "silent", NULL);
	f.options.restart.max_restarts = -1;
	family_connector(&f);
	expect_down(&f, "the child was not started");
	expect(ob_connector_supervise(f.connector, &err), OB_OK, &err, NULL);
	expect(ob_connector_wait(f.connector, OB_STATE_STARTING, FAMILY_WAIT_MS, NULL, &err), OB_OK,
	       &err, NULL);
	expect_down(&f, "the child is starting");
	expect(ob_connector_detach(f.connector, &err), OB_OK, &err, NULL);
	expect_down(&f, "the child is detached");
	expect(ob_connector_supervise(f.connector, &err), OB_OK, &err, NULL);
	expect(ob_connector_wait(f.connector, OB_STATE_ADOPTING, FAMILY_WAIT_MS, NULL, &err), OB_OK,
	       &err, NULL);
	expect_down(&f, "the child is being adopted");
	int32_t pid = ob_connector_pid(f.connector);
	assert_int_equal(kill(pid, SIGKILL), 0);
	expect(ob_connector_wait(f.connector, OB_STATE_FAILED, FAMILY_WAIT_MS, NULL, &err), OB_OK,
	       &err, NULL);
	expect_down(&f, "failed: not restarted (restart.max_restarts): ");
	family_end(&f);
}

static void a_call_says_why_the_link_is_down(void **state)
{
	struct family f;
	struct ob_error err;
	ob_client *client;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	char *connect = scratch_text("unix://%s/nobody.sock", f.scratch);
	f.options.connect = connect;
	f.options.ready = OB_READY_NONE;
	family_launch(&f);
	while (family_status(&f).last_error[0] == '\0') {
		ob_runtime_run(f.runtime, 1);
	}
	expect_down(&f, "link down: ");
	expect_down(&f, "nobody.sock");
	ob_connector_close(f.connector);
	/* A client outlives its connector. */
	f.options.connect = NULL;
	f.options.ready = OB_READY_CONFIG;
	family_launch(&f);
	expect(ob_connector_connect_interface(f.connector, "act", 0, &client, &err), OB_OK, &err,
	       NULL);
	ob_connector_close(f.connector);
	f.connector = NULL;
	expect(ob_client_call(client, "echo", NULL, 0, NULL, NULL, &err), OB_EDOWN, &err,
	       "RPC not connected");
	ob_client_free(client);
	free(connect);
	family_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(readiness_is_awaited),
	    cmocka_unit_test(every_state_on_the_way_ends_its_wait),
	    cmocka_unit_test(a_state_that_cannot_come_ends_the_wait),
	    cmocka_unit_test(stop_and_detach_end_the_wait_for_readiness),
	    cmocka_unit_test(a_start_that_is_cancelled_early_ends_the_wait),
	    cmocka_unit_test(waits_time_out_and_are_cancelled),
	    cmocka_unit_test(many_threads_wait),
	    cmocka_unit_test(a_close_ends_the_waits),
	    cmocka_unit_test(a_close_in_a_callback_ends_a_blocking_wait),
	    cmocka_unit_test(callbacks_may_wait_again_and_close),
	    cmocka_unit_test(a_call_says_that_the_child_restarts_and_when),
	    cmocka_unit_test(a_call_says_in_which_state_the_child_is),
	    cmocka_unit_test(a_call_says_why_the_link_is_down),
	};
	return cmocka_run_group_tests_name("connector, wait", tests, NULL, NULL);
}
