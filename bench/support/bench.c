/* SPDX-License-Identifier: MIT */
#include "support/bench.h"

#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

int64_t bench_now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

void bench_pin(void)
{
	cpu_set_t one;
	CPU_ZERO(&one);
	CPU_SET(0, &one);
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

int bench_start_peer(const char *role, pid_t *ret_pid)
{
	int pair[2];
	char *argv[] = {"bench", (char *)(uintptr_t)role, NULL};
	posix_spawn_file_actions_t actions;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
		perror("socketpair");
		exit(1);
	}
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, pair[1], 3);
	int r = pair[1] == 3 ? fcntl(3, F_SETFD, 0) : 0;
	if (r == 0) {
		r = posix_spawn(ret_pid, "/proc/self/exe", &actions, NULL, argv, environ);
	}
	posix_spawn_file_actions_destroy(&actions);
	if (r != 0) {
		fprintf(stderr, "cannot start a peer\n");
		exit(1);
	}
	close(pair[1]);
	return pair[0];
}

void bench_end_peer(int fd, pid_t pid)
{
	close(fd);
	(void)waitpid(pid, NULL, 0);
}
