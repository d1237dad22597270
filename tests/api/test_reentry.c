/* SPDX-License-Identifier: MIT */
/* What callbacks may do: call, cancel, free, close; and that every end is reported from the
 * loop, once. */
#include "support/family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ev.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "support/expect.h"
#include "support/scratch.h"

/* Wait for a timer of the kernel. */
static void await_ms(int ms)
{
	struct itimerspec spec = {
	    .it_value = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000}};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	struct pollfd due = {.fd = fd, .events = POLLIN};
	assert_int_equal(timerfd_settime(fd, 0, &spec, NULL), 0);
	assert_int_equal(poll(&due, 1, -1), 1);
	close(fd);
}

static void a_timeout_counts_from_the_call(void **state)
{
	const enum ob_runtime_mode modes[] = {OB_RUNTIME_INLINE, OB_RUNTIME_THREADED};
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct family f;
		struct ob_error err;
		family_start(&f, modes[i]);
		family_call(&f, "echo", "[i]", 1);
		await_ms(700); /* the program does something else, and the loop does not run */
		expect(family_try(&f, 600, &err, "echo", "[i]", 2), OB_OK, &err, NULL);
		expect(family_try(&f, INT64_MAX, &err, "echo", "[i]", 3), OB_OK, &err, NULL);
		family_end(&f);
	}
}

struct again {
	struct family *f;
	pthread_t caller;
	pthread_mutex_t lock;
	int ended;
	int code;
	bool elsewhere; /* reported on another thread than the one that cancelled */
};

static void on_second(void *user, int result, const struct ob_value *value,
		      const struct ob_error *err)
{
	struct again *a = user;
	(void)value;
	(void)err;
	pthread_mutex_lock(&a->lock);
	a->ended++;
	a->code = result;
	pthread_mutex_unlock(&a->lock);
}

static void on_first(void *user, int result, const struct ob_value *value,
		     const struct ob_error *err)
{
	struct again *a = user;
	(void)value;
	(void)err;
	pthread_mutex_lock(&a->lock);
	a->ended++;
	a->elsewhere = pthread_equal(a->caller, pthread_self()) == 0 && result == OB_ECANCELED;
	pthread_mutex_unlock(&a->lock);
	assert_int_equal(ob_client_call_async(ob_connector_client(a->f->connector), "act.later",
					      NULL, 0, on_second, a, NULL, NULL),
			 OB_OK);
}

static bool both_ended(void *user)
{
	struct again *a = user;
	pthread_mutex_lock(&a->lock);
	bool both = a->ended == 2;
	pthread_mutex_unlock(&a->lock);
	return both;
}

static void a_cancelled_call_may_call_again(void **state)
{
	struct family f;
	struct ob_error err;
	struct again a = {.f = &f, .caller = pthread_self()};
	uint64_t id;
	(void)state;
	pthread_mutex_init(&a.lock, NULL);
	family_start(&f, OB_RUNTIME_THREADED);
	expect(ob_client_call_async(ob_connector_client(f.connector), "act.keep", NULL, 0, on_first,
				    &a, &id, &err),
	       OB_OK, &err, NULL);
	ob_client_cancel(ob_connector_client(f.connector), id);
	family_until(&f, both_ended, &a);
	assert_true(a.elsewhere);
	assert_int_equal(a.code, OB_OK);
	family_end(&f);
	pthread_mutex_destroy(&a.lock);
}

struct freeing {
	ob_client *client;
	int ended;
};

static void on_lost(void *user, int result, const struct ob_value *value,
		    const struct ob_error *err)
{
	struct freeing *f = user;
	(void)value;
	(void)err;
	assert_true(result == OB_ECONNLOST || result == OB_ECLOSED);
	f->ended++;
	ob_client_free(f->client);
	f->client = NULL;
}

static bool two_ended(void *user)
{
	return ((struct freeing *)user)->ended == 2;
}

static void a_lost_call_may_free_its_client(void **state)
{
	struct family f;
	struct ob_error err;
	struct freeing x = {0};
	(void)state;
	family_start(&f, OB_RUNTIME_INLINE);
	expect(ob_connector_connect_interface(f.connector, "act", 0, &x.client, &err), OB_OK, &err,
	       NULL);
	expect(ob_client_call_async(x.client, "keep", NULL, 0, on_lost, &x, NULL, &err), OB_OK,
	       &err, NULL);
	expect(ob_client_call_async(x.client, "keep", NULL, 0, on_lost, &x, NULL, &err), OB_OK,
	       &err, NULL);
	expect(ob_connector_detach(f.connector, &err), OB_OK, &err, NULL);
	family_until(&f, two_ended, &x);
	expect(ob_connector_reconnect(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	family_end(&f);
}

static void a_server_may_be_closed_inside_its_shutdown(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, "closeinside", NULL);
	f.options.restart.backoff_base_ms = 60000;
	family_launch(&f);
	expect(ob_client_callf(ob_connector_control(f.connector), 0, NULL, &err, "shutdown", NULL),
	       OB_OK, &err, NULL);
	family_await(&f, OB_EVENT_EXITED, 1);
	assert_int_equal(f.last_exit.exit_kind, OB_EXIT_CODE);
	assert_int_equal(f.last_exit.exit_value, 0);
	family_end(&f);
}

static void close_then_free_on_an_attached_loop(void **state)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct ob_runtime_options o = {.size = sizeof o, .mode = OB_RUNTIME_ATTACHED, .loop = loop};
	struct ob_error err;
	ob_runtime *runtime;
	ob_connector *connector;
	char *scratch = scratch_make();
	char *dir = scratch_text("%s/child", scratch);
	char *actor = scratch_text("%s/children/child-actor", scratch_env("OB_TEST_BUILD"));
	const char *argv[] = {actor, "stubborn", NULL};
	struct ob_connector_options co = {
	    .size = sizeof co, .name = "actor", .data_path = dir, .argv = argv};
	(void)state;
	expect(ob_runtime_new(&o, &runtime, &err), OB_OK, &err, NULL);
	expect(ob_connector_new(runtime, &co, &connector, &err), OB_OK, &err, NULL);
	expect(ob_connector_start_async(connector, NULL, NULL, &err), OB_OK, &err, NULL);
	while (ob_connector_pid(connector) == 0) {
		ev_run(loop, EVRUN_ONCE);
	}
	int32_t pid = ob_connector_pid(connector);
	/* The loop will not turn again: everything in progress ends here. */
	ob_connector_close(connector);
	ob_runtime_free(runtime);
	assert_false(family_alive(pid));
	ev_run(loop, EVRUN_NOWAIT);
	ev_loop_destroy(loop);
	free(actor);
	free(dir);
	scratch_remove(scratch);
}

static void start_reports_a_running_child_of_an_earlier_parent(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_start(&f, OB_RUNTIME_INLINE);
	expect(ob_connector_detach(f.connector, &err), OB_OK, &err, NULL);
	int r = ob_connector_start(f.connector, 0, NULL, &err);
	expect(r, OB_EEXIST, &err, NULL);
	assert_non_null(strstr(err.text, "outboard process actor is already running"));
	expect(ob_connector_reconnect(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	family_end(&f);
}

static void a_child_that_is_unhealthy_from_the_start_is_restarted(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, "ill", NULL);
	f.options.health_action = OB_HEALTH_RESTART;
	f.options.restart = (struct ob_restart_policy){.max_restarts = 2, .backoff_base_ms = -1};
	family_connector(&f);
	expect(ob_connector_supervise(f.connector, &err), OB_OK, &err, NULL);
	family_await(&f, OB_EVENT_FAILED, 1);
	assert_int_equal(family_count(&f, OB_EVENT_STARTING), 3);
	family_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_timeout_counts_from_the_call),
	    cmocka_unit_test(a_cancelled_call_may_call_again),
	    cmocka_unit_test(a_lost_call_may_free_its_client),
	    cmocka_unit_test(a_server_may_be_closed_inside_its_shutdown),
	    cmocka_unit_test(close_then_free_on_an_attached_loop),
	    cmocka_unit_test(start_reports_a_running_child_of_an_earlier_parent),
	    cmocka_unit_test(a_child_that_is_unhealthy_from_the_start_is_restarted),
	};
	return cmocka_run_group_tests_name("reentry", tests, NULL, NULL);
}
