/* SPDX-License-Identifier: MIT */
/*
 * logs - what the logs of a child cost: lines of 100 bytes from another process through a pipe of
 * 256 KiB into a sink, each with time, level and name, beside a C loop that does the same and no
 * more (support/log_floor.h).
 *
 *   bench-logs [--rounds N] [--lines N] [--row blocks|lines] [--sink PATH] [--own] [--split]
 * [--json]
 *
 * --own leaves out the C loop, for a profile. Rows: the child writes 64 KiB at a time, or one line
 * at a time. Rounds of both alternate. CPU is that of the process which reads and writes the logs,
 * all its threads, user and system.
 */
#include <outboard/outboard.h>

#include <fcntl.h>
#include <getopt.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/bench.h"
#include "support/log_floor.h"

extern char **environ;

enum { ROUNDS = 5, ROUNDS_MAX = 99, LINE = 100, BLOCK = 64 * 1024, PIPE = 256 * 1024 };

static const struct row {
	const char *name, *what;
	size_t write; /* bytes of one write of the child */
	uint64_t lines;
} rows[] = {{"blocks", "64 KiB a write", BLOCK, 2000000},
	    {"lines", "a line a write", LINE, 400000}};

enum { ROWS = sizeof rows / sizeof rows[0], WAYS = 2 };

static const char *const ways[WAYS] = {"C loop", "outboard"};

struct options {
	size_t rounds;
	uint64_t lines; /* 0: those of the row */
	const char *row, *sink;
	size_t first; /* way: 1 leaves out the C loop, for a profile */
	bool split, json;
};

struct figures {
	double per_second[ROUNDS_MAX]; /* lines */
	double cpu_ns[ROUNDS_MAX];     /* of a line */
};

/* ---- The child: writes so many lines to descriptor 3 ---- */

static void fill(char *block, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		block[i] = i % LINE == LINE - 1 ? '\n' : (char)('a' + i % 26);
	}
}

static int write_lines(uint64_t lines, size_t size)
{
	static char block[BLOCK + LINE];
	size_t in_phase = 0;
	fill(block, sizeof block);
	for (uint64_t left = lines * LINE; left > 0;) {
		size_t n = left < size ? (size_t)left : size;
		bench_write_all(3, block + in_phase, n);
		in_phase = (in_phase + n) % LINE;
		left -= n;
	}
	return 0;
}

static pid_t start_child(uint64_t lines, size_t size, int fds[2], bool split)
{
	char count[24], bytes[24];
	char *argv[] = {"bench-logs", "--write", count, bytes, NULL};
	posix_spawn_file_actions_t actions;
	pid_t pid;
	snprintf(count, sizeof count, "%llu", (unsigned long long)lines);
	snprintf(bytes, sizeof bytes, "%zu", size);
	if (pipe2(fds, O_CLOEXEC) < 0 || fcntl(fds[0], F_SETPIPE_SZ, PIPE) < 0) {
		bench_die("the pipe", "it cannot be made");
	}
	bench_pin(split ? 1 : 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fds[1], 3);
	if (posix_spawn(&pid, "/proc/self/exe", &actions, NULL, argv, environ) != 0) {
		bench_die("the child", "it cannot be started");
	}
	posix_spawn_file_actions_destroy(&actions);
	bench_pin(0);
	close(fds[1]);
	return pid;
}

/* ---- outboard: a reader on the pipe, and a writer on the sink ---- */

struct own {
	ob_runtime *runtime;
	ob_log_writer *writer;
	uint64_t left; /* records to come */
};

static void on_log(void *user, const struct ob_log_record *record)
{
	struct own *own = user;
	ob_log_writer_record(own->writer, record);
	if (--own->left == 0) {
		ob_runtime_stop(own->runtime);
	}
}

static void check(int r, const struct ob_error *err)
{
	if (r < 0) {
		bench_die("outboard", err != NULL ? err->text : "its loop");
	}
}

static void run_own(int fd, int sink, uint64_t lines)
{
	struct own own = {.left = lines};
	struct ob_error err;
	struct ob_log_writer_options to = {
	    .size = sizeof to, .format = OB_LOG_FORMAT_TEXT, .color = -1};
	struct ob_log_reader_options from = {.size = sizeof from,
					     .fd = fd,
					     .name = FLOOR_NAME,
					     .stream = 1,
					     .on_log = on_log,
					     .user_data = &own};
	ob_log_reader *reader = NULL;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	check(ob_runtime_new(NULL, &own.runtime, &err), &err);
	check(ob_log_writer_new(sink, &to, &own.writer, &err), &err);
	check(ob_log_reader_new(own.runtime, &from, &reader, &err), &err);
	check(ob_runtime_run(own.runtime, -1), NULL);
	ob_log_reader_close(reader);
	ob_log_writer_close(own.writer, -1);
	ob_runtime_free(own.runtime);
}

/* ---- Rounds ---- */

static double cpu_ns(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e9 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e3;
}

static int open_sink(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0) {
		bench_die("the sink", path);
	}
	return fd;
}

static void run_round(const struct row *row, const struct options *o, size_t way, size_t round,
		      struct figures *figures)
{
	int fds[2], sink = open_sink(o->sink);
	uint64_t lines = o->lines > 0 ? o->lines : row->lines;
	pid_t pid = start_child(lines, row->write, fds, o->split);
	double cpu = cpu_ns();
	int64_t begin = bench_now_ns();
	if (way == 0) {
		log_floor_run(fds[0], sink);
	} else {
		run_own(fds[0], sink, lines);
	}
	figures->per_second[round] = (double)lines * 1e9 / (double)(bench_now_ns() - begin);
	figures->cpu_ns[round] = (cpu_ns() - cpu) / (double)lines;
	close(fds[0]);
	close(sink);
	(void)waitpid(pid, NULL, 0);
}

/* The names need no escapes in JSON. */
static void show(const struct row *row, const struct options *o, struct figures *figures,
		 bool first)
{
	double rate[WAYS], cpu[WAYS];
	for (size_t way = 0; way < WAYS; way++) {
		rate[way] = bench_quantile(figures[way].per_second, o->rounds, 0.5);
		cpu[way] = bench_quantile(figures[way].cpu_ns, o->rounds, 0.5);
	}
	for (size_t way = 0; way < WAYS; way++) {
		printf(o->json ? "%s{\"row\": \"%s\", \"way\": \"%s\", \"lines_per_second\": %.0f, "
				 "\"cpu_ns\": %.1f, \"x_rate\": %.3f, \"x_cpu\": %.3f}"
			       : "%s%-7s %-9s %10.0f lines/s %8.1f ns of CPU a line   "
				 "%5.2f x rate %5.2f x CPU",
		       o->json && !(first && way == 0) ? ",\n  " : "", row->name, ways[way],
		       rate[way], cpu[way], rate[way] / rate[0], cpu[way] / cpu[0]);
		printf(o->json ? "" : "\n");
	}
}

static void run_row(const struct row *row, const struct options *o, bool first)
{
	static struct figures figures[WAYS];
	for (size_t round = 0; round < o->rounds; round++) {
		for (size_t way = o->first; way < WAYS; way++) {
			run_round(row, o, way, round, &figures[way]);
		}
	}
	show(row, o, figures, first);
	fflush(stdout);
}

/* ---- The program ---- */

static _Noreturn void usage(int status)
{
	fputs("usage: bench-logs [--rounds N] [--lines N] [--row blocks|lines] [--sink PATH] "
	      "[--own] [--split] [--json]\n",
	      status == 0 ? stdout : stderr);
	exit(status);
}

static const struct option known[] = {{"rounds", required_argument, NULL, 'n'},
				      {"lines", required_argument, NULL, 'l'},
				      {"row", required_argument, NULL, 'r'},
				      {"sink", required_argument, NULL, 'o'},
				      {"own", no_argument, NULL, 'w'},
				      {"split", no_argument, NULL, 's'},
				      {"json", no_argument, NULL, 'j'},
				      {"help", no_argument, NULL, 'h'},
				      {NULL, 0, NULL, 0}};

static void read_options(int argc, char **argv, struct options *o)
{
	for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
		switch (c) {
		case 'n':
			o->rounds = strtoul(optarg, NULL, 10);
			break;
		case 'l':
			o->lines = strtoull(optarg, NULL, 10);
			break;
		case 'r':
			o->row = optarg;
			break;
		case 'o':
			o->sink = optarg;
			break;
		case 'w':
			o->first = 1;
			break;
		case 's':
			o->split = true;
			break;
		case 'j':
			o->json = true;
			break;
		default:
			usage(c == 'h' ? 0 : 2);
		}
	}
	if (optind < argc || o->rounds < 1 || o->rounds > ROUNDS_MAX) {
		usage(2);
	}
}

int main(int argc, char **argv)
{
	struct options o = {.rounds = ROUNDS, .sink = "/dev/null"};
	bool first = true;
	if (argc == 4 && strcmp(argv[1], "--write") == 0) {
		return write_lines(strtoull(argv[2], NULL, 10), strtoul(argv[3], NULL, 10));
	}
	read_options(argc, argv, &o);
	printf(o.json ? "{\"bench\": \"logs\", \"rounds\": %zu, \"rows\": [\n  "
		      : "logs: lines of 100 bytes as text, medians of %zu rounds\n",
	       o.rounds);
	for (size_t i = 0; i < ROWS; i++) {
		if (o.row == NULL || strcmp(o.row, rows[i].name) == 0) {
			run_row(&rows[i], &o, first);
			first = false;
		}
	}
	printf(o.json ? "]}\n" : "");
	return first ? 2 : 0;
}
