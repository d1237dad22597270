/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka wants those first */
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/arena.h"
#include "log/line.h"
#include "loop/loop.h"

enum { TEXT_MAX = 16 << 20, DEADLINE_MS = 20000 };

static char text[TEXT_MAX];
static size_t text_len;
static int fds[2];
static ob_log_writer *writer;

static int setup(void **state)
{
	(void)state;
	text_len = 0;
	writer = NULL;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ob_log_writer_close(writer, 1);
	close(fds[0]);
	close(fds[1]);
	return 0;
}

static void open_writer(int fd, uint32_t format, int color, uint32_t queue_bytes)
{
	struct ob_log_writer_options options = {
	    .size = sizeof options, .format = format, .color = color, .queue_bytes = queue_bytes};
	struct ob_error err = {0};
	assert_null(writer);
	if (ob_log_writer_new(fd, &options, &writer, &err) != OB_OK) {
		fail_msg("%s", err.text);
	}
}

static void close_writer(void)
{
	ob_log_writer_close(writer, DEADLINE_MS);
	writer = NULL;
}

static void log_as(const char *name, const char *message)
{
	struct ob_log_record record = {
	    .size = sizeof record,
	    .name = name,
	    .stream = 1,
	    .message = ob_bytes_text(message),
	    .attrs = ob_map(NULL, 0),
	};
	ob_log_writer_record(writer, &record);
}

static void log_one(const char *message)
{
	log_as("child", message);
}

static void log_numbers_as(const char *name, int from, int to)
{
	for (int i = from; i < to; i++) {
		char message[64];
		snprintf(message, sizeof message, "record number %d", i);
		log_as(name, message);
	}
}

static void log_numbers(int from, int to)
{
	log_numbers_as("child", from, to);
}

/* Read what is there; wait for more, or for the end, until the deadline. */
static void read_until(int fd, const char *mark)
{
	int64_t deadline = obi_now_ms() + DEADLINE_MS;
	text[text_len] = '\0';
	while (mark == NULL || strstr(text, mark) == NULL) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		ssize_t n = read(fd, text + text_len, TEXT_MAX - 1 - text_len);
		if (n == 0 || (n < 0 && mark == NULL)) {
			return;
		}
		text_len += n > 0 ? (size_t)n : 0;
		text[text_len] = '\0';
		assert_true(obi_now_ms() < deadline);
		if (n < 0) {
			poll(&ready, 1, 100);
		}
	}
}

/* Whether the thread is inside a poll(2) of so many descriptors. */
static bool is_polling(const char *task, unsigned long many)
{
	char path[300], line[128] = "";
	long number = -1;
	unsigned long count = 0, timeout = 0;
	snprintf(path, sizeof path, "/proc/self/task/%s/syscall", task);
	FILE *file = fopen(path, "re");
	bool known = file != NULL && fgets(line, sizeof line, file) != NULL &&
		     sscanf(line, "%ld %*x %lx %lx", &number, &count, &timeout) == 3;
	if (file != NULL) {
		fclose(file);
	}
	return known && number == SYS_poll && count == many && (int)timeout == -1;
}

/* Wait until the writer's thread, the only other one, sleeps in a poll(2) of so many
 * descriptors. */
static void wait_until_polling(unsigned long many)
{
	int64_t deadline = obi_now_ms() + DEADLINE_MS;
	char self[32];
	bool found = false;
	snprintf(self, sizeof self, "%d", getpid());
	while (!found) {
		DIR *tasks = opendir("/proc/self/task");
		assert_non_null(tasks);
		for (struct dirent *task = readdir(tasks); task != NULL; task = readdir(tasks)) {
			found =
			    found || (task->d_name[0] != '.' && strcmp(task->d_name, self) != 0 &&
				      is_polling(task->d_name, many));
		}
		closedir(tasks);
		assert_true(obi_now_ms() < deadline);
	}
}

/* Idle: it waits for a wake-up. */
static void wait_until_idle(void)
{
	wait_until_polling(1);
}

/* It has something to write, and waits for room. */
static void wait_until_blocked(void)
{
	wait_until_polling(2);
}

/* Wait until the pipe holds more than that, and the writer has more to write. */
static void wait_until_more_than(size_t size)
{
	int64_t deadline = obi_now_ms() + DEADLINE_MS;
	int n = 0;
	while ((size_t)n <= size) {
		assert_int_equal(ioctl(fds[0], FIONREAD, &n), 0);
		assert_true(obi_now_ms() < deadline);
	}
	wait_until_blocked();
}

/* The numbers of our records, and of those reported as dropped. Every line must be a complete
 * record, with rising numbers. */
static void sum_up(uint64_t *ret_records, uint64_t *ret_dropped)
{
	static const struct obi_log_line_from from = {.name = "x", .stream = 1};
	struct obi_arena arena;
	int64_t last = -1;
	char *newline, *at = text;
	*ret_records = *ret_dropped = 0;
	obi_arena_init(&arena, 1 << 20);
	for (; (newline = memchr(at, '\n', text_len - (size_t)(at - text))) != NULL;
	     at = newline + 1) {
		struct ob_log_record record;
		uint64_t n = 0;
		obi_arena_reset(&arena);
		assert_true(obi_log_line_parse(&from, ob_bytes_of(at, (size_t)(newline - at)),
					       &arena.ob, &record));
		assert_true((record.flags & OB_LOG_PARSED) != 0);
		if (ob_get_uint(ob_value_find(&record.attrs, "dropped"), &n)) {
			assert_int_equal(record.level, OB_LOG_WARN);
			*ret_dropped += n;
		} else {
			int64_t number = strtol(
			    (const char *)record.message.data + strlen("record number "), NULL, 10);
			assert_true(number > last);
			last = number;
			++*ret_records;
		}
	}
	assert_ptr_equal(at, text + text_len);
	obi_arena_free(&arena);
}

static void records_are_written_in_order(void **state)
{
	uint64_t records, dropped;
	(void)state;
	open_writer(fds[1], OB_LOG_FORMAT_JSON, 0, 0);
	log_numbers(0, 300);
	close_writer();
	read_until(fds[0], NULL);
	assert_memory_equal(text,
			    "{\"outboard\":\"child\",\"stream\":\"stdout\","
			    "\"time\":\"1970-01-01T00:00:00Z\",\"level\":\"INFO\","
			    "\"msg\":\"record number 0\"}\n",
			    108);
	sum_up(&records, &dropped);
	assert_int_equal(records, 300);
	assert_int_equal(dropped, 0);
}

static void a_quiet_writer_writes_at_once(void **state)
{
	(void)state;
	open_writer(fds[1], OB_LOG_FORMAT_TEXT, -1, 0);
	for (int i = 0; i < 100; i++) {
		char mark[64];
		snprintf(mark, sizeof mark, "record number %d\n", i);
		log_numbers(i, i + 1);
		read_until(fds[0], mark);
	}
}

static void color_is_for_terminals_and_on_request(void **state)
{
	int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	static const struct {
		int color;
		bool terminal;
		const char *no_color;
		bool colored;
	} table[] = {{0, false, NULL, false}, {1, false, "1", true}, {-1, false, NULL, false},
		     {0, true, NULL, true},   {0, true, "", true},   {0, true, "1", false},
		     {-1, true, NULL, false}};
	(void)state;
	assert_true(terminal >= 0);
	assert_int_equal(grantpt(terminal) + unlockpt(terminal), 0);
	int slave = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(slave >= 0);
	assert_int_equal(fcntl(terminal, F_SETFL, O_NONBLOCK), 0);
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		if (table[i].no_color != NULL) {
			setenv("NO_COLOR", table[i].no_color, 1);
		} else {
			unsetenv("NO_COLOR");
		}
		open_writer(table[i].terminal ? slave : fds[1], OB_LOG_FORMAT_TEXT, table[i].color,
			    0);
		log_one("message");
		text_len = 0;
		read_until(table[i].terminal ? terminal : fds[0], "message");
		assert_int_equal(strstr(text, "\033[") != NULL, table[i].colored);
		close_writer();
		read_until(table[i].terminal ? terminal : fds[0], NULL);
	}
	unsetenv("NO_COLOR");
	close(slave);
	close(terminal);
}

static void a_slow_reader_costs_records_that_are_counted(void **state)
{
	uint64_t records, dropped;
	(void)state;
	open_writer(fds[1], OB_LOG_FORMAT_JSON, 0, 16384);
	log_numbers(0, 20000);
	read_until(fds[0], "\"dropped\":");
	wait_until_idle();
	log_numbers(20000, 20010);
	read_until(fds[0], "record number 20009");
	close_writer();
	read_until(fds[0], NULL);
	sum_up(&records, &dropped);
	assert_true(dropped > 0);
	assert_int_equal(records + dropped, 20010);
	/* The backlog is bounded by the queue and the pipe. */
	assert_true(text_len < 16384 + 65536 + 8192);
}

/* What is being written counts too: both together stay within queue_bytes. */
static void fault_60_the_backlog_is_bounded(void **state)
{
	static char page[4096];
	size_t filled = 0;
	char path[32];
	(void)state;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fds[1]);
	int fill = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	memset(page, '.', sizeof page);
	for (ssize_t n; (n = write(fill, page, sizeof page)) > 0;) {
		filled += (size_t)n;
	}
	close(fill);
	open_writer(fds[1], OB_LOG_FORMAT_JSON, 0, 16384);
	log_numbers(0, 1);
	wait_until_blocked();
	log_numbers(1, 1000);
	/* Room for one page: the first batch is written, and a part of the next, which is the
	 * whole queue. */
	assert_int_equal(read(fds[0], page, sizeof page), sizeof page);
	wait_until_more_than(filled - sizeof page);
	log_numbers(1000, 2000);
	read_until(fds[0], "\"dropped\":");
	close_writer();
	read_until(fds[0], NULL);
	assert_true(text_len - (filled - sizeof page) <= sizeof page + 16384 + 1024);
}

static void fault_97_a_record_larger_than_the_queue_arrives_cut(void **state)
{
	static const uint32_t formats[] = {OB_LOG_FORMAT_JSON, OB_LOG_FORMAT_TEXT};
	static const char fills[] = {'b', '\x01'};
	static char big[1 << 20];
	(void)state;
	for (int i = 0; i < 4; i++) {
		memset(big, fills[i / 2], sizeof big - 1);
		text_len = 0;
		open_writer(fds[1], formats[i % 2], 0, 16384);
		log_one(big);
		read_until(fds[0], "\n");
		assert_true(text_len > 12000 && text_len <= 12288);
		assert_non_null(strstr(text, "truncated"));
		assert_non_null(strstr(text, "discarded"));
		close_writer();
	}
}

/* A sink that is read slowly: one child floods, another has a line now and then. */
static void fault_85_a_flood_on_a_slow_sink_costs_the_others_nothing(void **state)
{
	(void)state;
	open_writer(fds[1], OB_LOG_FORMAT_TEXT, 0, 1 << 20);
	for (int i = 0; i < 300; i++) {
		log_numbers_as("flood", 0, 200);
		log_numbers_as("quiet", i, i + 1);
		ssize_t n = read(fds[0], text + text_len, 4096);
		text_len += n > 0 ? (size_t)n : 0;
	}
	read_until(fds[0], "[quiet stdout] record number 299\n");
	log_one("last");
	read_until(fds[0], "[child stdout] last\n");
	close_writer();
	read_until(fds[0], NULL);
	for (int i = 0; i < 300; i++) {
		char mark[64];
		snprintf(mark, sizeof mark, "[quiet stdout] record number %d\n", i);
		assert_non_null(strstr(text, mark));
	}
	assert_non_null(strstr(text, " WARN  [flood] log records were dropped dropped="));
	assert_null(strstr(text, "[quiet] log records were dropped"));
}

static void close_gives_up_on_a_reader_that_does_not_read(void **state)
{
	int64_t before;
	uint64_t records, dropped;
	(void)state;
	open_writer(fds[1], OB_LOG_FORMAT_JSON, 0, 0);
	log_numbers(0, 5000);
	wait_until_blocked();
	before = obi_now_ms();
	ob_log_writer_close(writer, 50);
	writer = NULL;
	assert_true(obi_now_ms() - before < DEADLINE_MS / 2);
	assert_true(obi_now_ms() - before >= 50);
	/* The thread is gone, and its descriptor too: once ours is closed, the pipe ends. */
	close(fds[1]);
	read_until(fds[0], "never there");
	fds[1] = open("/dev/null", O_WRONLY | O_CLOEXEC);
	/* All records but the last are complete. */
	while (text_len > 0 && text[text_len - 1] != '\n') {
		text_len--;
	}
	sum_up(&records, &dropped);
	assert_true(records > 0 && records < 5000);
}

/* A write that does not return: the writer is abandoned, and frees itself when the write
 * returns. */
static void close_leaves_a_stuck_write_behind(void **state)
{
	int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	int64_t before;
	(void)state;
	assert_true(terminal >= 0);
	assert_int_equal(grantpt(terminal) + unlockpt(terminal), 0);
	int slave = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(slave >= 0);
	open_writer(slave, OB_LOG_FORMAT_TEXT, -1, 0);
	log_numbers(0, 5000);
	before = obi_now_ms();
	ob_log_writer_close(writer, 50);
	writer = NULL;
	assert_true(obi_now_ms() - before < DEADLINE_MS / 2);
	close(slave);
	/* The end: EIO on the master once the last descriptor of the terminal, which the thread
	 * holds, is closed. */
	for (int64_t deadline = obi_now_ms() + DEADLINE_MS;;) {
		struct pollfd ready = {.fd = terminal, .events = POLLIN};
		ssize_t n = read(terminal, text, TEXT_MAX);
		if (n < 0 && errno == EIO) {
			break;
		}
		assert_true(obi_now_ms() < deadline);
		if (n < 0) {
			poll(&ready, 1, 100);
		}
	}
	close(terminal);
}

static void a_dead_descriptor_neither_blocks_nor_kills(void **state)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	int64_t before = obi_now_ms();
	(void)state;
	signal(SIGPIPE, SIG_DFL);
	assert_true(full >= 0);
	open_writer(full, OB_LOG_FORMAT_TEXT, 0, 0);
	log_numbers(0, 1000);
	close_writer();
	close(full);
	open_writer(fds[1], OB_LOG_FORMAT_TEXT, 0, 0);
	close(fds[0]);
	log_numbers(0, 1000);
	close_writer();
	assert_true(obi_now_ms() - before < DEADLINE_MS / 2);
	fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Wait until the file has that many bytes. */
static void wait_for_size(int fd, off_t size)
{
	char path[32], events[4096];
	int64_t deadline = obi_now_ms() + DEADLINE_MS;
	int notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	assert_true(inotify_add_watch(notify, path, IN_MODIFY) >= 0);
	while (lseek(fd, 0, SEEK_END) < size) {
		struct pollfd ready = {.fd = notify, .events = POLLIN};
		assert_true(obi_now_ms() < deadline);
		poll(&ready, 1, 1000);
		(void)!read(notify, events, sizeof events);
	}
	close(notify);
}

/* A disk that was full and has room again: the cut line is ended, and the count is reported. */
static void a_descriptor_that_recovers_reports_the_loss(void **state)
{
	FILE *file = tmpfile();
	struct rlimit was, small;
	uint64_t records, dropped;
	(void)state;
	assert_non_null(file);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	small = was;
	small.rlim_cur = 1000;
	open_writer(fileno(file), OB_LOG_FORMAT_JSON, 0, 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	log_numbers(0, 100);
	wait_for_size(fileno(file), 1000);
	wait_until_idle();
	log_numbers(100, 110);
	wait_until_idle();
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	log_numbers(110, 120);
	close_writer();
	fflush(file);
	rewind(file);
	text_len = fread(text, 1, TEXT_MAX - 1, file);
	/* Remove the line that was cut at byte 1000. */
	char *begin = text + 1000, *end = memchr(text + 1000, '\n', text_len - 1000);
	while (begin > text && begin[-1] != '\n') {
		begin--;
	}
	assert_ptr_equal(end, text + 1000);
	memmove(begin, end + 1, text_len - (size_t)(end + 1 - text));
	text_len -= (size_t)(end + 1 - begin);
	sum_up(&records, &dropped);
	assert_true(dropped > 80);
	assert_int_equal(records + dropped, 120);
	fclose(file);
}

static void the_descriptor_may_be_closed_meanwhile(void **state)
{
	FILE *file = tmpfile();
	int fd = dup(fileno(file));
	(void)state;
	open_writer(fd, OB_LOG_FORMAT_TEXT, 0, 0);
	close(fd);
	log_one("still there");
	close_writer();
	rewind(file);
	text_len = fread(text, 1, TEXT_MAX - 1, file);
	text[text_len] = '\0';
	assert_non_null(strstr(text, "still there\n"));
	fclose(file);
}

static void *log_from_a_thread(void *user)
{
	(void)user;
	for (int i = 0; i < 2000; i++) {
		log_one("record number 7");
	}
	return NULL;
}

static void any_thread_may_log(void **state)
{
	pthread_t threads[4];
	size_t lines = 0;
	FILE *file = tmpfile();
	(void)state;
	open_writer(fileno(file), OB_LOG_FORMAT_TEXT, 0, 8 << 20);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, log_from_a_thread, NULL), 0);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
	}
	close_writer();
	rewind(file);
	text_len = fread(text, 1, TEXT_MAX - 1, file);
	for (size_t i = 0; i < text_len; i++) {
		lines += text[i] == '\n';
	}
	assert_int_equal(lines, 8000);
	fclose(file);
}

static void bad_options_are_refused(void **state)
{
	struct ob_log_writer_options options = {.size = sizeof options};
	struct ob_error err = {0};
	(void)state;
	assert_int_equal(ob_log_writer_new(fds[1], NULL, &writer, &err), OB_EINVAL);
	assert_int_equal(ob_log_writer_new(fds[1], &options, &writer, &err), OB_EINVAL);
	options.format = 99;
	assert_int_equal(ob_log_writer_new(fds[1], &options, &writer, &err), OB_EINVAL);
	options.format = OB_LOG_FORMAT_TEXT;
	assert_int_equal(ob_log_writer_new(-1, &options, &writer, &err), OB_EINVAL);
	assert_null(writer);
	ob_log_writer_close(NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(records_are_written_in_order, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_quiet_writer_writes_at_once, setup, teardown),
	    cmocka_unit_test_setup_teardown(color_is_for_terminals_and_on_request, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_slow_reader_costs_records_that_are_counted, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(fault_60_the_backlog_is_bounded, setup, teardown),
	    cmocka_unit_test_setup_teardown(fault_97_a_record_larger_than_the_queue_arrives_cut,
					    setup, teardown),
	    cmocka_unit_test_setup_teardown(
		fault_85_a_flood_on_a_slow_sink_costs_the_others_nothing, setup, teardown),
	    cmocka_unit_test_setup_teardown(close_gives_up_on_a_reader_that_does_not_read, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(close_leaves_a_stuck_write_behind, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_dead_descriptor_neither_blocks_nor_kills, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(a_descriptor_that_recovers_reports_the_loss, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(the_descriptor_may_be_closed_meanwhile, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(any_thread_may_log, setup, teardown),
	    cmocka_unit_test_setup_teardown(bad_options_are_refused, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
