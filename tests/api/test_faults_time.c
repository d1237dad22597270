/* SPDX-License-Identifier: MIT */
/* Stopped processes, and clocks that jump: rows 12, 13, 65 and 66. */
#include "support/crash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/family.h"
#include "support/scratch.h"
#include "support/timens.h"

enum { BEAT_MS = 1000, STOP_CHILD_MS = 1500, STOP_PARENT_MS = 2500 };

static void fault_12_a_stopped_child_can_be_ended(void **state)
{
	struct family f;
	struct ob_error err = {0};
	(void)state;
	family_start(&f, OB_RUNTIME_INLINE);
	kill(ob_connector_pid(f.connector), SIGSTOP);
	/* The signal arrives only because SIGCONT follows; it does not wait for SIGKILL. */
	assert_int_equal(ob_connector_stop(f.connector, 8000, NULL, &err), OB_OK);
	assert_int_equal(f.last_exit.exit_kind, OB_EXIT_SIGNAL);
	assert_int_equal(f.last_exit.exit_value, SIGINT);
	family_end(&f);
}

/* The parent's lines up to the answer, none of which may report trouble. */
static void must_be_calm(struct crash *c, const char *command, const char *answer)
{
	program_say(&c->now, command);
	for (const char *line = program_line(&c->now);; line = program_line(&c->now)) {
		assert_non_null(line);
		if (strncmp(line, "event ", 6) == 0) {
			fail_msg("%s", line);
		}
		if (strcmp(line, answer) == 0) {
			return;
		}
	}
}

/* Both are stopped with an unanswered heartbeat, as in a suspended machine. The parent runs
 * again first: its timer is late by more than an interval and there is no answer, but it must
 * ask again before it concludes anything. */
static void fault_13_a_stopped_parent_does_not_blame_its_child(void **state)
{
	struct crash c;
	(void)state;
	crash_begin(&c);
	crash_parent(&c, NULL, "beat=1000", "misses=1", NULL);
	assert_non_null(program_ask(&c.now, "start"));
	pid_t pid = crash_child(&c);
	kill(pid, SIGSTOP); /* the first heartbeat is due after an interval */
	program_let_pass(STOP_CHILD_MS);
	program_kill(&c.now, SIGSTOP);
	program_let_pass(STOP_PARENT_MS);
	program_kill(&c.now, SIGCONT);
	program_let_pass(BEAT_MS / 4);
	kill(pid, SIGCONT);
	must_be_calm(&c, "call act.echo 1", "reply 1");
	program_let_pass(BEAT_MS + BEAT_MS / 2);
	must_be_calm(&c, "call act.echo 2", "reply 2");
	program_kill(&c.now, SIGKILL);
	crash_died(&c);
	crash_recover(&c, pid);
	crash_end(&c);
}

static bool is_ready(const struct crash *c)
{
	struct ob_config config = {.size = sizeof config};
	char *path = scratch_text("%s/outboard.json", c->dir);
	bool ready = ob_config_read(path, &config, NULL) == OB_OK && config.ready;
	ob_config_clear(&config);
	free(path);
	return ready;
}

/* Stopped while it waits for its child, which becomes ready meanwhile: a late timer must not end
 * the child. */
static void fault_13_a_stopped_parent_does_not_give_up_a_start(void **state)
{
	enum { READY_MS = 3000, PIECE_MS = 20 };
	struct crash c;
	(void)state;
	crash_begin(&c);
	char *fifo = scratch_text("%s/go", c.scratch),
	     *after = scratch_text("ACTOR_AFTER=%s", fifo);
	const char *const env[] = {after, NULL};
	assert_int_equal(mkfifo(fifo, 0600), 0);
	c.env = env;
	crash_parent(&c, NULL, "ready=3000", NULL);
	program_say(&c.now, "start");
	assert_non_null(program_await(&c.now, "event starting"));
	program_kill(&c.now, SIGSTOP);
	program_let_pass(READY_MS + READY_MS / 2);
	close(open(fifo, O_WRONLY | O_CLOEXEC));
	while (!is_ready(&c)) {
		program_let_pass(PIECE_MS);
	}
	program_kill(&c.now, SIGCONT);
	const char *told = program_await(&c.now, "ok start");
	assert_non_null(told);
	assert_int_equal(atoi(told + strlen("ok start ")), crash_child(&c));
	assert_string_equal(program_ask(&c.now, "stop"), "ok stop 0");
	program_say(&c.now, "quit");
	assert_int_equal(program_end(&c.now), 0);
	c.env = NULL;
	free(after);
	free(fifo);
	crash_end(&c);
}

/* ---- The wall clock ---- */

/* The library of libfaketime, or NULL. */
static const char *find_faketime(void)
{
	static char path[512];
	static const char *const dirs[] = {"/usr/lib/x86_64-linux-gnu/faketime",
					   "/usr/lib/aarch64-linux-gnu/faketime",
					   "/usr/lib/faketime", "/usr/lib64/faketime"};
	for (int i = 0; i < 4; i++) {
		snprintf(path, sizeof path, "%s/libfaketimeMT.so.1", dirs[i]);
		if (access(path, R_OK) == 0) {
			return path;
		}
	}
	return NULL;
}

static void set_clock(const char *path, const char *offset)
{
	char *temp = scratch_text("%s.new", path);
	scratch_write(temp, offset, strlen(offset), 0600);
	assert_int_equal(rename(temp, path), 0);
	free(temp);
}

static long long clock_of_child(struct crash *c)
{
	long long now = 0;
	const char *told = program_ask(&c->now, "call act.time 0");
	assert_non_null(told);
	assert_int_equal(sscanf(told, "reply %lld", &now), 1);
	return now - (long long)time(NULL);
}

enum { YEAR = 365 * 86400 };

static const struct jump {
	const char *offset;
	long long seconds;
} jumps[] = {{"+10y", 10LL * YEAR}, {"-10y", -10LL * YEAR}, {"+0", 0}};

/* The clock of the child jumps, and nothing happens. */
static void jump(struct crash *c, const char *file, const struct jump *to)
{
	set_clock(file, to->offset);
	long long off = clock_of_child(c) - to->seconds;
	assert_true(off > -30LL * 86400 && off < 30LL * 86400); /* leap days ignored */
	must_be_calm(c, "call act.echo 3", "reply 3");
	program_let_pass(500);
	must_be_calm(c, "call act.echo 4", "reply 4");
}

static void fault_65_the_wall_clock_jumps_ten_years(void **state)
{
	const char *library = find_faketime();
	struct crash c;
	(void)state;
	if (library == NULL) {
		print_message("skipped: libfaketime is not installed\n");
		skip();
	}
	crash_begin(&c);
	char *file = scratch_text("%s/clock", c.scratch),
	     *preload = scratch_text("LD_PRELOAD=%s", library),
	     *from = scratch_text("FAKETIME_TIMESTAMP_FILE=%s", file);
	const char *env[] = {preload,
			     from,
			     "FAKETIME_NO_CACHE=1",
			     "FAKETIME_DONT_FAKE_MONOTONIC=1",
			     "ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0",
			     NULL};
	set_clock(file, "+0");
	c.env = env;
	crash_parent(&c, NULL, "beat=200", "misses=3", NULL);
	assert_non_null(program_ask(&c.now, "start"));
	pid_t pid = crash_child(&c);
	for (size_t i = 0; i < 3; i++) {
		jump(&c, file, &jumps[i]);
	}
	/* A parent with another time finds the child, too. */
	set_clock(file, "+10y");
	program_kill(&c.now, SIGKILL);
	crash_died(&c);
	crash_recover(&c, pid);
	crash_end(&c);
	free(file);
	free(preload);
	free(from);
}

/* ---- Time namespaces ---- */

/* The next parent has these clocks. */
static void shifted_parent(struct crash *c, struct timens shift, const char *points)
{
	timens_for_children(shift);
	crash_parent(c, points, NULL);
	timens_end();
	/* It begins with the line that it does not know the command. */
	assert_non_null(program_ask(&c->now, "nothing"));
	if (timens_is_ours(c->now.pid)) {
		program_say(&c->now, "quit");
		(void)program_end(&c->now);
		crash_end(c);
		print_message("skipped: this kernel shifts the clocks of forks only\n");
		skip();
	}
}

static void shifted_recovery(struct crash *c, struct timens shift, pid_t was)
{
	timens_for_children(shift);
	crash_recover(c, was);
	timens_end();
}

static int64_t uptime_of(const struct crash *c)
{
	struct ob_status status = {.size = sizeof status};
	assert_int_equal(ob_child_status(NULL, c->dir, NULL, NULL, &status, NULL, NULL), OB_OK);
	assert_true(status.pid > 0);
	return status.uptime_ms;
}

static const struct timens shifts[] = {
    {0, 0, 0},	       {0, 1000, 0},	{0, 30LL * YEAR, 0}, {30LL * YEAR, 0, 0},
    {0, 7, 123456789}, {0, 0, 5000000}, {-1, -1, 0},	     {0, 0, 0},
};
enum { SHIFTS = sizeof shifts / sizeof shifts[0] };

/* Each parent has other clocks than the one that started the child. */
static void fault_66_a_parent_with_other_clocks_adopts_the_child(void **state)
{
	struct crash c;
	(void)state;
	timens_need();
	for (int i = 0; i + 1 < SHIFTS; i++) {
		crash_begin(&c);
		shifted_parent(&c, shifts[i + 1], NULL);
		assert_non_null(program_ask(&c.now, "start"));
		pid_t pid = crash_child(&c);
		assert_in_range(uptime_of(&c), 0, FAMILY_WAIT_MS);
		program_kill(&c.now, SIGKILL);
		crash_died(&c);
		shifted_recovery(&c, shifts[i], pid);
		crash_end(&c);
	}
}

/* Only the child itself has recorded when it was started, with the clocks of its parent. */
static void fault_66_a_signature_is_good_for_every_clock(void **state)
{
	struct crash c;
	(void)state;
	timens_need();
#ifndef OB_FAILPOINTS
	print_message("skipped: built without failpoints (OUTBOARD_FAILPOINTS)\n");
	skip();
#endif
	for (int i = 0; i + 1 < SHIFTS; i++) {
		crash_begin(&c);
		shifted_parent(&c, shifts[i + 1], "after_clone=kill");
		assert_null(program_ask(&c.now, "start"));
		crash_died(&c);
		pid_t pid = crash_new_child(&c);
		shifted_recovery(&c, shifts[i], pid);
		crash_end(&c);
	}
}

/* Delays, heartbeats and deadlines of a parent and child whose clocks are thirty years ahead. */
static void fault_66_timers_are_right_under_a_shifted_clock(void **state)
{
	struct crash c;
	(void)state;
	timens_need();
	crash_begin(&c);
	shifted_parent(&c, (struct timens){30LL * YEAR, 20LL * YEAR, 0}, NULL);
	assert_non_null(program_ask(&c.now, "supervise"));
	assert_non_null(program_await(&c.now, "event ready"));
	for (int i = 0; i < 3; i++) {
		kill(crash_child(&c), SIGKILL);
		assert_non_null(program_await(&c.now, "event restarting"));
		assert_non_null(program_await(&c.now, "event ready"));
	}
	must_be_calm(&c, "call act.echo 5", "reply 5");
	assert_string_equal(program_ask(&c.now, "stop"), "ok stop 0");
	program_say(&c.now, "quit");
	assert_int_equal(program_end(&c.now), 0);
	crash_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fault_12_a_stopped_child_can_be_ended),
	    cmocka_unit_test(fault_13_a_stopped_parent_does_not_blame_its_child),
	    cmocka_unit_test(fault_13_a_stopped_parent_does_not_give_up_a_start),
	    cmocka_unit_test(fault_65_the_wall_clock_jumps_ten_years),
	    cmocka_unit_test(fault_66_a_parent_with_other_clocks_adopts_the_child),
	    cmocka_unit_test(fault_66_a_signature_is_good_for_every_clock),
	    cmocka_unit_test(fault_66_timers_are_right_under_a_shifted_clock),
	};
	return cmocka_run_group_tests_name("time", tests, NULL, NULL);
}
