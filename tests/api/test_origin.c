/* SPDX-License-Identifier: MIT */
/* Each fault of the Go package that outboard descends from, as a test that its old behaviour would
 * fail. */
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

/* ---- Faults of the origin ---- */

static void origin_1_stop_after_reconnect_stops(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_start(&f, OB_RUNTIME_INLINE);
	int32_t pid = ob_connector_pid(f.connector);
	expect(ob_connector_detach(f.connector, &err), OB_OK, &err, NULL);
	ob_connector *second = family_another(&f);
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
	family_launch(&f);
	kill(ob_connector_pid(f.connector), SIGKILL);
	family_await(&f, OB_EVENT_RESTARTING, 1);
	assert_int_equal(family_status(&f).state, OB_STATE_BACKOFF);
	assert_int_equal(f.last.delay_ms, 60000);
	expect(ob_connector_stop(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	assert_int_equal(family_status(&f).state, OB_STATE_STOPPED);
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
		/* A child that is killed right after it reported ready may have been believed,
		 * and would be replaced for ever. */
		if (i < 2) {
			expect(r, OB_EEXITED, &err, "waiting for outboard process to be ready");
			assert_int_equal(family_status(&f).state, OB_STATE_STOPPED);
			assert_int_equal(family_count(&f, OB_EVENT_STARTING), 1);
		}
		assert_true(now_ms() - begin < 10000);
		family_end(&f);
	}
}

static void origin_5_a_failed_restart_counts_and_is_tried_again(void **state)
{
	struct family f;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	char *link = scratch_text("%s/program", f.scratch);
	assert_int_equal(symlink(f.argv[0], link), 0);
	const char *argv[] = {link, NULL};
	f.options.argv = argv;
	f.options.restart = (struct ob_restart_policy){.backoff_base_ms = 1, .backoff_max_ms = 5};
	family_launch(&f);
	assert_int_equal(unlink(link), 0);
	kill(ob_connector_pid(f.connector), SIGKILL);
	family_await(&f, OB_EVENT_RESTARTING, 4); /* the first failed start is followed by others */
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
	assert_int_equal(family_status(&f).state, OB_STATE_STARTING);
	expect(ob_connector_stop(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	assert_true(now_ms() - begin < FAMILY_WAIT_MS);
	assert_int_equal(start.ended, 1);
	assert_int_equal(start.result, OB_ECANCELED);
	family_end(&f);
}

static void origin_7_a_grandchild_that_holds_stdout_delays_nothing(void **state)
{
	struct family f;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	char *left = scratch_text("leave=%s/pid", f.scratch);
	f.argv[1] = left;
	family_launch(&f);
	FILE *file = fopen(strchr(left, '=') + 1, "re");
	int grandchild = 0;
	assert_int_equal(fscanf(file, "%d", &grandchild), 1);
	fclose(file);
	assert_true(family_alive(grandchild));
	int64_t begin = now_ms();
	kill(ob_connector_pid(f.connector), SIGKILL);
	family_await(&f, OB_EVENT_READY, 2);
	assert_true(now_ms() - begin < FAMILY_WAIT_MS);
	family_await_death(grandchild); /* origin 20: it was in the process group */
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
	assert_true(family_status(&f).adopted);
	assert_int_equal(family_count(&f, OB_EVENT_ADOPTED), 1);
	int32_t pid = ob_connector_pid(f.connector);
	kill(pid, SIGKILL);
	family_await_death(pid);
	/* Its pidfd reports the end: the loop needs no timer. */
	for (int turns = 0; turns < 10; turns++) {
		(void)ob_runtime_run(f.runtime, 0);
	}
	assert_int_equal(family_count(&f, OB_EVENT_EXITED), 1);
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
	ob_connector *second = family_another(&f);
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

static void origin_15_a_child_with_an_old_version_exits(void **state)
{
	struct family f;
	struct ob_error err;
	uint64_t current;
	bool restart;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, "version=3", NULL);
	f.options.version = 3;
	f.options.restart.backoff_base_ms = 60000;
	family_launch(&f);
	/* The reply is sent before the shutdown. */
	expect(ob_control_check_version(ob_connector_client(f.connector), 4, 0, &current, &restart,
					&err),
	       OB_OK, &err, NULL);
	assert_int_equal(current, 3);
	assert_true(restart);
	family_await(&f, OB_EVENT_EXITED, 1);
	assert_int_equal(f.last_exit.exit_kind, OB_EXIT_CODE);
	family_end(&f);
}

static void origin_15_a_new_child_with_an_old_version_is_a_failed_start(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, "version=3", NULL);
	f.options.version = 4;
	family_connector(&f);
	expect(ob_connector_start(f.connector, 0, NULL, &err), OB_EEXITED, &err,
	       "version 3 is older than the required 4");
	assert_int_equal(family_count(&f, OB_EVENT_STARTING), 1);
	family_end(&f);
}

static void origin_15_an_old_version_is_replaced_at_once_and_uncounted(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, "version=3", NULL);
	f.options.restart.backoff_base_ms = 60000;
	family_launch(&f);
	int32_t pid = ob_connector_pid(f.connector);
	ob_connector_detach(f.connector, &err);
	f.argv[1] = "version=5";
	f.options.version = 5;
	ob_connector *second = family_another(&f);
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
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	f.options.health_interval_ms = 50;
	f.options.health_misses = 2;
	family_launch(&f);
	int32_t pid = ob_connector_pid(f.connector);
	kill(pid, SIGSTOP); /* fault 12 */
	family_await(&f, OB_EVENT_UNRESPONSIVE, 1);
	assert_int_equal(family_status(&f).link, OB_LINK_UNRESPONSIVE);
	assert_int_equal(family_status(&f).state, OB_STATE_READY);
	assert_true(family_alive(pid));
	kill(pid, SIGCONT);
	family_await_state(&f, OB_STATE_READY, OB_LINK_UP);
	assert_int_equal(ob_connector_pid(f.connector), pid);
	family_call(&f, "health", "[i]", 0);
	family_await(&f, OB_EVENT_UNHEALTHY, 1);
	assert_non_null(strstr(f.cause, "told to be ill"));
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

static void origin_17_no_line_is_lost_while_nobody_reads(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_start(&f, OB_RUNTIME_INLINE);
	family_call(&f, "log", "[i,i]", 100, 0);
	ob_connector_detach(f.connector, &err);
	/* The next parent first reads what was written in between. */
	family_await_lines(&f, 1);
	f.options.on_event = NULL;
	ob_connector *second = family_another(&f);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	    cmocka_unit_test(origin_15_a_child_with_an_old_version_exits),
	    cmocka_unit_test(origin_15_a_new_child_with_an_old_version_is_a_failed_start),
	    cmocka_unit_test(origin_15_an_old_version_is_replaced_at_once_and_uncounted),
	    cmocka_unit_test(origin_16_a_hung_child_is_noticed),
	    cmocka_unit_test(origin_17_no_line_is_lost_while_nobody_reads),
	    cmocka_unit_test(origin_19_a_callers_timeout_disables_nothing),
	};
	return cmocka_run_group_tests_name("origin", tests, NULL, NULL);
}
