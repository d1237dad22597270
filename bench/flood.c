/* SPDX-License-Identifier: MIT */
/*
 * flood - the cost of a connect for a legitimate client while a client without the token floods
 * the child: dial, authenticate, and one call, with and without a flood, alternating in one run.
 *
 *   bench-flood [ROUNDS]
 *
 * Over tcp (loopback) the flooder has the address of the legitimate client; over unix it has the
 * same user, since no other user reaches the socket. These are the hard cases: strangers with a
 * uid or address of their own are turned away by it.
 */
#include "support/own.h"

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { ROUNDS = 5, ROUNDS_MAX = 99, CONNECTS = 100, FLOOD_MAX_NS = 2000000000, FIRST_MS = 20000 };

static const struct row {
	enum bench_wire wire;
	const char *auth;
	const char *mode; /* of the flooder */
	const char *what;
} rows[] = {
    {BENCH_TCP, "noise", "silent", "says nothing"},
    {BENCH_TCP, "noise", "garbage", "sends garbage"},
    {BENCH_TCP, "noise", "noise", "has a wrong token"},
    {BENCH_TCP, "token", "wrong", "has a wrong token"},
    {BENCH_TCP, "token", "begin", "begins, and goes silent"},
    {BENCH_UNIX, "peercred+token", "silent", "says nothing"},
    {BENCH_UNIX, "peercred+token", "wrong", "has a wrong token"},
    {BENCH_UNIX, "peercred+token", "begin", "begins, and goes silent"},
};

struct figures {
	double ns[ROUNDS_MAX * CONNECTS];
	size_t count;
	uint64_t again; /* dials that were turned away */
};

/* ---- The flooder ---- */

struct flooder {
	pid_t pid;
	int in;
	FILE *out;
	int64_t begin;
	double per_second;
};

static void start_flooder(struct flooder *f, const char *mode, const char *place)
{
	char path[4096 + 16];
	char *argv[] = {path, (char *)(uintptr_t)mode, (char *)(uintptr_t)place, NULL};
	int in[2], out[2];
	posix_spawn_file_actions_t files;
	ssize_t n = readlink("/proc/self/exe", path, 4096);
	path[n > 0 ? n : 0] = '\0';
	char *slash = strrchr(path, '/');
	if (slash == NULL || pipe(in) < 0 || pipe(out) < 0) {
		bench_die("the flooder", "it cannot be started");
	}
	strcpy(slash + 1, "bench-flooder");
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, in[0], STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&files, out[1], STDOUT_FILENO);
	posix_spawn_file_actions_addclose(&files, in[1]);
	f->begin = bench_now_ns();
	if (posix_spawn(&f->pid, path, &files, NULL, argv, environ) != 0) {
		bench_die("the flooder", path);
	}
	posix_spawn_file_actions_destroy(&files);
	close(in[0]);
	close(out[1]);
	f->in = in[1];
	f->out = fdopen(out[0], "r");
}

static void await_flood(struct flooder *f)
{
	char line[64];
	struct pollfd wait = {.fd = fileno(f->out), .events = POLLIN};
	if (poll(&wait, 1, FIRST_MS) <= 0 || fgets(line, sizeof line, f->out) == NULL) {
		bench_die("the flooder", "it makes no connections");
	}
}

static void end_flooder(struct flooder *f)
{
	char line[64];
	long made = 0;
	close(f->in);
	while (fgets(line, sizeof line, f->out) != NULL) {
		(void)sscanf(line, "done %ld", &made);
	}
	f->per_second = (double)made * 1e9 / (double)(bench_now_ns() - f->begin);
	fclose(f->out);
	(void)waitpid(f->pid, NULL, 0);
}

/* ---- Rounds ---- */

static void connect_some(struct own *own, struct figures *figures)
{
	int64_t begin = bench_now_ns();
	for (int i = 0; i < CONNECTS && bench_now_ns() - begin < FLOOD_MAX_NS; i++) {
		figures->ns[figures->count++] = own_connect(own, &figures->again);
	}
}

static void print_row(const struct row *row, struct figures *quiet, struct figures *flooded,
		      double per_second)
{
	double q50 = bench_quantile(quiet->ns, quiet->count, 0.5),
	       q99 = bench_quantile(quiet->ns, quiet->count, 0.99);
	double f50 = bench_quantile(flooded->ns, flooded->count, 0.5);
	double f99 = bench_quantile(flooded->ns, flooded->count, 0.99);
	printf("%-4s %-14s %-24s quiet p50 %6.2f p99 %8.2f ms   flooded p50 %8.2f p99 %8.2f ms   "
	       "%4zu connects, %llu "
	       "again, against %.0f a second\n",
	       bench_wire_names[row->wire], row->auth, row->what, q50 / 1e6, q99 / 1e6, f50 / 1e6,
	       f99 / 1e6, flooded->count, (unsigned long long)flooded->again, per_second);
	fflush(stdout);
}

static void run_row(const struct row *row, size_t rounds)
{
	static struct figures quiet, flooded;
	char place[256];
	double per_second = 0;
	struct own *own = own_open(row->wire, "msgpack", row->auth);
	own_place(own, place, sizeof place);
	quiet.count = quiet.again = flooded.count = flooded.again = 0;
	for (size_t i = 0; i < rounds; i++) {
		struct flooder flooder;
		connect_some(own, &quiet);
		start_flooder(&flooder, row->mode, place);
		await_flood(&flooder);
		connect_some(own, &flooded);
		end_flooder(&flooder);
		per_second += flooder.per_second / (double)rounds;
	}
	print_row(row, &quiet, &flooded, per_second);
	own_close(own);
}

int main(int argc, char **argv)
{
	int served = argc > 1 ? own_serve(argv[1]) : -1;
	size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : ROUNDS;
	if (served >= 0) {
		return served;
	}
	if (rounds < 1 || rounds > ROUNDS_MAX || argc > 2) {
		fprintf(stderr, "usage: bench-flood [ROUNDS, 1 to %d]\n", ROUNDS_MAX);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		run_row(&rows[i], rounds);
	}
	return 0;
}
