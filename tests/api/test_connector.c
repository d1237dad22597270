/* SPDX-License-Identifier: MIT */
/* The connector with real children: each call of the API, and each fault of the origin as a test
 * that its old behaviour fails. */
#include "support/family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "support/clock.h"
#include "support/expect.h"
#include "support/scratch.h"

static struct ob_status status_of(struct family *f)
{
	struct ob_status s = {.size = sizeof s};
	ob_connector_status(f->connector, &s);
	return s;
}

/* Another connector for the same child, as a new parent has it. */
static ob_connector *another(struct family *f)
{
	ob_connector *c;
	struct ob_error err;
	expect(ob_connector_new(f->runtime, &f->options, &c, &err), OB_OK, &err, NULL);
	return c;
}

/* ---- The ordinary life ---- */

static void start_call_stop(void **state)
{
	struct family f;
	int64_t n;
	(void)state;
	family_start(&f, OB_RUNTIME_INLINE);
	assert_true(ob_connector_is_running(f.connector));
	int32_t pid = ob_connector_pid(f.connector);
	assert_true(family_alive(pid));
	assert_true(ob_get_int(family_call(&f, "echo", "[i]", 42), &n));
	assert_int_equal(n, 42);
	struct ob_status s = status_of(&f);
	assert_int_equal(s.state, OB_STATE_READY);
	assert_int_equal(s.link, OB_LINK_UP);
	assert_int_equal(s.pid, pid);
	assert_int_equal(s.healthy, 1);
	assert_true(s.uptime_ms >= 0);
	assert_non_null(strstr(s.address, "rpc.sock"));
	struct ob_error err;
	expect(ob_connector_stop(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	assert_false(ob_connector_is_running(f.connector));
	assert_int_equal(ob_connector_pid(f.connector), 0);
	assert_false(family_alive(pid));
	assert_int_equal(family_count(&f, OB_EVENT_EXITED), 1);
	assert_int_equal(family_count(&f, OB_EVENT_STOPPED), 1);
	assert_false(family_has(&f, "rpc.sock"));
	assert_false(family_has(&f, "outboard.json"));
	assert_false(family_has(&f, "stdout.fifo"));
	/* Stop of what is not running succeeds, and so does Detach. */
	expect(ob_connector_stop(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	expect(ob_connector_detach(f.connector, &err), OB_OK, &err, NULL);
	family_end(&f);
}

static void start_twice_is_refused(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_start(&f, OB_RUNTIME_INLINE);
	expect(ob_connector_start(f.connector, 0, NULL, &err), OB_EEXIST, &err,
	       "outboard process actor is already running");
	expect(ob_connector_reconnect(f.connector, 0, NULL, &err), OB_EEXIST, &err,
	       "already connected");
	family_end(&f);
}

static void a_second_connector_is_busy(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_start(&f, OB_RUNTIME_INLINE);
	ob_connector *second = another(&f);
	expect(ob_connector_start(second, 0, NULL, &err), OB_EBUSY, &err, NULL);
	expect(ob_connector_reconnect(second, 0, NULL, &err), OB_EBUSY, &err, NULL);
	ob_connector_close(second);
	assert_true(ob_connector_is_running(f.connector));
	family_end(&f);
}

static void calls_of_a_child_that_is_down_fail_at_once(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	family_connector(&f);
	expect(family_try(&f, 0, &err, "echo", "[i]", 1), OB_EDOWN, &err, "RPC not connected");
	family_end(&f);
}

static void interfaces_are_found_by_name(void **state)
{
	struct family f;
	struct ob_error err;
	ob_client *client;
	(void)state;
	family_start(&f, OB_RUNTIME_INLINE);
	expect(ob_connector_connect_interface(f.connector, "nothing", 0, &client, &err), OB_ENOENT,
	       &err, "unknown object: nothing");
	expect(ob_connector_connect_interface(f.connector, "act", 0, &client, &err), OB_OK, &err,
	       NULL);
	expect(ob_client_callf(client, 0, NULL, &err, "echo", "[s]", "x"), OB_OK, &err, NULL);
	expect(ob_client_callf(client, 0, NULL, &err, "nonsense", NULL), OB_EREMOTE, &err,
	       "unknown method: act.nonsense");
	expect(ob_client_callf(ob_connector_client(f.connector), 0, NULL, &err, "no.method", NULL),
	       OB_EREMOTE, &err, "unknown object: no");
	ob_client_free(client);
	family_end(&f);
}

static void control_interface(void **state)
{
	struct family f;
	struct ob_error err;
	struct ob_health h = {.size = sizeof h};
	uint64_t current;
	bool restart;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, "version=7", NULL);
	family_connector(&f);
	expect(ob_connector_start(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	expect(ob_control_health(ob_connector_client(f.connector), 0, &h, &err), OB_OK, &err, NULL);
	assert_true(h.healthy);
	assert_int_equal(h.pid, ob_connector_pid(f.connector));
	assert_true(h.uptime_ns > 0);
	assert_true(llabs((long long)h.timestamp.tv_sec - (long long)time(NULL)) < 5);
	assert_string_equal(h.last_error, "");
	family_call(&f, "health", "[i]", 0);
	expect(ob_control_health(ob_connector_control(f.connector), 0, &h, &err), OB_OK, &err,
	       NULL);
	assert_false(h.healthy);
	assert_string_equal(h.last_error, "actor: told to be ill");
	expect(ob_control_check_version(ob_connector_client(f.connector), 7, 0, &current, &restart,
					&err),
	       OB_OK, &err, NULL);
	assert_int_equal(current, 7);
	assert_false(restart);
	family_end(&f);
}

static void deferred_answers_come_from_any_thread(void **state)
{
	struct family f;
	struct ob_bytes text = {NULL, 0};
	(void)state;
	family_start(&f, OB_RUNTIME_INLINE);
	for (int i = 0; i < 50; i++) {
		assert_true(ob_get_string(family_call(&f, "later", NULL), &text));
		assert_true(ob_bytes_is(text, "from another thread"));
	}
	family_end(&f);
}

/* ---- Callbacks and events ---- */

static int told;

static void on_source(void *user, ob_call *call, const struct ob_value *params)
{
	int64_t n = 0;
	(void)user;
	(void)ob_get_int(ob_value_at(params, 0), &n);
	ob_call_replyf(call, "I", n * 2);
}

static void on_told(void *user, ob_call *call, const struct ob_value *params)
{
	(void)user;
	(void)params;
	assert_true(ob_call_is_notification(call));
	told++;
}

static bool was_told(void *user)
{
	(void)user;
	return told > 0;
}

static void the_child_calls_its_parent(void **state)
{
	static const struct ob_method methods[] = {
	    {"read", on_source}, {"told", on_told}, {NULL, NULL}};
	struct family f;
	struct ob_error err;
	int64_t n;
	(void)state;
	told = 0;
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	family_connector(&f);
	expect(ob_connector_expose(f.connector, "source", methods, NULL, &err), OB_OK, &err, NULL);
	expect(ob_connector_start(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	expect(ob_connector_expose(f.connector, "late", methods, NULL, &err), OB_EBUSY, &err, NULL);
	assert_true(ob_get_int(family_call(&f, "ask", "[s,i]", "source.read", 21), &n));
	assert_int_equal(n, 42);
	expect(family_try(&f, 0, &err, "ask", "[s,i]", "nobody.home", 1), OB_EREMOTE, &err,
	       "unknown object: nobody");
	family_call(&f, "tell", "[s]", "source.told");
	family_until(&f, was_told, NULL);
	family_end(&f);
}

/* ---- Exits and restarts ---- */

static void a_dead_child_is_replaced_and_calls_go_on(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_start(&f, OB_RUNTIME_INLINE);
	int32_t pid = ob_connector_pid(f.connector);
	ob_client *client = ob_connector_client(f.connector);
	expect(family_try(&f, 0, &err, "signal", "[i]", SIGKILL), OB_ECONNLOST, &err, NULL);
	family_await(&f, OB_EVENT_READY, 2);
	assert_true(ob_connector_pid(f.connector) != pid);
	assert_int_equal(f.last_exit.exit_kind, OB_EXIT_SIGNAL);
	assert_int_equal(f.last_exit.exit_value, SIGKILL);
	expect(ob_client_callf(client, 0, NULL, &err, "act.echo", "[i]", 1), OB_OK, &err, NULL);
	assert_int_equal(status_of(&f).restarts, 1);
	/* Status 0 is no reason not to. */
	expect(family_try(&f, 0, &err, "exit", "[i]", 0), OB_ECONNLOST, &err, NULL);
	family_await(&f, OB_EVENT_READY, 3);
	assert_int_equal(f.last_exit.exit_kind, OB_EXIT_CODE);
	assert_int_equal(f.last_exit.exit_value, 0);
	/* A new token each time. */
	assert_int_equal(f.token_count, 3);
	assert_string_not_equal(f.tokens[0], f.tokens[1]);
	assert_string_not_equal(f.tokens[1], f.tokens[2]);
	family_end(&f);
}

static void fault_17_a_crash_loop_ends_in_failed(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_start(&f, OB_RUNTIME_INLINE);
	ob_connector_close(f.connector);
	f.options.restart = (struct ob_restart_policy){.max_restarts = 3, .backoff_base_ms = 1};
	f.argv[1] = "exit=9";
	family_connector(&f);
	expect(ob_connector_supervise(f.connector, &err), OB_OK, &err, NULL);
	family_await(&f, OB_EVENT_FAILED, 1);
	assert_int_equal(family_count(&f, OB_EVENT_RESTARTING), 3);
	assert_int_equal(f.last_exit.exit_value, 9);
	assert_int_equal(status_of(&f).state, OB_STATE_FAILED);
	/* A person may start it again. */
	expect(ob_connector_start(f.connector, 0, NULL, &err), OB_EEXITED, &err,
	       "exited with status 9");
	family_end(&f);
}

/* ---- Faults of the origin ---- */

static void origin_1_stop_after_reconnect_stops(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_start(&f, OB_RUNTIME_INLINE);
	int32_t pid = ob_connector_pid(f.connector);
	expect(ob_connector_detach(f.connector, &err), OB_OK, &err, NULL);
	ob_connector *second = another(&f);
	expect(ob_connector_reconnect(second, 0, NULL, &err), OB_OK, &err, NULL);
	assert_int_equal(ob_connector_pid(second), pid); /* and origin 10 */
	expect(ob_connector_stop(second, 0, NULL, &err), OB_OK, &err, NULL);
	assert_false(family_alive(pid));
	assert_int_equal(family_count(&f, OB_EVENT_STARTING), 1);
	ob_connector_close(second);
	family_end(&f);
}

static void origin_2_detach_reconnect_exit_on_one_connector(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_start(&f, OB_RUNTIME_INLINE);
	int32_t pid = ob_connector_pid(f.connector);
	for (int i = 0; i < 3; i++) {
		expect(ob_connector_detach(f.connector, &err), OB_OK, &err, NULL);
		assert_true(family_alive(pid));
		expect(family_try(&f, 0, &err, "echo", "[i]", 1), OB_EDOWN, &err, NULL);
		expect(ob_connector_reconnect(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
		family_call(&f, "echo", "[i]", 1);
	}
	kill(pid, SIGKILL);
	family_await(&f, OB_EVENT_READY, 2);
	assert_true(ob_connector_pid(f.connector) != pid);
	family_end(&f);
}

static void origin_3_stop_during_backoff_is_final(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	f.options.restart.backoff_base_ms = 60000;
	family_connector(&f);
	expect(ob_connector_start(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	kill(ob_connector_pid(f.connector), SIGKILL);
	family_await(&f, OB_EVENT_RESTARTING, 1);
	assert_int_equal(status_of(&f).state, OB_STATE_BACKOFF);
	assert_int_equal(f.last.delay_ms, 60000);
	expect(ob_connector_stop(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	assert_int_equal(status_of(&f).state, OB_STATE_STOPPED);
	assert_int_equal(family_count(&f, OB_EVENT_STARTING), 1);
	family_end(&f);
}

static void origin_4_a_child_that_dies_young_costs_no_timeout(void **state)
{
	struct family f;
	struct ob_error err;
	const char *const how[] = {"exit=5", "die=open", "die=start"};
	(void)state;
	for (int i = 0; i < 3; i++) {
		family_begin(&f, OB_RUNTIME_INLINE, how[i], NULL);
		f.options.ready_timeout_ms = 60000;
		family_connector(&f);
		int64_t begin = now_ms();
		int r = ob_connector_start(f.connector, 0, NULL, &err);
		/* The one that is killed right after it said ready may have been believed, and is
		 * replaced for ever. */
		if (i < 2) {
			expect(r, OB_EEXITED, &err, "waiting for outboard process to be ready");
			assert_int_equal(status_of(&f).state, OB_STATE_STOPPED);
			assert_int_equal(family_count(&f, OB_EVENT_STARTING), 1);
		}
		assert_true(now_ms() - begin < 10000);
		family_end(&f);
	}
}

static void origin_5_a_failed_restart_counts_and_is_tried_again(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	char *link = scratch_text("%s/program", f.scratch);
	assert_int_equal(symlink(f.argv[0], link), 0);
	const char *argv[] = {link, NULL};
	f.options.argv = argv;
	f.options.restart = (struct ob_restart_policy){.backoff_base_ms = 1, .backoff_max_ms = 5};
	family_connector(&f);
	expect(ob_connector_start(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	assert_int_equal(unlink(link), 0);
	kill(ob_connector_pid(f.connector), SIGKILL);
	family_await(&f, OB_EVENT_RESTARTING, 4); /* the first failed start is followed by more */
	assert_int_equal(family_count(&f, OB_EVENT_READY), 1);
	assert_int_equal(symlink(f.argv[0], link), 0);
	family_await(&f, OB_EVENT_READY, 2);
	free(link);
	family_end(&f);
}

struct async {
	int ended;
	int result;
};

static void on_done(void *user, int result, const struct ob_error *err)
{
	struct async *a = user;
	(void)err;
	a->ended++;
	a->result = result;
}

static void origin_6_nothing_waits_for_a_start(void **state)
{
	struct family f;
	struct ob_error err;
	struct async start = {0};
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, "silent", NULL);
	f.options.ready_timeout_ms = 60000;
	family_connector(&f);
	expect(ob_connector_start_async(f.connector, on_done, &start, &err), OB_OK, &err, NULL);
	family_await(&f, OB_EVENT_STARTING, 1);
	int64_t begin = now_ms();
	assert_true(ob_connector_pid(f.connector) > 0);
	assert_true(ob_connector_is_running(f.connector));
	assert_int_equal(status_of(&f).state, OB_STATE_STARTING);
	expect(ob_connector_stop(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	assert_true(now_ms() - begin < 5000);
	assert_int_equal(start.ended, 1);
	assert_int_equal(start.result, OB_ECANCELED);
	family_end(&f);
}

static void origin_7_a_grandchild_that_holds_stdout_delays_nothing(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	char *left = scratch_text("leave=%s/pid", f.scratch);
	f.argv[1] = left;
	family_connector(&f);
	expect(ob_connector_start(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	FILE *file = fopen(strchr(left, '=') + 1, "re");
	int grandchild = 0;
	assert_int_equal(fscanf(file, "%d", &grandchild), 1);
	fclose(file);
	assert_true(family_alive(grandchild));
	int64_t begin = now_ms();
	kill(ob_connector_pid(f.connector), SIGKILL);
	family_await(&f, OB_EVENT_READY, 2);
	assert_true(now_ms() - begin < 5000);
	family_await_death(grandchild); /* origin 20: it was of the group */
	assert_false(family_alive(grandchild));
	free(left);
	family_end(&f);
}

static void origin_11_status_of_an_adopted_child(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_start(&f, OB_RUNTIME_INLINE);
	expect(ob_connector_detach(f.connector, &err), OB_OK, &err, NULL);
	expect(ob_connector_reconnect(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	assert_true(status_of(&f).adopted);
	assert_int_equal(family_count(&f, OB_EVENT_ADOPTED), 1);
	int64_t begin = now_ms();
	kill(ob_connector_pid(f.connector), SIGKILL);
	family_await(&f, OB_EVENT_EXITED, 1);
	assert_true(now_ms() - begin < 900); /* not polled once a second */
	assert_int_equal(f.last_exit.exit_kind, OB_EXIT_SIGNAL);
	assert_int_equal(f.last_exit.exit_value, SIGKILL);
	family_end(&f);
}

static void origin_12_a_hung_child_is_never_doubled(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_start(&f, OB_RUNTIME_INLINE);
	int32_t pid = ob_connector_pid(f.connector);
	expect(ob_connector_detach(f.connector, &err), OB_OK, &err, NULL);
	kill(pid, SIGSTOP);
	ob_connector *second = another(&f);
	expect(ob_connector_reconnect(second, 300, NULL, &err), OB_ETIMEDOUT, &err, NULL);
	assert_true(family_alive(pid)); /* a failed reconnect kills nothing */
	assert_int_equal(family_count(&f, OB_EVENT_STARTING), 1);
	struct async start = {0};
	expect(ob_connector_start_or_reconnect_async(second, on_done, &start, &err), OB_OK, &err,
	       NULL);
	for (int i = 0; i < 20; i++) {
		(void)ob_runtime_run(f.runtime, 20);
	}
	assert_int_equal(start.ended, 0);
	assert_int_equal(family_count(&f, OB_EVENT_STARTING), 1);
	kill(pid, SIGCONT);
	family_await(&f, OB_EVENT_ADOPTED, 1);
	assert_int_equal(start.result, OB_OK);
	assert_int_equal(ob_connector_pid(second), pid);
	ob_connector_close(second);
	family_end(&f);
}

static void origin_14_interfaces_are_there_before_ready(void **state)
{
	struct family f;
	struct ob_error err;
	ob_client *client;
	(void)state;
	for (int i = 0; i < 10; i++) {
		family_start(&f, OB_RUNTIME_INLINE);
		expect(ob_connector_connect_interface(f.connector, "act", 0, &client, &err), OB_OK,
		       &err, NULL);
		ob_client_free(client);
		family_end(&f);
	}
}

static void origin_15_an_old_version_is_replaced_at_once_and_uncounted(void **state)
{
	struct family f;
	struct ob_error err;
	uint64_t current;
	bool restart;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, "version=3", NULL);
	f.options.version = 3;
	f.options.restart.backoff_base_ms = 60000;
	family_connector(&f);
	expect(ob_connector_start(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	/* The reply is not overtaken by the shutdown. */
	expect(ob_control_check_version(ob_connector_client(f.connector), 4, 0, &current, &restart,
					&err),
	       OB_OK, &err, NULL);
	assert_int_equal(current, 3);
	assert_true(restart);
	family_await(&f, OB_EVENT_EXITED, 1);
	assert_int_equal(f.last_exit.exit_kind, OB_EXIT_CODE);
	family_end(&f);

	/* A new child that is still too old is a failed start. */
	family_begin(&f, OB_RUNTIME_INLINE, "version=3", NULL);
	f.options.version = 4;
	family_connector(&f);
	expect(ob_connector_start(f.connector, 0, NULL, &err), OB_EEXITED, &err,
	       "version 3 is older than 4");
	assert_int_equal(family_count(&f, OB_EVENT_STARTING), 1);
	family_end(&f);

	/* Asked on the reconnect path too. */
	family_begin(&f, OB_RUNTIME_INLINE, "version=3", NULL);
	f.options.restart.backoff_base_ms = 60000;
	family_connector(&f);
	expect(ob_connector_start(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	int32_t pid = ob_connector_pid(f.connector);
	ob_connector_detach(f.connector, &err);
	f.argv[1] = "version=5";
	f.options.version = 5;
	ob_connector *second = another(&f);
	expect(ob_connector_start_or_reconnect(second, 0, NULL, &err), OB_OK, &err, NULL);
	assert_true(ob_connector_pid(second) != pid);
	assert_false(family_alive(pid));
	struct ob_status s = {.size = sizeof s};
	ob_connector_status(second, &s);
	assert_int_equal(s.version, 5);
	assert_int_equal(s.restarts, 0);
	ob_connector_close(second);
	family_end(&f);
}

static void origin_16_a_hung_child_is_noticed(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	f.options.health_interval_ms = 50;
	f.options.health_misses = 2;
	family_connector(&f);
	expect(ob_connector_start(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	int32_t pid = ob_connector_pid(f.connector);
	kill(pid, SIGSTOP); /* fault 12 */
	family_await(&f, OB_EVENT_UNRESPONSIVE, 1);
	assert_int_equal(status_of(&f).link, OB_LINK_UNRESPONSIVE);
	assert_int_equal(status_of(&f).state, OB_STATE_READY);
	assert_true(family_alive(pid));
	kill(pid, SIGCONT);
	family_await_state(&f, OB_STATE_READY, OB_LINK_UP);
	assert_int_equal(ob_connector_pid(f.connector), pid);
	family_call(&f, "health", "[i]", 0);
	family_await(&f, OB_EVENT_UNHEALTHY, 1);
	assert_non_null(strstr(f.cause, "told to be ill"));
	family_end(&f);
}

static void fault_14_a_hung_handler_is_ended_where_health_says_restart(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	f.options.health_interval_ms = 50;
	f.options.health_misses = 2;
	f.options.health_action = OB_HEALTH_RESTART;
	f.options.stop_timeout_ms = 200;
	family_connector(&f);
	expect(ob_connector_start(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	int32_t pid = ob_connector_pid(f.connector);
	expect(family_try(&f, 100, &err, "hang", NULL), OB_ETIMEDOUT, &err, NULL);
	family_await(&f, OB_EVENT_READY, 2);
	assert_true(ob_connector_pid(f.connector) != pid);
	family_end(&f);
}

static void origin_19_a_callers_timeout_disables_nothing(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	family_connector(&f);
	expect(ob_connector_start(f.connector, 15000, NULL, &err), OB_OK, &err, NULL);
	kill(ob_connector_pid(f.connector), SIGKILL);
	family_await(&f, OB_EVENT_READY, 2);
	family_end(&f);
}

static void a_start_that_times_out_leaves_nothing(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, "silent", "stubborn", NULL);
	f.options.stop_timeout_ms = 100;
	family_connector(&f);
	expect(ob_connector_start(f.connector, 200, NULL, &err), OB_ETIMEDOUT, &err,
	       "timeout waiting for outboard process actor to be ready");
	family_await(&f, OB_EVENT_EXITED, 1);
	assert_false(ob_connector_is_running(f.connector));
	family_end(&f);

	family_begin(&f, OB_RUNTIME_INLINE, "silent", NULL);
	f.options.ready_timeout_ms = 100;
	family_connector(&f);
	expect(ob_connector_start(f.connector, 0, NULL, &err), OB_ETIMEDOUT, &err,
	       "timeout waiting for outboard process actor to be ready");
	assert_int_equal(family_count(&f, OB_EVENT_EXITED), 1);
	assert_int_equal(status_of(&f).state, OB_STATE_STOPPED);
	family_end(&f);
}

static void a_ready_child_without_address_is_refused(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, "badready", NULL);
	family_connector(&f);
	int r = ob_connector_start(f.connector, 0, NULL, &err);
	expect(r, OB_EPROTO, &err, "empty RPC address");
	assert_false(ob_connector_is_running(f.connector));
	family_end(&f);
}

static void fault_1_exec_failures_are_told_at_once(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	const char *argv[] = {"/nonexistent/program", NULL};
	f.options.argv = argv;
	family_connector(&f);
	expect(ob_connector_start(f.connector, 0, NULL, &err), OB_ENOENT, &err,
	       "starting outboard process");
	assert_int_equal(status_of(&f).state, OB_STATE_STOPPED);
	assert_false(family_has(&f, "outboard.json"));
	assert_false(family_has(&f, "stdout.fifo"));
	family_end(&f);
}

static void reconnect_to_nothing(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	family_connector(&f);
	expect(ob_connector_reconnect(f.connector, 0, NULL, &err), OB_ENOENT, &err,
	       "no existing config");
	expect(ob_connector_start(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	int32_t pid = ob_connector_pid(f.connector);
	ob_connector_detach(f.connector, &err);
	kill(pid, SIGKILL);
	family_await_death(pid);
	expect(ob_connector_reconnect(f.connector, 0, NULL, &err), OB_ENOENT, &err,
	       "process not running");
	expect(ob_connector_start_or_reconnect(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	assert_true(ob_connector_pid(f.connector) != pid);
	family_end(&f);
}

static void close_ends_the_child_and_detach_does_not(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_start(&f, OB_RUNTIME_INLINE);
	int32_t pid = ob_connector_pid(f.connector);
	ob_connector_detach(f.connector, &err);
	ob_connector_close(f.connector);
	assert_true(family_alive(pid));
	assert_true(family_has(&f, "outboard.json"));
	family_connector(&f);
	expect(ob_connector_start_or_reconnect(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	assert_int_equal(ob_connector_pid(f.connector), pid);
	ob_connector_close(f.connector);
	f.connector = NULL;
	assert_false(family_alive(pid));
	family_end(&f);
}

static void changed_options_make_a_child_stale(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_start(&f, OB_RUNTIME_INLINE);
	assert_false(status_of(&f).stale);
	ob_connector_detach(f.connector, &err);
	ob_connector_close(f.connector);
	f.options.allow_plaintext = true;
	family_connector(&f);
	expect(ob_connector_reconnect(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	assert_true(status_of(&f).stale);
	ob_connector_detach(f.connector, &err);
	ob_connector_close(f.connector);
	f.options.allow_plaintext = false;
	f.argv[1] = "version=2";
	family_connector(&f);
	expect(ob_connector_reconnect(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	assert_true(status_of(&f).stale);
	family_end(&f);
}

/* ---- Logs ---- */

static void origin_17_no_line_is_lost_while_nobody_reads(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_start(&f, OB_RUNTIME_INLINE);
	family_call(&f, "log", "[i,i]", 100, 0);
	ob_connector_detach(f.connector, &err);
	/* The next parent's reading begins with what was written in between. */
	family_await_lines(&f, 1);
	f.options.on_event = NULL;
	ob_connector *second = another(&f);
	expect(ob_connector_reconnect(second, 0, NULL, &err), OB_OK, &err, NULL);
	expect(ob_client_callf(ob_connector_client(second), 0, NULL, &err, "act.log", "[i,i]", 100,
			       100),
	       OB_OK, &err, NULL);
	family_await_lines(&f, 200);
	for (uint32_t i = 0; i < 200; i++) {
		assert_int_equal(f.numbers[i], i);
	}
	ob_connector_close(second);
	family_end(&f);
}

static void the_last_lines_of_a_dead_child_are_read(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, "say=last words", "exit=1", NULL);
	family_connector(&f);
	expect(ob_connector_start(f.connector, 0, NULL, &err), OB_EEXITED, &err, NULL);
	assert_int_equal(f.line_count, 1);
	assert_string_equal(f.lines[0], "last words");
	family_end(&f);
}

/* ---- What a child is given ---- */

static void text_of(const struct ob_value *v, char *to, size_t size)
{
	struct ob_bytes text = {NULL, 0};
	assert_true(ob_get_string(v, &text));
	snprintf(to, size, "%.*s", (int)text.len, (const char *)text.data);
}

static void fault_21_71_72_what_a_child_inherits(void **state)
{
	static char text[32768];
	struct family f;
	struct ob_error err;
	(void)state;
	setenv("OUTBOARD_SECRET", "x", 1);
	setenv("FAMILY_VARIABLE", "inherited", 1);
	const char *env[] = {"EXTRA=1", "OUTBOARD_CONFIG=/wrong", NULL};
	sigset_t blocked;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR2);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	signal(SIGPIPE, SIG_IGN);
	int leak = fcntl(STDIN_FILENO, F_DUPFD, 100); /* not CLOEXEC, on purpose */
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	f.options.env = env;
	family_connector(&f);
	expect(ob_connector_start(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	text_of(family_call(&f, "environment", NULL), text, sizeof text);
	assert_non_null(strstr(text, "FAMILY_VARIABLE=inherited"));
	assert_non_null(strstr(text, "EXTRA=1"));
	assert_null(strstr(text, "OUTBOARD_SECRET"));
	assert_null(strstr(text, "/wrong"));
	assert_null(strstr(text, f.tokens[0]));
	text_of(family_call(&f, "file", "[s]", "/proc/self/environ"), text, sizeof text);
	text_of(family_call(&f, "file", "[s]", "/proc/self/cmdline"), text, sizeof text);
	assert_null(strstr(text, f.tokens[0]));
	text_of(family_call(&f, "file", "[s]", "/proc/self/status"), text, sizeof text);
	assert_non_null(strstr(text, "SigBlk:\t0000000000000000"));
	assert_non_null(strstr(text, "SigIgn:\t0000000000001000")); /* the server's own SIGPIPE */
	text_of(family_call(&f, "descriptors", NULL), text, sizeof text);
	assert_non_null(strstr(text, "0 /dev/null"));
	assert_non_null(strstr(text, "stdout.fifo"));
	assert_non_null(strstr(text, "stderr.fifo"));
	assert_non_null(strstr(text, "3 "));
	char needle[16];
	snprintf(needle, sizeof needle, "\n%d ", leak);
	assert_null(strstr(text, needle));
	sigprocmask(SIG_UNBLOCK, &blocked, NULL);
	unsetenv("OUTBOARD_SECRET");
	family_end(&f);
	close(leak);
}

/* ---- The threaded runtime ---- */

static void threaded_start_call_restart_stop(void **state)
{
	struct family f;
	struct ob_error err;
	int64_t n;
	(void)state;
	family_start(&f, OB_RUNTIME_THREADED);
	for (int i = 0; i < 200; i++) {
		assert_true(ob_get_int(family_call(&f, "echo", "[i]", i), &n));
		assert_int_equal(n, i);
	}
	kill(ob_connector_pid(f.connector), SIGKILL);
	family_await(&f, OB_EVENT_READY, 2);
	family_call(&f, "later", NULL);
	expect(family_try(&f, 50, &err, "keep", NULL), OB_ETIMEDOUT, &err, NULL);
	expect(ob_connector_stop(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	family_end(&f);
}

static void cancel_ends_blocking_calls(void **state)
{
	struct family f;
	struct ob_error err;
	ob_cancel *cancel;
	(void)state;
	family_start(&f, OB_RUNTIME_INLINE);
	expect(ob_cancel_new(&cancel, &err), OB_OK, &err, NULL);
	ob_cancel_fire(cancel);
	expect(ob_client_call(ob_connector_client(f.connector), "act.keep", NULL, -1, cancel, NULL,
			      &err),
	       OB_ECANCELED, &err, NULL);
	family_call(&f, "echo", "[i]", 1);
	ob_cancel_free(cancel);
	family_end(&f);
}

static int blocked_code;

static void on_event_that_blocks(void *user, const struct ob_event *event)
{
	struct family *f = user;
	if (event->type == OB_EVENT_READY) {
		blocked_code = ob_connector_stop(f->connector, 0, NULL, NULL);
	}
}

static void blocking_inside_a_callback_is_refused(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	f.options.on_event = on_event_that_blocks;
	family_connector(&f);
	expect(ob_connector_start(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	assert_int_equal(blocked_code, OB_EDEADLK);
	family_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(start_call_stop),
	    cmocka_unit_test(start_twice_is_refused),
	    cmocka_unit_test(a_second_connector_is_busy),
	    cmocka_unit_test(calls_of_a_child_that_is_down_fail_at_once),
	    cmocka_unit_test(interfaces_are_found_by_name),
	    cmocka_unit_test(control_interface),
	    cmocka_unit_test(deferred_answers_come_from_any_thread),
	    cmocka_unit_test(the_child_calls_its_parent),
	    cmocka_unit_test(a_dead_child_is_replaced_and_calls_go_on),
	    cmocka_unit_test(fault_17_a_crash_loop_ends_in_failed),
	    cmocka_unit_test(origin_1_stop_after_reconnect_stops),
	    cmocka_unit_test(origin_2_detach_reconnect_exit_on_one_connector),
	    cmocka_unit_test(origin_3_stop_during_backoff_is_final),
	    cmocka_unit_test(origin_4_a_child_that_dies_young_costs_no_timeout),
	    cmocka_unit_test(origin_5_a_failed_restart_counts_and_is_tried_again),
	    cmocka_unit_test(origin_6_nothing_waits_for_a_start),
	    cmocka_unit_test(origin_7_a_grandchild_that_holds_stdout_delays_nothing),
	    cmocka_unit_test(origin_11_status_of_an_adopted_child),
	    cmocka_unit_test(origin_12_a_hung_child_is_never_doubled),
	    cmocka_unit_test(origin_14_interfaces_are_there_before_ready),
	    cmocka_unit_test(origin_15_an_old_version_is_replaced_at_once_and_uncounted),
	    cmocka_unit_test(origin_16_a_hung_child_is_noticed),
	    cmocka_unit_test(fault_14_a_hung_handler_is_ended_where_health_says_restart),
	    cmocka_unit_test(origin_17_no_line_is_lost_while_nobody_reads),
	    cmocka_unit_test(origin_19_a_callers_timeout_disables_nothing),
	    cmocka_unit_test(a_start_that_times_out_leaves_nothing),
	    cmocka_unit_test(a_ready_child_without_address_is_refused),
	    cmocka_unit_test(fault_1_exec_failures_are_told_at_once),
	    cmocka_unit_test(reconnect_to_nothing),
	    cmocka_unit_test(close_ends_the_child_and_detach_does_not),
	    cmocka_unit_test(changed_options_make_a_child_stale),
	    cmocka_unit_test(the_last_lines_of_a_dead_child_are_read),
	    cmocka_unit_test(fault_21_71_72_what_a_child_inherits),
	    cmocka_unit_test(threaded_start_call_restart_stop),
	    cmocka_unit_test(cancel_ends_blocking_calls),
	    cmocka_unit_test(blocking_inside_a_callback_is_refused),
	};
	return cmocka_run_group_tests_name("connector", tests, NULL, NULL);
}
