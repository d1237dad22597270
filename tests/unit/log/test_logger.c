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
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "log/line.h"

enum { WRITERS = 8, RECORDS = 2000, TEXT_MAX = 8 << 20 };

static char text[TEXT_MAX];
static size_t text_len;
static struct obi_arena arena;

/* ---- Reading the log ---- */

/* Everything in fd, appended to what was read before. */
static void read_available(int fd)
{
	ssize_t n;
	do {
		n = read(fd, text + text_len, TEXT_MAX - text_len);
		text_len += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	assert_true(n == 0 || errno == EAGAIN);
	assert_true(text_len < TEXT_MAX);
}

/* The content of the records that were read. */
struct sum {
	uint64_t records; /* of the application */
	uint64_t dropped; /* reported by the logger */
	uint64_t torn;	  /* lines that are not records */
	int64_t last[WRITERS];
};

static void add_line(struct sum *sum, struct ob_bytes line)
{
	static const struct obi_log_line_from from = {.name = "x", .stream = 1};
	struct ob_log_record record;
	uint64_t dropped = 0;
	int64_t writer = 0, n = 0;
	obi_arena_reset(&arena);
	assert_true(obi_log_line_parse(&from, line, &arena.ob, &record));
	if ((record.flags & OB_LOG_PARSED) == 0) {
		sum->torn++;
	} else if (ob_get_uint(ob_value_find(&record.attrs, "dropped"), &dropped)) {
		assert_int_equal(record.level, OB_LOG_WARN);
		sum->dropped += dropped;
	} else {
		sum->records++;
		if (ob_get_int(ob_value_find(&record.attrs, "writer"), &writer) &&
		    ob_get_int(ob_value_find(&record.attrs, "n"), &n)) {
			assert_true(n > sum->last[writer]);
			sum->last[writer] = n;
		}
	}
}

/* Take the complete lines that were read. */
static struct sum take_lines(void)
{
	struct sum sum = {0};
	char *at = text, *newline;
	while ((newline = memchr(at, '\n', text_len - (size_t)(at - text))) != NULL) {
		add_line(&sum, ob_bytes_of(at, (size_t)(newline - at)));
		at = newline + 1;
	}
	text_len -= (size_t)(at - text);
	memmove(text, at, text_len);
	return sum;
}

/* ---- A pipe and its logger ---- */

static int fds[2];
static ob_logger *logger;

static int setup(void **state)
{
	(void)state;
	text_len = 0;
	obi_arena_init(&arena, 64 << 20);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(ob_logger_new(fds[1], &logger, NULL), OB_OK);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ob_logger_free(logger);
	logger = NULL;
	close(fds[0]);
	close(fds[1]);
	obi_arena_free(&arena);
	return 0;
}

static const char *all_text(int fd)
{
	read_available(fd);
	text[text_len] = '\0';
	text_len = 0;
	return text;
}

static void a_record_is_as_slog_writes_it(void **state)
{
	const char *line;
	(void)state;
	ob_log(logger, OB_LOG_WARN + 1, "two\nlines", "{s:i,s:{s:s,s:[d,n]}}", "n", -3, "g", "k",
	       "v\"", "l", 1.0);
	line = all_text(fds[0]);
	assert_true(strncmp(line, "{\"time\":\"20", 11) == 0);
	assert_non_null(strstr(line, "Z\",\"level\":\"WARN+1\",\"msg\":\"two\\nlines\",\"n\":-3,"
				     "\"g\":{\"k\":\"v\\\"\",\"l\":[1.0,null]}}\n"));
	ob_log(logger, OB_LOG_INFO, NULL, NULL);
	assert_non_null(strstr(all_text(fds[0]), "\"level\":\"INFO\",\"msg\":\"\"}\n"));
}

static void levels_below_are_not_written(void **state)
{
	(void)state;
	ob_log(logger, OB_LOG_DEBUG, "no", NULL);
	ob_logger_set_level(logger, OB_LOG_ERROR);
	ob_log(logger, OB_LOG_ERROR - 1, "no", NULL);
	ob_logger_set_level(logger, OB_LOG_DEBUG);
	ob_log(logger, OB_LOG_DEBUG, "yes", NULL);
	read_available(fds[0]);
	assert_int_equal(take_lines().records, 1);
}

static void bad_attributes_do_not_cost_the_record(void **state)
{
	static const char *const bad[] = {"i", "{s:i", "?", "[i]", "}"};
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		ob_log(logger, OB_LOG_INFO, "kept", bad[i], "a", 1);
		assert_non_null(
		    strstr(all_text(fds[0]), "\"msg\":\"kept\",\"!ERROR\":\"bad attributes\"}\n"));
	}
	ob_log(logger, OB_LOG_INFO, "bytes \xff", "{s:s}", "k\xfe", "v\xfd");
	assert_non_null(
	    strstr(all_text(fds[0]),
		   "\"msg\":\"bytes \xef\xbf\xbd\",\"k\xef\xbf\xbd\":\"v\xef\xbf\xbd\"}\n"));
}

static void the_given_descriptor_is_left_as_it_is(void **state)
{
	(void)state;
	ob_log(logger, OB_LOG_INFO, "x", NULL);
	assert_int_equal(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
}

static void a_logger_may_be_null_but_its_descriptor_must_be_open(void **state)
{
	ob_logger *none = NULL;
	struct ob_error err = {0};
	(void)state;
	ob_log(NULL, OB_LOG_ERROR, "x", NULL);
	ob_logger_free(NULL);
	assert_int_equal(ob_logger_new(-1, &none, &err), OB_EINVAL);
	assert_null(none);
	assert_non_null(strstr(err.text, "descriptor -1"));
}

/* ---- Full pipes ---- */

/* Log until the pipe is full, and some more. Returns the number of records. */
static int64_t overfill(int64_t n)
{
	for (int64_t i = 1; i <= n; i++) {
		ob_log(logger, OB_LOG_INFO, "a record of a usual length, more or less", "{s:i,s:I}",
		       "writer", 0, "n", i);
	}
	return n;
}

static void fault_58_a_full_pipe_drops_and_counts(void **state)
{
	(void)state;
	for (int round = 0; round < 3; round++) {
		int64_t sent = overfill(5000);
		read_available(fds[0]);
		struct sum first = take_lines();
		assert_int_equal(first.torn, 0);
		assert_int_equal(text_len, 0);
		assert_true(first.records < (uint64_t)sent);
		ob_log(logger, OB_LOG_INFO, "room again", NULL);
		read_available(fds[0]);
		struct sum second = take_lines();
		assert_int_equal(second.records, 1);
		assert_int_equal(first.dropped + second.dropped + first.records, sent);
		ob_log(logger, OB_LOG_INFO, "nothing to tell", NULL);
		read_available(fds[0]);
		assert_int_equal(take_lines().dropped, 0);
	}
}

static void fault_58_a_begun_record_is_finished_first(void **state)
{
	size_t len = 300000;
	char *big = malloc(len + 1);
	(void)state;
	assert_non_null(big);
	memset(big, 'b', len);
	big[len] = '\0';
	ob_log(logger, OB_LOG_INFO, big, "{s:i,s:i}", "writer", 0, "n", 1);
	for (int i = 2; i < 50; i++) {
		ob_log(logger, OB_LOG_INFO, "small", "{s:i,s:i}", "writer", 0, "n", i);
		if (i % 10 == 0) {
			read_available(fds[0]);
		}
	}
	read_available(fds[0]);
	struct sum sum = take_lines();
	assert_int_equal(sum.torn, 0);
	assert_int_equal(text_len, 0);
	assert_true(sum.dropped > 0);
	assert_int_equal(sum.records + sum.dropped, 49);
	free(big);
}

static void a_record_over_the_line_limit_is_cut(void **state)
{
	size_t len = 2 << 20;
	char *big = malloc(len + 1);
	(void)state;
	assert_non_null(big);
	memset(big, 'b', len);
	big[len] = '\0';
	assert_true(fcntl(fds[1], F_SETPIPE_SZ, 256 * 1024) > 0);
	ob_log(logger, OB_LOG_INFO, big, NULL);
	assert_memory_equal(all_text(fds[0]), "{\"truncated\":true,\"time\":", 25);
	ob_log(logger, OB_LOG_INFO, "message stays", "{s:s}", "big", big);
	const char *line = all_text(fds[0]);
	assert_memory_equal(line, "{\"truncated\":true,\"time\":", 25);
	assert_non_null(strstr(line, "\"msg\":\"message stays\"}\n"));
	free(big);
}

/* ---- Several writers ---- */

struct writer {
	pthread_t thread;
	int index;
	ob_logger *logger; /* its own, or one shared by all */
};

static atomic_int running;

static void *log_many(void *user)
{
	struct writer *writer = user;
	char message[3000];
	memset(message, 'm', sizeof message - 1);
	message[sizeof message - 1] = '\0';
	for (int i = 1; i <= RECORDS; i++) {
		const char *tail = message + sizeof message - 1 - (size_t)(i * 37 % 2900);
		ob_log(writer->logger, OB_LOG_INFO, tail, "{s:i,s:i}", "writer", writer->index, "n",
		       i);
	}
	atomic_fetch_sub(&running, 1);
	return NULL;
}

/* Read while they write; then let each report what it dropped. */
static struct sum run_writers(struct writer *writers)
{
	atomic_store(&running, WRITERS);
	for (int i = 0; i < WRITERS; i++) {
		writers[i].index = i;
		assert_int_equal(pthread_create(&writers[i].thread, NULL, log_many, &writers[i]),
				 0);
	}
	while (atomic_load(&running) > 0) {
		struct pollfd ready = {.fd = fds[0], .events = POLLIN};
		poll(&ready, 1, 10);
		if (text_len < TEXT_MAX / 2) {
			read_available(fds[0]);
		}
	}
	for (int i = 0; i < WRITERS; i++) {
		pthread_join(writers[i].thread, NULL);
		read_available(fds[0]);
		ob_log(writers[i].logger, OB_LOG_INFO, "end", NULL);
	}
	read_available(fds[0]);
	return take_lines();
}

static void fault_59_several_writers_never_mix_their_records(void **state)
{
	struct writer writers[WRITERS];
	(void)state;
	for (int i = 0; i < WRITERS; i++) {
		assert_int_equal(ob_logger_new(fds[1], &writers[i].logger, NULL), OB_OK);
	}
	struct sum sum = run_writers(writers);
	assert_int_equal(sum.torn, 0);
	assert_int_equal(text_len, 0);
	assert_int_equal(sum.records + sum.dropped, WRITERS * (RECORDS + 1));
	for (int i = 0; i < WRITERS; i++) {
		ob_logger_free(writers[i].logger);
	}
}

static void one_logger_serves_many_threads(void **state)
{
	struct writer writers[WRITERS];
	(void)state;
	for (int i = 0; i < WRITERS; i++) {
		writers[i].logger = logger;
	}
	struct sum sum = run_writers(writers);
	assert_int_equal(sum.torn, 0);
	assert_int_equal(sum.records + sum.dropped, WRITERS * (RECORDS + 1));
}

/* ---- Other descriptors ---- */

static void other_logger(int fd)
{
	ob_logger_free(logger);
	assert_int_equal(ob_logger_new(fd, &logger, NULL), OB_OK);
}

/* Without a free descriptor the pipe cannot be opened again. */
static void fault_58_a_pipe_that_cannot_be_reopened_blocks_nobody_either(void **state)
{
	struct rlimit was, none;
	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = was;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	other_logger(fds[1]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	int64_t sent = overfill(5000);
	read_available(fds[0]);
	/* A record that is longer than the whole pipe must not block either. */
	static char big[200000];
	memset(big, 'b', sizeof big - 1);
	ob_log(logger, OB_LOG_INFO, big, NULL);
	for (int i = 0; i < 5; i++) {
		read_available(fds[0]);
		ob_log(logger, OB_LOG_INFO, "room again", NULL);
	}
	read_available(fds[0]);
	struct sum sum = take_lines();
	assert_int_equal(sum.torn, 0);
	assert_true(sum.dropped > 0);
	assert_int_equal(sum.records + sum.dropped, sent + 6);
	assert_int_equal(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
}

static void a_full_socket_drops_and_counts(void **state)
{
	int pair[2];
	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	other_logger(pair[1]);
	int64_t sent = overfill(20000);
	assert_int_equal(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
	read_available(pair[0]);
	ob_log(logger, OB_LOG_INFO, "room again", NULL);
	read_available(pair[0]);
	struct sum sum = take_lines();
	assert_int_equal(sum.torn, 0);
	assert_true(sum.dropped > 0);
	assert_int_equal(sum.records + sum.dropped, sent + 1);
	assert_int_equal(fcntl(pair[1], F_GETFL) & O_NONBLOCK, 0);
	close(pair[0]);
	ob_log(logger, OB_LOG_INFO, "to nobody", NULL);
	close(pair[1]);
}

static void a_file_gets_every_record(void **state)
{
	FILE *file = tmpfile();
	(void)state;
	assert_non_null(file);
	other_logger(fileno(file));
	overfill(3000);
	rewind(file);
	text_len = fread(text, 1, sizeof text, file);
	struct sum sum = take_lines();
	assert_int_equal(sum.records, 3000);
	assert_int_equal(sum.dropped + sum.torn, 0);
	fclose(file);
}

static void a_full_disk_costs_records_and_nothing_else(void **state)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	(void)state;
	assert_true(fd >= 0);
	other_logger(fd);
	overfill(10);
	/* The same descriptor becomes a pipe. */
	assert_int_equal(dup2(fds[1], fd), fd);
	ob_log(logger, OB_LOG_INFO, "room again", NULL);
	read_available(fds[0]);
	struct sum sum = take_lines();
	assert_int_equal(sum.dropped, 10);
	assert_int_equal(sum.records, 1);
	close(fd);
}

static void a_pipe_without_reader_does_not_kill(void **state)
{
	sigset_t pending;
	(void)state;
	signal(SIGPIPE, SIG_DFL);
	other_logger(fds[1]);
	close(fds[0]);
	overfill(10);
	sigpending(&pending);
	assert_false(sigismember(&pending, SIGPIPE));
	/* A new reader: /proc finds the pipe by the remaining end. */
	char path[32];
	snprintf(path, sizeof path, "/proc/self/fd/%d", fds[1]);
	fds[0] = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fds[0] >= 0);
	ob_log(logger, OB_LOG_INFO, "somebody is there", NULL);
	read_available(fds[0]);
	struct sum sum = take_lines();
	assert_int_equal(sum.dropped, 10);
	assert_int_equal(sum.records, 1);
}

/* A child's stdout: a FIFO that the child holds open in both directions, without a parent. */
static void fault_57_a_fifo_without_parent_takes_records(void **state)
{
	char dir[] = "/tmp/ob-logger-XXXXXX", path[64];
	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/stdout.fifo", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	int child = open(path, O_RDWR | O_CLOEXEC);
	assert_true(child >= 0);
	other_logger(child);
	ob_log(logger, OB_LOG_INFO, "waits for a parent", NULL);
	int parent = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	read_available(parent);
	assert_int_equal(take_lines().records, 1);
	close(parent);
	close(child);
	unlink(path);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_record_is_as_slog_writes_it, setup, teardown),
	    cmocka_unit_test_setup_teardown(levels_below_are_not_written, setup, teardown),
	    cmocka_unit_test_setup_teardown(bad_attributes_do_not_cost_the_record, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_given_descriptor_is_left_as_it_is, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_logger_may_be_null_but_its_descriptor_must_be_open,
					    setup, teardown),
	    cmocka_unit_test_setup_teardown(fault_57_a_fifo_without_parent_takes_records, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(fault_58_a_full_pipe_drops_and_counts, setup, teardown),
	    cmocka_unit_test_setup_teardown(fault_58_a_begun_record_is_finished_first, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(
		fault_58_a_pipe_that_cannot_be_reopened_blocks_nobody_either, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_record_over_the_line_limit_is_cut, setup, teardown),
	    cmocka_unit_test_setup_teardown(fault_59_several_writers_never_mix_their_records, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(one_logger_serves_many_threads, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_full_socket_drops_and_counts, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_file_gets_every_record, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_full_disk_costs_records_and_nothing_else, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(a_pipe_without_reader_does_not_kill, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
