/* SPDX-License-Identifier: MIT */
/* Connectors with real children: starts that fail, restarts, and finding a child again. */
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
#include <unistd.h>

#include "support/clock.h"
#include "support/expect.h"
#include "support/scratch.h"

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
	assert_int_equal(family_status(&f).restarts, 1);
	/* It is replaced after an exit with status 0, too. */
	expect(family_try(&f, 0, &err, "exit", "[i]", 0), OB_ECONNLOST, &err, NULL);
	family_await(&f, OB_EVENT_READY, 3);
	assert_int_equal(f.last_exit.exit_kind, OB_EXIT_CODE);
	assert_int_equal(f.last_exit.exit_value, 0);
	/* A new token for each start. */
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
	assert_int_equal(family_status(&f).state, OB_STATE_FAILED);
	/* It can be started again by hand. */
	expect(ob_connector_start(f.connector, 0, NULL, &err), OB_EEXITED, &err,
	       "exited with status 9");
	family_end(&f);
}

/* A restart that is taken back is as if it had not been: in the status, for the limit, and for a
 * later connector, which reads it in state.json. */
static void a_restart_can_be_taken_back_while_it_is_delayed(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_start(&f, OB_RUNTIME_INLINE);
	assert_false(ob_connector_uncount(f.connector));
	ob_connector_close(f.connector);
	f.options.restart = (struct ob_restart_policy){
	    .max_restarts = 1, .backoff_base_ms = 3600000, .backoff_max_ms = 3600000};
	f.argv[1] = "exit=9";
	family_connector(&f);
	for (uint32_t i = 1; i <= 3; i++) {
		expect(ob_connector_supervise(f.connector, &err), OB_OK, &err, NULL);
		family_await(&f, OB_EVENT_RESTARTING, i);
		assert_int_equal(family_status(&f).restarts, 1);
		assert_true(ob_connector_uncount(f.connector));
		assert_int_equal(family_status(&f).restarts, 0);
		assert_false(ob_connector_uncount(f.connector));
		expect(ob_connector_stop(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	}
	ob_connector_close(f.connector);
	family_connector(&f);
	expect(ob_connector_supervise(f.connector, &err), OB_OK, &err, NULL);
	family_await(&f, OB_EVENT_RESTARTING, 4);
	assert_int_equal(family_status(&f).restarts, 1);
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
	family_launch(&f);
	int32_t pid = ob_connector_pid(f.connector);
	expect(family_try(&f, 100, &err, "hang", NULL), OB_ETIMEDOUT, &err, NULL);
	family_await(&f, OB_EVENT_READY, 2);
	assert_true(ob_connector_pid(f.connector) != pid);
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
	assert_int_equal(family_status(&f).state, OB_STATE_STOPPED);
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

static void fault_1_exec_failures_are_reported_at_once(void **state)
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
	assert_int_equal(family_status(&f).state, OB_STATE_STOPPED);
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
	assert_false(family_status(&f).stale);
	ob_connector_detach(f.connector, &err);
	ob_connector_close(f.connector);
	f.options.allow_plaintext = true;
	family_connector(&f);
	expect(ob_connector_reconnect(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	assert_true(family_status(&f).stale);
	ob_connector_detach(f.connector, &err);
	ob_connector_close(f.connector);
	f.options.allow_plaintext = false;
	f.argv[1] = "version=2";
	family_connector(&f);
	expect(ob_connector_reconnect(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	assert_true(family_status(&f).stale);
	family_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_dead_child_is_replaced_and_calls_go_on),
	    cmocka_unit_test(fault_17_a_crash_loop_ends_in_failed),
	    cmocka_unit_test(a_restart_can_be_taken_back_while_it_is_delayed),
	    cmocka_unit_test(fault_14_a_hung_handler_is_ended_where_health_says_restart),
	    cmocka_unit_test(a_start_that_times_out_leaves_nothing),
	    cmocka_unit_test(a_ready_child_without_address_is_refused),
	    cmocka_unit_test(fault_1_exec_failures_are_reported_at_once),
	    cmocka_unit_test(reconnect_to_nothing),
	    cmocka_unit_test(close_ends_the_child_and_detach_does_not),
	    cmocka_unit_test(changed_options_make_a_child_stale),
	};
	return cmocka_run_group_tests_name("connector, start", tests, NULL, NULL);
}
