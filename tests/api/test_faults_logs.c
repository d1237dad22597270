/* SPDX-License-Identifier: MIT */
/* A child's log lines when its parents change, or do not read: rows 11, 58 and 60. The lines are
 * numbered, so that each one is accounted for: seen, counted as dropped, or in the one read that
 * a killed parent took with it. */
#include "support/clock.h"
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
#include <time.h>

#include "support/family.h"
#include "support/scratch.h"

enum { KILLS = 100, LINE_LEAST = 60, READ_MOST = 64 * 1024 };

/* ---- Accounts ---- */

struct account {
	int64_t next;	 /* the next number if nothing was lost */
	int64_t dropped; /* reported since the last number */
	int64_t all_dropped;
	int64_t seen;
	int64_t lost;	   /* neither seen nor reported */
	int64_t allowance; /* may be lost before the next number: a parent was killed */
};

static void account_for(struct account *a, int64_t n)
{
	int64_t missing = n - a->next - a->dropped;
	if (missing < 0 || missing > a->allowance) {
		fail_msg("after %lld came %lld, with %lld told as dropped", (long long)a->next - 1,
			 (long long)n, (long long)a->dropped);
	}
	a->lost += missing;
	a->seen++;
	a->next = n + 1;
	a->dropped = a->allowance = 0;
}

static void take(struct account *a, const char *line)
{
	long long n;
	if (sscanf(line, "log %lld", &n) == 1) {
		account_for(a, n);
	} else if (sscanf(line, "dropped %lld", &n) == 1) {
		a->dropped += n;
		a->all_dropped += n;
	}
}

/* The parent's lines up to the answer to a command. */
static const char *ask(struct crash *c, struct account *a, const char *command)
{
	program_say(&c->now, command);
	for (const char *line = program_line(&c->now); line != NULL; line = program_line(&c->now)) {
		if (strncmp(line, "ok", 2) == 0 || strncmp(line, "error", 5) == 0 ||
		    strncmp(line, "reply", 5) == 0) {
			return line;
		}
		take(a, line);
	}
	fail_msg("the parent died of %s", command);
	return NULL;
}

static void take_until(struct crash *c, struct account *a, int64_t next)
{
	while (a->next < next) {
		const char *line = program_line(&c->now);
		assert_non_null(line);
		take(a, line);
	}
}

static void take_rest(struct crash *c, struct account *a)
{
	for (const char *line = program_line(&c->now); line != NULL; line = program_line(&c->now)) {
		take(a, line);
	}
}

/* End the lines: the last ones are read, and what was dropped at the end is reported with one
 * more. */
static void settle(struct crash *c, struct account *a)
{
	long long total = 0, mark = 0;
	assert_int_equal(sscanf(ask(c, a, "call act.hush 0"), "reply %lld", &total), 1);
	do {
		assert_int_equal(sscanf(ask(c, a, "call act.mark 0"), "reply %lld", &mark), 1);
	} while (a->next < total);
	take_until(c, a, mark + 1);
	assert_int_equal(a->seen + a->all_dropped + a->lost, mark + 1);
}

static void kill_parent(struct crash *c, struct account *a)
{
	program_kill(&c->now, SIGKILL);
	take_rest(c, a);
	crash_died(c);
}

static void fault_11_the_parent_is_killed_a_hundred_times(void **state)
{
	struct account a = {0};
	struct crash c;
	(void)state;
	crash_begin(&c);
	crash_parent(&c, NULL, "pipe=1048576", NULL);
	assert_non_null(program_ask(&c.now, "start"));
	pid_t pid = crash_child(&c);
	ask(&c, &a, "call act.stream 2");
	for (int i = 0; i < KILLS; i++) {
		take_until(&c, &a, a.next + 1 + i % 7);
		kill_parent(&c, &a);
		assert_int_equal(crash_child(&c), pid);
		a.allowance = READ_MOST / LINE_LEAST;
		crash_parent(&c, NULL, "pipe=1048576", NULL);
		ask(&c, &a, "start");
	}
	settle(&c, &a);
	assert_int_equal(crash_child(&c), pid);
	print_message("  %lld lines, %lld lost with %d parents, %lld dropped\n", (long long)a.next,
		      (long long)a.lost, KILLS, (long long)a.all_dropped);
	kill_parent(&c, &a);
	crash_recover(&c, pid);
	crash_end(&c);
}

/* The child goes on logging without a reader; the next parent learns the exact number of missing
 * records. */
static void fault_58_records_dropped_at_a_full_pipe_are_counted(void **state)
{
	struct account a = {0};
	struct crash c;
	(void)state;
	crash_begin(&c);
	crash_parent(&c, NULL, "pipe=65536", NULL);
	assert_non_null(program_ask(&c.now, "start"));
	pid_t pid = crash_child(&c);
	ask(&c, &a, "call act.stream 0");
	for (int i = 0; i < 3; i++) {
		assert_string_equal(ask(&c, &a, "detach"), "ok detach 0");
		program_say(&c.now, "quit");
		take_rest(&c, &a);
		assert_int_equal(program_end(&c.now), 0);
		/* A line that was cut in two is passed on as it is, without a number. */
		a.allowance = 1;
		crash_parent(&c, NULL, "pipe=65536", NULL);
		ask(&c, &a, "start");
		take_until(&c, &a, a.next + 1);
	}
	settle(&c, &a);
	assert_true(a.all_dropped > 0);
	print_message("  %lld lines, %lld dropped and counted, %lld cut\n", (long long)a.next,
		      (long long)a.all_dropped, (long long)a.lost);
	kill_parent(&c, &a);
	crash_recover(&c, pid);
	crash_end(&c);
}

/* ---- Raw stdout: a full pipe blocks, and goes on with the next parent; not a byte is lost
 * ---- */

enum { RAW_LINES = 2000, RAW_LEN = 100 };

static size_t bytes_of(const struct family *f)
{
	size_t n = 0;
	for (uint32_t i = 0; i < f->line_count; i++) {
		n += strlen(f->lines[i]);
	}
	return n;
}

static bool has_all(void *user)
{
	return bytes_of(user) >= (size_t)RAW_LINES * (RAW_LEN - 1);
}

/* A line that was in two halves when the parents changed is reported in two halves, so compare
 * their concatenation. */
static void compare(const struct family *f, const char *text)
{
	for (uint32_t i = 0; i < f->line_count; i++) {
		size_t len = strlen(f->lines[i]);
		text += *text == '\n';
		assert_memory_equal(f->lines[i], text, len);
		text += len;
	}
}

static void fault_58_raw_stdout_waits_for_a_reader(void **state)
{
	static char text[RAW_LINES * RAW_LEN + 1];
	struct ob_value items[1] = {ob_binary(text, sizeof text - 1)}, params = ob_array(items, 1);
	struct family f;
	struct ob_error err = {0};
	(void)state;
	for (int i = 0; i < RAW_LINES; i++) {
		snprintf(text + i * RAW_LEN, RAW_LEN + 1, "%099d\n", i);
	}
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	f.options.log_pipe_bytes = 65536;
	family_connector(&f);
	assert_int_equal(ob_connector_start(f.connector, 0, NULL, &err), OB_OK);
	assert_int_equal(
	    ob_client_notify(ob_connector_client(f.connector), "act.raw", &params, &err), OB_OK);
	/* Into the socket, and then read no more. */
	ob_runtime_run(f.runtime, 0);
	assert_int_equal(ob_connector_detach(f.connector, &err), OB_OK);
	assert_false(has_all(&f));
	assert_int_equal(ob_connector_reconnect(f.connector, 0, NULL, &err), OB_OK);
	family_until(&f, has_all, &f);
	compare(&f, text);
	family_end(&f);
}

/* ---- A flood ---- */

static long resident_kib(pid_t pid)
{
	char path[64], line[256];
	long kib = 0;
	snprintf(path, sizeof path, "/proc/%d/status", pid);
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof line, file) != NULL && sscanf(line, "VmRSS: %ld", &kib) != 1) {
	}
	fclose(file);
	return kib;
}

static int64_t time_calls(struct crash *c)
{
	int64_t begin = now_us();
	for (int i = 0; i < 200; i++) {
		assert_string_equal(program_ask(&c->now, "call act.echo 5"), "reply 5");
	}
	return now_us() - begin;
}

static void fault_60_a_flood_of_lines_starves_no_call(void **state)
{
	struct crash c;
	(void)state;
	crash_begin(&c);
	crash_parent(&c, NULL, "quiet", NULL);
	assert_non_null(program_ask(&c.now, "start"));
	int64_t calm = time_calls(&c);
	assert_string_equal(program_ask(&c.now, "call act.stream 0"), "reply 0");
	(void)time_calls(&c);
	long before = resident_kib(c.now.pid);
	int64_t flooded = time_calls(&c);
	long after = resident_kib(c.now.pid);
	print_message("  200 calls: %lld us calm, %lld us in a flood; %ld KiB, then %ld KiB\n",
		      (long long)calm, (long long)flooded, before, after);
	assert_true(after - before < 16 * 1024);
	/* A starved call waits until the flood ends; the time of a turn full of lines depends on
	 * the machine. */
	assert_true(flooded < 100 * calm + 20000000);
	assert_non_null(program_ask(&c.now, "call act.hush 0"));
	program_kill(&c.now, SIGKILL);
	crash_died(&c);
	crash_recover(&c, crash_child(&c));
	crash_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fault_11_the_parent_is_killed_a_hundred_times),
	    cmocka_unit_test(fault_58_records_dropped_at_a_full_pipe_are_counted),
	    cmocka_unit_test(fault_58_raw_stdout_waits_for_a_reader),
	    cmocka_unit_test(fault_60_a_flood_of_lines_starves_no_call),
	};
	return cmocka_run_group_tests_name("logs of children", tests, NULL, NULL);
}
