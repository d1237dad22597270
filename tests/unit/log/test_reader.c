/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka wants those first */
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "log/line.h"
#include "log/reader.h"

enum { SEEN_MAX = 64, HEAD_MAX = 200 };

/* The records that the reader delivered. */
struct seen {
	uint32_t flags;
	int stream;
	int level;
	size_t len;
	char head[HEAD_MAX];
	uint64_t discarded;
	struct timespec time;
};

static struct obi_loop *loop;
static struct obi_log_reader *reader;
static int pipe_fds[2];
static struct seen seen[SEEN_MAX];
static size_t seen_count;
static size_t seen_bytes;
static void (*in_callback)(const struct ob_log_record *record);

static void on_record(void *user, const struct ob_log_record *record)
{
	struct seen *s = &seen[seen_count++ % SEEN_MAX];
	const struct ob_value *discarded = ob_value_find(&record->attrs, "discarded");
	(void)user;
	memset(s, 0, sizeof *s);
	s->flags = record->flags;
	s->stream = record->stream;
	s->level = record->level;
	s->time = record->time;
	s->len = record->message.len;
	memcpy(s->head, record->message.data, s->len < HEAD_MAX - 1 ? s->len : HEAD_MAX - 1);
	(void)ob_get_uint(discarded, &s->discarded);
	seen_bytes += record->line.len + 1;
	assert_string_equal(record->name, "child");
	if (in_callback != NULL) {
		in_callback(record);
	}
}

static void make_reader(int fd)
{
	char name[] = "child";
	struct obi_log_reader_setup setup = {
	    .loop = loop, .fd = fd, .stream = 2, .name = name, .fn = on_record};
	assert_int_equal(obi_log_reader_new(&setup, &reader, NULL), OB_OK);
	memset(name, 'x', sizeof name - 1);
}

static int setup(void **state)
{
	(void)state;
	seen_count = seen_bytes = 0;
	in_callback = NULL;
	assert_int_equal(obi_loop_new(NULL, 0, &loop, NULL), OB_OK);
	assert_int_equal(pipe2(pipe_fds, O_NONBLOCK | O_CLOEXEC), 0);
	make_reader(pipe_fds[0]);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	obi_log_reader_free(reader);
	reader = NULL;
	obi_loop_close(loop);
	close(pipe_fds[0]);
	if (pipe_fds[1] >= 0) {
		close(pipe_fds[1]);
	}
	return 0;
}

static size_t waiting(void)
{
	int n = 0;
	assert_int_equal(ioctl(pipe_fds[0], FIONREAD, &n), 0);
	return (size_t)n;
}

/* Turn the loop until the pipe is empty. */
static void read_all(void)
{
	while (waiting() > 0) {
		obi_loop_turn(loop, false);
	}
}

static void put_bytes(const void *data, size_t n)
{
	const char *at = data;
	while (n > 0) {
		ssize_t done = write(pipe_fds[1], at, n);
		if (done < 0) {
			assert_int_equal(errno, EAGAIN);
			obi_loop_turn(loop, false);
			continue;
		}
		at += done;
		n -= (size_t)done;
	}
}

static void put(const char *text)
{
	put_bytes(text, strlen(text));
}

static void put_long(char c, size_t n)
{
	char piece[4096];
	memset(piece, c, sizeof piece);
	for (; n > 0; n -= n < sizeof piece ? n : sizeof piece) {
		put_bytes(piece, n < sizeof piece ? n : sizeof piece);
	}
}

static void each_line_is_a_record(void **state)
{
	struct timespec before, after;
	(void)state;
	clock_gettime(CLOCK_REALTIME, &before);
	put("{\"msg\":\"one\",\"level\":\"WARN\",\"time\":\"1970-01-01T00:00:09Z\"}\n\n\r\ntwo\r\n{"
	    "\"msg\":1} x\n");
	read_all();
	clock_gettime(CLOCK_REALTIME, &after);
	assert_int_equal(seen_count, 3);
	assert_string_equal(seen[0].head, "one");
	assert_int_equal(seen[0].flags, OB_LOG_PARSED | OB_LOG_HAS_TIME);
	assert_int_equal(seen[0].level, OB_LOG_WARN);
	assert_int_equal(seen[0].stream, 2);
	assert_int_equal(seen[0].time.tv_sec, 9);
	assert_string_equal(seen[1].head, "two");
	assert_int_equal(seen[1].flags, 0);
	assert_true(seen[1].time.tv_sec >= before.tv_sec && seen[1].time.tv_sec <= after.tv_sec);
	assert_string_equal(seen[2].head, "{\"msg\":1} x");
}

static void a_line_split_over_reads_is_joined(void **state)
{
	static const char line[] = "{\"msg\":\"a long way in small steps\",\"n\":12345}\nnext\n";
	(void)state;
	for (size_t i = 0; i < sizeof line - 1; i++) {
		put_bytes(line + i, 1);
		read_all();
		assert_int_equal(seen_count, i >= sizeof line - 2   ? 2
					     : i >= sizeof line - 7 ? 1
								    : 0);
	}
	assert_string_equal(seen[0].head, "a long way in small steps");
	assert_string_equal(seen[1].head, "next");
}

static void a_long_line_may_have_a_mebibyte(void **state)
{
	(void)state;
	put_long('a', OBI_LOG_LINE_MAX);
	put("\nnext\n");
	read_all();
	assert_int_equal(seen_count, 2);
	assert_int_equal(seen[0].len, OBI_LOG_LINE_MAX);
	assert_int_equal(seen[0].flags, 0);
	assert_string_equal(seen[1].head, "next");
}

/* Fault 8 of the origin. */
static void fault_60_a_longer_line_is_cut_and_marked_and_reading_goes_on(void **state)
{
	(void)state;
	put_long('a', OBI_LOG_LINE_MAX + 1);
	put("\nnext\n");
	put("{\"msg\":\"");
	put_long('b', 3 * OBI_LOG_LINE_MAX);
	put("\"}\nlast\n");
	read_all();
	assert_int_equal(seen_count, 4);
	assert_int_equal(seen[0].flags, OB_LOG_TRUNCATED);
	assert_int_equal(seen[0].len, OBI_LOG_LINE_MAX);
	assert_int_equal(seen[0].discarded, 1);
	assert_string_equal(seen[1].head, "next");
	assert_int_equal(seen[1].flags, 0);
	assert_int_equal(seen[2].flags, OB_LOG_TRUNCATED);
	assert_int_equal(seen[2].discarded, 2 * OBI_LOG_LINE_MAX + 10);
	assert_true(strncmp(seen[2].head, "{\"msg\":\"bbb", 11) == 0);
	assert_string_equal(seen[3].head, "last");
}

/* A record of 1 MiB, with this many values besides msg, list, and the object itself. */
static void put_large(size_t values, size_t text)
{
	put("{\"msg\":\"x\",\"list\":[0");
	for (size_t i = 1; i < values; i++) {
		put(",1");
	}
	put(",\"");
	put_long('t', text);
	put("\"]}\n");
}

static void a_large_record_is_still_a_record(void **state)
{
	(void)state;
	put_large(OBI_LOG_LINE_VALUES - 7, OBI_LOG_LINE_MAX - 3 * OBI_LOG_LINE_VALUES);
	read_all();
	assert_int_equal(seen_count, 1);
	assert_int_equal(seen[0].flags, OB_LOG_PARSED);
	assert_string_equal(seen[0].head, "x");
}

static void fault_82_a_record_of_too_many_values_is_text(void **state)
{
	(void)state;
	put_large(OBI_LOG_LINE_VALUES, 1);
	read_all();
	assert_int_equal(seen_count, 1);
	assert_int_equal(seen[0].flags, 0);
	assert_memory_equal(seen[0].head, "{\"msg\":\"x\"", 10);
}

static void fault_60_one_turn_reads_64_kib_at_most(void **state)
{
	size_t before;
	(void)state;
	assert_true(fcntl(pipe_fds[1], F_SETPIPE_SZ, 256 * 1024) >= 256 * 1024);
	while (write(pipe_fds[1], "0123456789abcdefghijklmnopqrstu\n", 32) == 32) {
		;
	}
	before = waiting();
	assert_true(before >= 200 * 1024);
	obi_loop_turn(loop, false);
	assert_int_equal(before - waiting(), 64 * 1024);
	obi_loop_turn(loop, false);
	assert_int_equal(before - waiting(), 128 * 1024);
	assert_int_equal(seen_bytes, 128 * 1024);
}

static atomic_bool flood_ends;

static void *flood(void *arg)
{
	static char lines[65536];
	(void)arg;
	for (size_t i = 0; i < sizeof lines; i += 64) {
		memset(lines + i, 'y', 63);
		lines[i + 63] = '\n';
	}
	fcntl(pipe_fds[1], F_SETFL, 0);
	while (!atomic_load(&flood_ends)) {
		if (write(pipe_fds[1], lines, sizeof lines) < 0) {
			break;
		}
	}
	return NULL;
}

static size_t resident_bytes(void)
{
	unsigned long size = 0, resident = 0;
	FILE *file = fopen("/proc/self/statm", "re");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%lu %lu", &size, &resident), 2);
	fclose(file);
	return resident * (size_t)sysconf(_SC_PAGESIZE);
}

static void fault_60_a_flood_costs_no_memory(void **state)
{
	pthread_t thread;
	size_t before = 0;
	(void)state;
	atomic_store(&flood_ends, false);
	assert_int_equal(pthread_create(&thread, NULL, flood, NULL), 0);
	while (seen_bytes < (size_t)256 << 20) {
		obi_loop_turn(loop, true);
		before = before == 0 && seen_bytes > 1 << 20 ? resident_bytes() : before;
	}
	assert_true(resident_bytes() < before + (4 << 20));
	atomic_store(&flood_ends, true);
	obi_log_reader_free(reader);
	reader = NULL;
	close(pipe_fds[0]);
	pipe_fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void fault_62_drain_takes_all_and_the_last_line(void **state)
{
	(void)state;
	for (int i = 0; i < 3000; i++) {
		put("0123456789abcdefghi\n");
	}
	put("unfinished");
	obi_log_reader_drain(reader);
	assert_int_equal(waiting(), 0);
	assert_int_equal(seen_count, 3001);
	assert_string_equal(seen[3000 % SEEN_MAX].head, "unfinished");
	obi_log_reader_drain(reader);
	assert_int_equal(seen_count, 3001);
}

static void fault_62_a_fifo_held_open_by_us_ends_by_drain(void **state)
{
	char dir[] = "/tmp/ob-logread-XXXXXX", path[64];
	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/fifo", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	int ours = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	int theirs = open(path, O_RDWR | O_CLOEXEC);
	assert_true(ours >= 0 && theirs >= 0);
	obi_log_reader_free(reader);
	make_reader(ours);
	assert_int_equal(write(theirs, "one\ntwo", 7), 7);
	close(theirs);
	obi_log_reader_drain(reader);
	assert_int_equal(seen_count, 2);
	assert_string_equal(seen[1].head, "two");
	obi_log_reader_free(reader);
	reader = NULL;
	close(ours);
	unlink(path);
	rmdir(dir);
}

static void write_more(const struct ob_log_record *record)
{
	(void)record;
	assert_true(write(pipe_fds[1], "more and more and more and more\n", 32) == 32 ||
		    errno == EAGAIN);
}

/* A grandchild that goes on writing. */
static void fault_62_drain_ends_although_a_grandchild_writes_on(void **state)
{
	(void)state;
	in_callback = write_more;
	put("begin\n");
	while (write(pipe_fds[1], "0123456789abcdefghijklmnopqrstu\n", 32) == 32) {
		;
	}
	obi_log_reader_drain(reader);
	assert_true(seen_bytes <= (size_t)fcntl(pipe_fds[0], F_GETPIPE_SZ) + 64);
	assert_true(waiting() > 0);
}

static void flush_delivers_an_incomplete_line(void **state)
{
	(void)state;
	obi_log_reader_flush(reader);
	put("whole\nhalf a li");
	read_all();
	assert_int_equal(seen_count, 1);
	obi_log_reader_flush(reader);
	assert_int_equal(seen_count, 2);
	assert_string_equal(seen[1].head, "half a li");
	put("ne\n");
	read_all();
	assert_string_equal(seen[2].head, "ne");
}

static void free_in_callback(const struct ob_log_record *record)
{
	obi_log_reader_free(reader);
	reader = NULL;
	/* All of it is still there. */
	assert_int_equal(strlen(record->name), 5);
	assert_int_equal(record->line.data[record->line.len - 1], 'e');
}

static void free_inside_the_callback_is_the_end(void **state)
{
	static const char *const before[] = {"", "begun "};
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		seen_count = 0;
		in_callback = free_in_callback;
		put(before[i]);
		read_all();
		put("one\ntwo\nthree\n");
		obi_loop_turn(loop, false);
		obi_loop_turn(loop, false);
		assert_int_equal(seen_count, 1);
		assert_null(reader);
		make_reader(pipe_fds[0]);
		in_callback = NULL;
		put("x\n");
		read_all();
	}
}

static void free_inside_a_drain_is_the_end(void **state)
{
	(void)state;
	in_callback = free_in_callback;
	put("one\ntwo\nthree");
	obi_log_reader_drain(reader);
	assert_int_equal(seen_count, 1);
	assert_null(reader);
}

static void drain_in_callback(const struct ob_log_record *record)
{
	(void)record;
	obi_log_reader_drain(reader);
	obi_log_reader_flush(reader);
}

static void drain_inside_the_callback_does_nothing(void **state)
{
	(void)state;
	in_callback = drain_in_callback;
	put("one\ntwo\nthr");
	read_all();
	assert_int_equal(seen_count, 2);
	assert_string_equal(seen[1].head, "two");
}

static void on_timer(void *user)
{
	*(bool *)user = true;
}

static void an_ended_pipe_does_not_spin(void **state)
{
	bool due = false;
	int turns = 0;
	struct obi_timer timer = {.fn = on_timer, .user = &due};
	(void)state;
	put("last");
	close(pipe_fds[1]);
	pipe_fds[1] = -1;
	obi_timer_set(loop, &timer, 50);
	while (!due) {
		obi_loop_turn(loop, true);
		turns++;
	}
	assert_true(turns < 10);
	assert_int_equal(seen_count, 0);
	obi_log_reader_drain(reader);
	assert_int_equal(seen_count, 1);
}

static void a_reader_may_have_no_function(void **state)
{
	struct obi_log_reader_setup quiet = {
	    .loop = loop, .fd = pipe_fds[0], .stream = 1, .name = "child"};
	(void)state;
	obi_log_reader_free(reader);
	assert_int_equal(obi_log_reader_new(&quiet, &reader, NULL), OB_OK);
	put("one\ntwo");
	read_all();
	obi_log_reader_drain(reader);
	assert_int_equal(seen_count, 0);
	obi_log_reader_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(each_line_is_a_record, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_line_split_over_reads_is_joined, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_long_line_may_have_a_mebibyte, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		fault_60_a_longer_line_is_cut_and_marked_and_reading_goes_on, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_large_record_is_still_a_record, setup, teardown),
	    cmocka_unit_test_setup_teardown(fault_82_a_record_of_too_many_values_is_text, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(fault_60_one_turn_reads_64_kib_at_most, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(fault_60_a_flood_costs_no_memory, setup, teardown),
	    cmocka_unit_test_setup_teardown(fault_62_drain_takes_all_and_the_last_line, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(fault_62_a_fifo_held_open_by_us_ends_by_drain, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(fault_62_drain_ends_although_a_grandchild_writes_on,
					    setup, teardown),
	    cmocka_unit_test_setup_teardown(flush_delivers_an_incomplete_line, setup, teardown),
	    cmocka_unit_test_setup_teardown(free_inside_the_callback_is_the_end, setup, teardown),
	    cmocka_unit_test_setup_teardown(free_inside_a_drain_is_the_end, setup, teardown),
	    cmocka_unit_test_setup_teardown(drain_inside_the_callback_does_nothing, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(an_ended_pipe_does_not_spin, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_reader_may_have_no_function, setup, teardown),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
