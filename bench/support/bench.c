/* SPDX-License-Identifier: MIT */
#include "support/bench.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

const char *const bench_wire_names[BENCH_WIRES] = {"unix", "tcp"};

int64_t bench_now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

void bench_pin(int processor)
{
	cpu_set_t one;
	CPU_ZERO(&one);
	CPU_SET((size_t)processor, &one);
	if (sched_setaffinity(0, sizeof one, &one) != 0) {
		perror("sched_setaffinity");
	}
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

double bench_quantile(double *figures, size_t n, double q)
{
	qsort(figures, n, sizeof *figures, compare);
	return n > 0 ? figures[(size_t)((double)(n - 1) * q)] : 0;
}

struct bench_round bench_round_of(int64_t begin_ns, uint64_t count, double *samples, uint64_t taken)
{
	struct bench_round round = {0};
	round.per_second = (double)count * 1e9 / (double)(bench_now_ns() - begin_ns);
	if (taken > 0) {
		round.p50_ns = bench_quantile(samples, taken, 0.5);
		round.p99_ns = bench_quantile(samples, taken, 0.99);
	}
	return round;
}

void bench_die(const char *what, const char *why)
{
	fprintf(stderr, "bench: %s: %s\n", what, why);
	exit(1);
}

/* ---- The other process ---- */

static void check(bool good, const char *what)
{
	if (!good) {
		perror(what);
		exit(1);
	}
}

void bench_write_all(int fd, const void *data, size_t n)
{
	for (const char *rest = data; n > 0;) {
		ssize_t w = write(fd, rest, n);
		check(w > 0, "write");
		rest += w;
		n -= (size_t)w;
	}
}

/* Both ends of a connection over loopback, set up for low latency. */
static void tcp_pair(int pair[2])
{
	const int one = 1;
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr *any = (struct sockaddr *)&address;
	socklen_t len = sizeof address;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	check(listener >= 0 && bind(listener, any, len) == 0 && listen(listener, 1) == 0, "listen");
	check(getsockname(listener, any, &len) == 0, "getsockname");
	pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	check(pair[0] >= 0 && connect(pair[0], any, len) == 0, "connect");
	pair[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	check(pair[1] >= 0, "accept");
	for (int i = 0; i < 2; i++) {
		check(setsockopt(pair[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0,
		      "TCP_NODELAY");
	}
	close(listener);
}

static void make_pair(enum bench_wire wire, int pair[2])
{
	if (wire == BENCH_TCP) {
		tcp_pair(pair);
	} else {
		check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0, "socketpair");
	}
}

/* A descriptor above those that the peer gets, so that none is overwritten before it is given. */
static int lift(int fd, int count)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, 3 + count);
	check(high >= 0, "fcntl");
	close(fd);
	return high;
}

void bench_start_peer(enum bench_wire wire, const char *role, int count, int *ret_fds,
		      pid_t *ret_pid)
{
	int theirs[BENCH_CONNECTIONS];
	char *argv[] = {"bench", (char *)(uintptr_t)role, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	for (int i = 0; i < count; i++) {
		int pair[2];
		make_pair(wire, pair);
		ret_fds[i] = pair[0];
		theirs[i] = lift(pair[1], count);
		posix_spawn_file_actions_adddup2(&actions, theirs[i], 3 + i);
	}
	int r = posix_spawn(ret_pid, "/proc/self/exe", &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (r != 0) {
		bench_die("starting a peer", "it cannot be spawned");
	}
	for (int i = 0; i < count; i++) {
		close(theirs[i]);
	}
}

void bench_end_peer(int fd, pid_t pid)
{
	close(fd);
	(void)waitpid(pid, NULL, 0);
}
