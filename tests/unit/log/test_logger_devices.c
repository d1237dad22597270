/* SPDX-License-Identifier: MIT */
/* Descriptors that may block for ever: row 98. A logger that waits runs into the alarm. */
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
#include <spawn.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "log/line.h"

enum { TEXT_MAX = 8 << 20, PATIENCE_S = 60, MANY = 20000 };

static char text[TEXT_MAX];
static size_t text_len;
static struct obi_arena arena;
static ob_logger *logger;
static int master, slave;

static int setup(void **state)
{
	struct termios raw;
	(void)state;
	alarm(PATIENCE_S);
	text_len = 0;
	obi_arena_init(&arena, 1 << 20);
	master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(master >= 0);
	assert_int_equal(grantpt(master) + unlockpt(master), 0);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(slave >= 0);
	assert_int_equal(tcgetattr(slave, &raw), 0);
	raw.c_lflag &= ~(tcflag_t)(ECHO | ICANON | ISIG);
	raw.c_iflag &= ~(tcflag_t)(IXON | ICRNL);
	assert_int_equal(tcsetattr(slave, TCSANOW, &raw), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ob_logger_free(logger);
	logger = NULL;
	close(slave);
	close(master);
	obi_arena_free(&arena);
	alarm(0);
	return 0;
}

static void open_logger(int fd)
{
	assert_null(logger);
	assert_int_equal(ob_logger_new(fd, &logger, NULL), OB_OK);
}

static void log_many(int from, int to)
{
	for (int i = from; i < to; i++) {
		ob_log(logger, OB_LOG_INFO, "a record of a usual length, more or less", "{s:i}",
		       "n", i);
	}
}

struct sum {
	uint64_t records;
	uint64_t dropped;
};

/* Every line is a record, and numbers rise. */
static struct sum sum_up(void)
{
	static const struct obi_log_line_from from = {.name = "x", .stream = 1};
	struct sum sum = {0, 0};
	int64_t last = -1, number;
	char *newline, *at = text;
	for (; (newline = memchr(at, '\n', text_len - (size_t)(at - text))) != NULL;
	     at = newline + 1) {
		struct ob_log_record record;
		uint64_t n = 0;
		obi_arena_reset(&arena);
		assert_true(obi_log_line_parse(&from, ob_bytes_of(at, (size_t)(newline - at)),
					       &arena.ob, &record));
		assert_true((record.flags & OB_LOG_PARSED) != 0);
		if (ob_get_uint(ob_value_find(&record.attrs, "dropped"), &n)) {
			sum.dropped += n;
			continue;
		}
		assert_true(ob_get_int(ob_value_find(&record.attrs, "n"), &number));
		assert_true(number > last);
		last = number;
		sum.records++;
	}
	return sum;
}

/* Read what comes until nothing has come for a moment. */
static void read_some(int fd)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	while (poll(&ready, 1, 20) > 0) {
		ssize_t n = read(fd, text + text_len, TEXT_MAX - text_len);
		assert_true(n > 0 || (n < 0 && errno == EAGAIN));
		text_len += n > 0 ? (size_t)n : 0;
	}
}

/* Read until each record that was sent is there. */
static void all_arrive(int fd, uint64_t sent)
{
	while (sum_up().records < sent) {
		read_some(fd);
	}
	assert_int_equal(sum_up().dropped, 0);
}

/* Read until each record that was sent is there or counted; the count comes with one more. */
static void some_are_dropped(int fd, uint64_t sent)
{
	struct sum sum = {0, 0};
	while (sum.records + sum.dropped < sent) {
		log_many((int)sent, (int)sent + 1);
		sent++;
		read_some(fd);
		sum = sum_up();
	}
	assert_int_equal(sum.records + sum.dropped, sent);
	assert_true(sum.records > 0 && sum.dropped > 0);
}

static void fault_98_a_terminal_that_is_not_read_drops_and_counts(void **state)
{
	(void)state;
	open_logger(slave);
	log_many(0, MANY);
	assert_int_equal(fcntl(slave, F_GETFL) & O_NONBLOCK, 0);
	some_are_dropped(master, MANY);
}

/* A slow console: what does not fit into its buffer waits, and nothing is lost. */
static void a_burst_on_a_terminal_is_kept(void **state)
{
	(void)state;
	open_logger(slave);
	log_many(0, 2000);
	all_arrive(master, 2000);
}

static void fault_98_a_stopped_terminal_blocks_nobody(void **state)
{
	(void)state;
	assert_int_equal(tcflow(slave, TCOOFF), 0);
	open_logger(slave);
	log_many(0, 2000);
	assert_int_equal(tcflow(slave, TCOON), 0);
	all_arrive(master, 2000);
}

/* The master's path leads to a new terminal. */
static void fault_98_a_device_that_cannot_be_opened_again_blocks_nobody(void **state)
{
	(void)state;
	open_logger(master);
	log_many(0, MANY);
	some_are_dropped(slave, MANY);
}

/* Nor is the end of the logger held up by what nobody reads. */
static void the_end_does_not_wait_for_long(void **state)
{
	int64_t before;
	(void)state;
	open_logger(master);
	log_many(0, MANY);
	before = obi_now_ms();
	ob_logger_free(logger);
	logger = NULL;
	assert_true(obi_now_ms() - before < 10000);
	/* The thread that was left behind ends with the terminal. */
}

/* What main() does with an argument. */
static int log_and_crash(void)
{
	if (ob_logger_new(STDOUT_FILENO, &logger, NULL) == OB_OK) {
		log_many(0, 20);
	}
	abort();
}

/* A record on a terminal is written before ob_log() returns: the process may die then. */
static void the_last_words_of_a_crash_are_on_the_terminal(void **state)
{
	char self[] = "/proc/self/exe", what[] = "crash", *argv[] = {self, what, NULL};
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int status;
	(void)state;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, slave, STDOUT_FILENO);
	assert_int_equal(posix_spawn(&pid, self, &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	all_arrive(master, 20);
}

static size_t count_threads(void)
{
	size_t n = 0;
	DIR *tasks = opendir("/proc/self/task");
	assert_non_null(tasks);
	for (struct dirent *entry = readdir(tasks); entry != NULL; entry = readdir(tasks)) {
		n += entry->d_name[0] != '.';
	}
	closedir(tasks);
	return n;
}

static void dev_null_costs_no_thread(void **state)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	(void)state;
	size_t before = count_threads();
	open_logger(null);
	log_many(0, 10);
	assert_int_equal(count_threads(), before);
	close(null);
}

/* A pipe of another user: opening it again is refused, as in a container that is not run as root.
 */
static void fault_98_a_pipe_of_another_user_blocks_nobody(void **state)
{
	int fds[2];
	uid_t uid = geteuid();
	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(fchmod(fds[1], 0), 0);
	if (uid == 0) {
		assert_int_equal(seteuid(65534), 0);
	}
	open_logger(fds[1]);
	assert_int_equal(seteuid(uid), 0);
	log_many(0, MANY);
	assert_int_equal(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
	some_are_dropped(fds[0], MANY);
	close(fds[0]);
	close(fds[1]);
}

int main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1) {
		return log_and_crash();
	}
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(fault_98_a_terminal_that_is_not_read_drops_and_counts,
					    setup, teardown),
	    cmocka_unit_test_setup_teardown(a_burst_on_a_terminal_is_kept, setup, teardown),
	    cmocka_unit_test_setup_teardown(fault_98_a_stopped_terminal_blocks_nobody, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(
		fault_98_a_device_that_cannot_be_opened_again_blocks_nobody, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_end_does_not_wait_for_long, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_last_words_of_a_crash_are_on_the_terminal, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(dev_null_costs_no_thread, setup, teardown),
	    cmocka_unit_test_setup_teardown(fault_98_a_pipe_of_another_user_blocks_nobody, setup,
					    teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
