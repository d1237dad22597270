/* SPDX-License-Identifier: MIT */
/* The crash matrix: the parent, or the child, is killed at each failpoint, and the next parent
 * must recover. Rows 2, 3 and 5 to 10 of the table of faults, and fault 13 of the origin. */
#include "support/crash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "support/family.h"
#include "support/scratch.h"

#ifdef OB_FAILPOINTS
static const bool have_failpoints = true;
#else
static const bool have_failpoints = false;
#endif

static void need_failpoints(void)
{
	if (!have_failpoints) {
		print_message("skipped: built without failpoints (OUTBOARD_FAILPOINTS)\n");
		skip();
	}
}

/* Die at this point of the first start or, if that survives, of the stop after it; then
 * recover. */
static void die_at(const char *points)
{
	struct crash c;
	print_message("  %s\n", points);
	crash_begin(&c);
	crash_parent(&c, points, NULL);
	if (program_ask(&c.now, "start") != NULL) {
		assert_null(program_ask(&c.now, "stop"));
		crash_died(&c);
		/* The old child may be dying: it is adopted, or replaced by a new one. */
		crash_recover(&c, 0);
	} else {
		crash_died(&c);
		crash_recover(&c, crash_child(&c));
	}
	crash_end(&c);
}

static void fault_7_parent_dies_before_the_child_is_there(void **state)
{
	(void)state;
	need_failpoints();
	die_at("fifo_make=kill@1");
	die_at("fifo_make=kill@2");
	die_at("fifo_open=kill@1");
	die_at("before_fork=kill");
}

static void fault_8_origin_13_parent_dies_right_after_clone(void **state)
{
	struct crash c;
	(void)state;
	need_failpoints();
	crash_begin(&c);
	crash_parent(&c, "after_clone=kill", NULL);
	assert_null(program_ask(&c.now, "start"));
	crash_died(&c);
	pid_t orphan = crash_new_child(&c); /* only the child itself knows that it exists */
	crash_recover(&c, orphan);
	crash_end(&c);
}

static void fault_9_parent_dies_inside_a_write(void **state)
{
	(void)state;
	need_failpoints();
	static const char *const edges[] = {
	    "config_create=kill",      "config_create_done=kill", "config_write=kill",
	    "config_write_done=kill",  "config_close=kill",	  "config_rename=kill",
	    "config_rename_done=kill", "state_create=kill@1",	  "state_create_done=kill@1",
	    "state_write=kill@1",      "state_close=kill@1",	  "state_rename=kill@1",
	    "state_written=kill@1"};
	for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
		die_at(edges[i]);
	}
}

/* The later writes of state.json: when the child is ready, and when it is stopped. */
static void fault_5_parent_dies_at_each_edge_of_the_machine(void **state)
{
	(void)state;
	need_failpoints();
	static const char *const edges[] = {"state_rename=kill@2", "state_written=kill@2",
					    "state_rename=kill@3", "state_written=kill@3"};
	for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
		die_at(edges[i]);
	}
}

/* The failpoints of an adoption. */
static void fault_5_parent_dies_while_it_adopts(void **state)
{
	static const char *const edges[] = {"state_create=kill@1", "state_written=kill@1",
					    "file_read=kill@1", "fifo_open=kill@1"};
	struct crash c;
	(void)state;
	need_failpoints();
	crash_begin(&c);
	crash_parent(&c, NULL, NULL);
	assert_non_null(program_ask(&c.now, "start"));
	pid_t pid = crash_child(&c);
	assert_true(pid > 0);
	program_kill(&c.now, SIGKILL);
	crash_died(&c);
	for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
		print_message("  %s\n", edges[i]);
		crash_parent(&c, edges[i], NULL);
		assert_null(program_ask(&c.now, "start"));
		crash_died(&c);
		assert_int_equal(crash_child(&c), pid);
	}
	crash_recover(&c, pid);
	crash_end(&c);
}

/* A child that is killed at a failpoint in each start: two restarts, then FAILED, and each event
 * has the cause. */
static void child_dies_at(const char *edge)
{
	struct crash c;
	char points[128], exited[64];
	print_message("  %s of the child\n", edge);
	snprintf(points, sizeof points, "fp=%s=kill", edge);
	snprintf(exited, sizeof exited, " %d %d", OB_EXIT_SIGNAL, SIGKILL);
	crash_begin(&c);
	crash_parent(&c, NULL, points, "max=2", NULL);
	program_say(&c.now, "supervise"); /* the events may precede the answer */
	for (int i = 0; i < 3; i++) {
		const char *told = program_await(&c.now, "event exited");
		assert_non_null(told);
		assert_non_null(strstr(told, exited));
	}
	assert_non_null(program_await(&c.now, "event failed"));
	assert_int_equal(crash_child(&c), 0);
	/* A start by hand fails at once, with the cause. */
	const char *told = program_ask(&c.now, "start");
	assert_non_null(told);
	assert_non_null(
	    strstr(told, "error start OB_EEXITED: waiting for outboard process to be ready"));
	program_kill(&c.now, SIGKILL);
	crash_died(&c);
	crash_recover(&c, 0);
	crash_end(&c);
}

static void fault_2_child_dies_before_it_wrote_its_part(void **state)
{
	static const char *const edges[] = {"server_open",   "server_start", "server_listening",
					    "config_create", "config_write", "config_rename"};
	(void)state;
	need_failpoints();
	for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
		child_dies_at(edges[i]);
	}
}

/* It reported ready, and is dead: its address must not be dialled for the whole timeout. */
static void fault_3_child_dies_right_after_it_is_ready(void **state)
{
	(void)state;
	need_failpoints();
	child_dies_at("config_rename_done");
}

static void fault_6_child_dies_while_there_is_no_parent(void **state)
{
	struct crash c;
	(void)state;
	crash_begin(&c);
	crash_parent(&c, NULL, NULL);
	assert_non_null(program_ask(&c.now, "start"));
	pid_t pid = crash_child(&c);
	program_kill(&c.now, SIGKILL);
	crash_died(&c);
	assert_int_equal(crash_child(&c), pid);
	assert_int_equal(kill(pid, SIGKILL), 0);
	family_await_death(pid);
	crash_recover(&c, 0); /* a new one, although state.json describes the old one */
	crash_end(&c);
}

/* ---- The child outlives its parents ---- */

static void talk_and_die(struct crash *c, bool unread)
{
	char what[64];
	crash_parent(c, NULL, "quiet", NULL);
	assert_non_null(program_ask(&c->now, "start"));
	assert_non_null(program_ask(&c->now, "keep 20"));
	assert_string_equal(program_ask(&c->now, "call act.echo 1"), "reply 1");
	if (unread) {
		/* Everything that the child sends now stays unread, so that it gets a reset
		 * instead of an end of file. */
		snprintf(what, sizeof what, "call act.stop %d", c->now.pid);
		program_say(&c->now, what);
		siginfo_t info;
		assert_int_equal(waitid(P_PID, (id_t)c->now.pid, &info, WSTOPPED), 0);
	}
	program_kill(&c->now, SIGKILL);
	crash_died(c);
}

static void fault_10_connections_of_dead_parents_are_freed(void **state)
{
	struct crash c;
	int before = 0, after = 0;
	(void)state;
	crash_begin(&c);
	crash_parent(&c, NULL, NULL);
	assert_non_null(program_ask(&c.now, "start"));
	pid_t pid = crash_child(&c);
	assert_int_equal(sscanf(program_ask(&c.now, "call act.open 0"), "reply %d", &before), 1);
	program_kill(&c.now, SIGKILL);
	crash_died(&c);
	for (int i = 0; i < 10; i++) {
		talk_and_die(&c, i % 2 == 1);
		assert_int_equal(crash_child(&c), pid);
	}
	crash_parent(&c, NULL, NULL);
	assert_non_null(program_ask(&c.now, "start"));
	assert_int_equal(sscanf(program_ask(&c.now, "call act.open 0"), "reply %d", &after), 1);
	assert_int_equal(after, before);
	program_kill(&c.now, SIGKILL);
	crash_died(&c);
	crash_recover(&c, pid);
	crash_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fault_7_parent_dies_before_the_child_is_there),
	    cmocka_unit_test(fault_8_origin_13_parent_dies_right_after_clone),
	    cmocka_unit_test(fault_9_parent_dies_inside_a_write),
	    cmocka_unit_test(fault_5_parent_dies_at_each_edge_of_the_machine),
	    cmocka_unit_test(fault_5_parent_dies_while_it_adopts),
	    cmocka_unit_test(fault_2_child_dies_before_it_wrote_its_part),
	    cmocka_unit_test(fault_3_child_dies_right_after_it_is_ready),
	    cmocka_unit_test(fault_6_child_dies_while_there_is_no_parent),
	    cmocka_unit_test(fault_10_connections_of_dead_parents_are_freed),
	};
	return cmocka_run_group_tests_name("crash matrix", tests, NULL, NULL);
}
