/* SPDX-License-Identifier: MIT */
/* Lines that do not end: row 108. The waits are real. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka wants those first */
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "log/reader.h"

enum { SEEN_MAX = 16, HEAD_MAX = 100 };

struct seen {
	uint32_t flags;
	size_t len;
	char head[HEAD_MAX];
	bool discarded;
	int64_t at_ms;
};

static struct obi_loop *loop;
static struct obi_log_reader *reader;
static int fds[2];
static struct seen seen[SEEN_MAX];
static size_t seen_count;
static bool free_it;

static void on_record(void *user, const struct ob_log_record *record)
{
	struct seen *s = &seen[seen_count++ % SEEN_MAX];
	(void)user;
	*s = (struct seen){
	    .flags = record->flags, .len = record->message.len, .at_ms = obi_now_ms()};
	memcpy(s->head, record->message.data, s->len < HEAD_MAX - 1 ? s->len : HEAD_MAX - 1);
	s->discarded = ob_value_find(&record->attrs, "discarded") != NULL;
	if (free_it) {
		obi_log_reader_free(reader);
		reader = NULL;
	}
}

static int setup(void **state)
{
	(void)state;
	seen_count = 0;
	free_it = false;
	assert_int_equal(obi_loop_new(NULL, 0, &loop, NULL), OB_OK);
	assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
	struct obi_log_reader_setup with = {
	    .loop = loop, .fd = fds[0], .stream = 1, .name = "child", .fn = on_record};
	assert_int_equal(obi_log_reader_new(&with, &reader, NULL), OB_OK);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	obi_log_reader_free(reader);
	reader = NULL;
	obi_loop_close(loop);
	close(fds[0]);
	close(fds[1]);
	return 0;
}

static void put(const char *text)
{
	assert_int_equal(write(fds[1], text, strlen(text)), strlen(text));
}

static void on_timer(void *user)
{
	*(bool *)user = true;
}

/* Turn the loop until so many records were seen, for at most so long. */
static void turn_until(size_t count, int64_t ms)
{
	bool due = false;
	struct obi_timer timer = {.fn = on_timer, .user = &due};
	obi_timer_set(loop, &timer, ms);
	while (seen_count < count && !due) {
		obi_loop_turn(loop, true);
	}
	obi_timer_stop(&timer);
}

static void is_seen(size_t i, uint32_t flags, const char *message)
{
	assert_true(i < seen_count);
	assert_string_equal(seen[i].head, message);
	assert_int_equal(seen[i].flags, flags);
}

static void fault_108_a_prompt_is_shown_after_a_second(void **state)
{
	int64_t before = obi_now_ms();
	(void)state;
	put("password: ");
	turn_until(1, 10000);
	is_seen(0, OB_LOG_PARTIAL, "password: ");
	assert_true(seen[0].at_ms - before >= 1000);
	put("\nnext\n");
	turn_until(2, 10000);
	/* The line ended with nothing behind the prompt. */
	is_seen(1, 0, "next");
}

/* A progress bar: a part every second, however often it writes. */
static void fault_108_a_line_that_grows_is_shown_in_parts(void **state)
{
	(void)state;
	put("one ");
	turn_until(1, 500);
	put("two ");
	turn_until(1, 10000);
	is_seen(0, OB_LOG_PARTIAL, "one two ");
	put("three ");
	turn_until(2, 10000);
	is_seen(1, OB_LOG_PARTIAL | OB_LOG_CONTINUED, "three ");
	put("four\nnext\n");
	turn_until(4, 10000);
	is_seen(2, OB_LOG_CONTINUED, "four");
	is_seen(3, 0, "next");
}

/* The prompt of a firmware, say, and then the first record. */
static void a_record_behind_a_partial_line_is_a_record(void **state)
{
	(void)state;
	put("booting ...");
	turn_until(1, 10000);
	is_seen(0, OB_LOG_PARTIAL, "booting ...");
	put("\033[0m{\"msg\":\"up\"}\n");
	turn_until(2, 10000);
	is_seen(1, OB_LOG_PARSED | OB_LOG_CONTINUED, "up");
}

static void fault_98_what_shows_nothing_waits_for_the_record_behind_it(void **state)
{
	(void)state;
	put("\033c\033[?7l\033[2J");
	turn_until(1, 1500);
	assert_int_equal(seen_count, 0);
	put("{\"msg\":\"up\"}\n");
	turn_until(1, 10000);
	is_seen(0, OB_LOG_PARSED, "up");
}

/* ob_log() finishes a record that a full pipe cut when it writes the next. */
static void half_a_record_is_waited_for(void **state)
{
	(void)state;
	put("{\"msg\":");
	turn_until(1, 2500);
	assert_int_equal(seen_count, 0);
	put("\"whole\"}\n");
	turn_until(1, 10000);
	is_seen(0, OB_LOG_PARSED, "whole");
}

static void a_line_over_the_limit_that_does_not_end_is_shown_too(void **state)
{
	static char piece[4096];
	size_t n = 0;
	(void)state;
	memset(piece, 'x', sizeof piece);
	while (n < OBI_LOG_LINE_MAX + sizeof piece) {
		if (write(fds[1], piece, sizeof piece) == sizeof piece) {
			n += sizeof piece;
		} else {
			obi_loop_turn(loop, false);
		}
	}
	turn_until(1, 10000);
	assert_int_equal(seen[0].flags, OB_LOG_PARTIAL | OB_LOG_TRUNCATED);
	assert_int_equal(seen[0].len, OBI_LOG_LINE_MAX);
	assert_true(seen[0].discarded);
	put("end\n");
	turn_until(2, 10000);
	is_seen(1, OB_LOG_CONTINUED, "end");
}

/* The parent was stopped in the middle of a line, and the pipe holds more than one read of it. */
static void a_parent_that_did_not_run_reads_the_line_first(void **state)
{
	static char rest[150000];
	(void)state;
	assert_true(fcntl(fds[1], F_SETPIPE_SZ, 256 * 1024) >= 256 * 1024);
	memset(rest, 'x', sizeof rest);
	rest[sizeof rest - 1] = '\n';
	put("begun ");
	obi_loop_turn(loop, true);
	assert_int_equal(write(fds[1], rest, sizeof rest), sizeof rest);
	poll(NULL, 0, 1700); /* stopped */
	turn_until(1, 10000);
	assert_int_equal(seen[0].flags, 0);
	assert_int_equal(seen[0].len, 6 + sizeof rest - 1);
}

static void free_inside_a_partial_record_is_the_end(void **state)
{
	(void)state;
	free_it = true;
	put("prompt");
	turn_until(1, 10000);
	is_seen(0, OB_LOG_PARTIAL, "prompt");
	assert_null(reader);
	put("more\n");
	turn_until(2, 100);
	assert_int_equal(seen_count, 1);
}

static void a_flush_marks_what_it_cuts(void **state)
{
	(void)state;
	put("half");
	obi_loop_turn(loop, true);
	obi_log_reader_flush(reader);
	is_seen(0, OB_LOG_PARTIAL, "half");
	put(" and half\n");
	turn_until(2, 10000);
	is_seen(1, OB_LOG_CONTINUED, " and half");
}

static void the_last_words_of_a_dead_child_are_a_whole_line(void **state)
{
	(void)state;
	put("prompt");
	turn_until(1, 10000);
	put("tail");
	obi_log_reader_drain(reader);
	is_seen(1, OB_LOG_CONTINUED, "tail");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(fault_108_a_prompt_is_shown_after_a_second, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(fault_108_a_line_that_grows_is_shown_in_parts, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(a_record_behind_a_partial_line_is_a_record, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(
		fault_98_what_shows_nothing_waits_for_the_record_behind_it, setup, teardown),
	    cmocka_unit_test_setup_teardown(half_a_record_is_waited_for, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_line_over_the_limit_that_does_not_end_is_shown_too,
					    setup, teardown),
	    cmocka_unit_test_setup_teardown(a_parent_that_did_not_run_reads_the_line_first, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(free_inside_a_partial_record_is_the_end, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(a_flush_marks_what_it_cuts, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_last_words_of_a_dead_child_are_a_whole_line, setup,
					    teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
