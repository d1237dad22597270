/* SPDX-License-Identifier: MIT */
/* The connector with real children: each call of the API. */
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

/* ---- Start, call, stop ---- */

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
	struct ob_status s = family_status(&f);
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
	/* Stop and detach succeed if the child is not running. */
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
	/* This one has what it wants. */
	int32_t pid = ob_connector_pid(f.connector);
	expect(ob_connector_start_or_reconnect(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	assert_int_equal(ob_connector_pid(f.connector), pid);
	assert_int_equal(f.event_count, 2);
	family_end(&f);
}

static void a_second_connector_is_busy(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_start(&f, OB_RUNTIME_INLINE);
	ob_connector *second = family_another(&f);
	expect(ob_connector_start(second, 0, NULL, &err), OB_EBUSY, &err, NULL);
	expect(ob_connector_reconnect(second, 0, NULL, &err), OB_EBUSY, &err, NULL);
	ob_connector_close(second);
	assert_true(ob_connector_is_running(f.connector));
	family_end(&f);
}

static void calls_to_a_child_that_is_down_fail_at_once(void **state)
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
	family_launch(&f);
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

struct asked {
	int health, version; /* results; 1: none yet */
	int64_t pid;
	uint64_t current;
};

static void on_health(void *user, int result, const struct ob_health *health,
		      const struct ob_error *err)
{
	struct asked *asked = user;
	assert_int_equal(err == NULL, result == OB_OK);
	assert_int_equal(health != NULL, result == OB_OK);
	asked->health = result;
	asked->pid = health != NULL ? health->pid : 0;
}

static void on_version(void *user, int result, uint64_t current, bool needs_restart,
		       const struct ob_error *err)
{
	struct asked *asked = user;
	assert_int_equal(err == NULL, result == OB_OK);
	assert_false(needs_restart);
	asked->version = result;
	asked->current = current;
}

static bool is_answered(void *user)
{
	const struct asked *asked = user;
	return asked->health != 1 && asked->version != 1;
}

static void ask_control(ob_client *client, struct asked *asked)
{
	struct ob_error err;
	*asked = (struct asked){.health = 1, .version = 1};
	expect(ob_control_health_async(client, 0, on_health, asked, &err), OB_OK, &err, NULL);
	expect(ob_control_check_version_async(client, 7, 0, on_version, asked, &err), OB_OK, &err,
	       NULL);
}

/* Through any client, one of an interface too; they end with their client. */
static void control_interface_without_waiting(void **state)
{
	struct family f;
	struct asked asked;
	ob_client *act = NULL;
	struct ob_error err;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, "version=7", NULL);
	family_launch(&f);
	ask_control(ob_connector_client(f.connector), &asked);
	family_until(&f, is_answered, &asked);
	assert_int_equal(asked.health, OB_OK);
	assert_int_equal(asked.pid, ob_connector_pid(f.connector));
	assert_int_equal(asked.version, OB_OK);
	assert_int_equal(asked.current, 7);
	expect(ob_connector_connect_interface(f.connector, "act", 0, &act, &err), OB_OK, &err,
	       NULL);
	ask_control(act, &asked);
	family_until(&f, is_answered, &asked);
	assert_int_equal(asked.health, OB_OK);
	ask_control(act, &asked);
	ob_client_free(act);
	family_until(&f, is_answered, &asked);
	assert_int_equal(asked.health, OB_ECLOSED);
	assert_int_equal(asked.version, OB_ECLOSED);
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

/* ---- Logs ---- */

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

/* ---- What a child inherits ---- */

static void text_of(const struct ob_value *v, char *to, size_t size)
{
	struct ob_bytes text = {NULL, 0};
	assert_true(ob_get_string(v, &text));
	snprintf(to, size, "%.*s", (int)text.len, (const char *)text.data);
}

static void check_inherited(struct family *f)
{
	static char text[32768];
	text_of(family_call(f, "environment", NULL), text, sizeof text);
	assert_non_null(strstr(text, "FAMILY_VARIABLE=inherited"));
	assert_non_null(strstr(text, "EXTRA=1"));
	assert_null(strstr(text, "OUTBOARD_SECRET"));
	assert_null(strstr(text, "/wrong"));
	assert_null(strstr(text, f->tokens[0]));
	text_of(family_call(f, "file", "[s]", "/proc/self/environ"), text, sizeof text);
	text_of(family_call(f, "file", "[s]", "/proc/self/cmdline"), text, sizeof text);
	assert_null(strstr(text, f->tokens[0]));
	text_of(family_call(f, "file", "[s]", "/proc/self/status"), text, sizeof text);
	assert_non_null(strstr(text, "SigBlk:\t0000000000000000"));
	assert_non_null(strstr(text, "SigIgn:\t0000000000001000")); /* the server ignores SIGPIPE */
	text_of(family_call(f, "descriptors", NULL), text, sizeof text);
	assert_non_null(strstr(text, "0 /dev/null"));
	assert_non_null(strstr(text, "stdout.fifo"));
	assert_non_null(strstr(text, "stderr.fifo"));
	assert_non_null(strstr(text, "3 "));
}

static void fault_21_71_72_what_a_child_inherits(void **state)
{
	static char text[32768];
	struct family f;
	(void)state;
	setenv("OUTBOARD_SECRET", "x", 1);
	setenv("FAMILY_VARIABLE", "inherited", 1);
	const char *env[] = {"EXTRA=1", "OUTBOARD_CONFIG=/wrong", NULL};
	sigset_t blocked;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR2);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	signal(SIGPIPE, SIG_IGN);
	int leak = fcntl(STDIN_FILENO, F_DUPFD, 100); /* without O_CLOEXEC on purpose */
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	f.options.env = env;
	family_launch(&f);
	check_inherited(&f);
	text_of(family_call(&f, "descriptors", NULL), text, sizeof text);
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
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	f.options.on_event = on_event_that_blocks;
	family_launch(&f);
	assert_int_equal(blocked_code, OB_EDEADLK);
	family_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(start_call_stop),
	    cmocka_unit_test(start_twice_is_refused),
	    cmocka_unit_test(a_second_connector_is_busy),
	    cmocka_unit_test(calls_to_a_child_that_is_down_fail_at_once),
	    cmocka_unit_test(interfaces_are_found_by_name),
	    cmocka_unit_test(control_interface),
	    cmocka_unit_test(control_interface_without_waiting),
	    cmocka_unit_test(deferred_answers_come_from_any_thread),
	    cmocka_unit_test(the_child_calls_its_parent),
	    cmocka_unit_test(the_last_lines_of_a_dead_child_are_read),
	    cmocka_unit_test(fault_21_71_72_what_a_child_inherits),
	    cmocka_unit_test(threaded_start_call_restart_stop),
	    cmocka_unit_test(cancel_ends_blocking_calls),
	    cmocka_unit_test(blocking_inside_a_callback_is_refused),
	};
	return cmocka_run_group_tests_name("connector", tests, NULL, NULL);
}
