/* SPDX-License-Identifier: MIT */
#include "support/spawn_floor.h"

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/bench.h"

extern char **environ;

struct spawn_floor {
	size_t count;
	const char *program, *argument;
	int epoll;
	struct {
		pid_t pid;
		int pidfd;
	} children[];
};

struct spawn_floor *spawn_floor_new(size_t count, const char *program, const char *argument)
{
	struct spawn_floor *f = calloc(1, sizeof *f + count * sizeof f->children[0]);
	if (f == NULL || (f->epoll = epoll_create1(EPOLL_CLOEXEC)) < 0) {
		bench_die("floor", "it cannot be made");
	}
	f->count = count;
	f->program = program;
	f->argument = argument;
	return f;
}

static void start(struct spawn_floor *f, size_t i)
{
	char *argv[] = {(char *)(uintptr_t)f->program, (char *)(uintptr_t)f->argument, NULL};
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = i};
	if (posix_spawn(&f->children[i].pid, f->program, NULL, NULL, argv, environ) != 0) {
		bench_die("floor", "a child cannot be started");
	}
	f->children[i].pidfd = (int)syscall(SYS_pidfd_open, f->children[i].pid, 0);
	if (epoll_ctl(f->epoll, EPOLL_CTL_ADD, f->children[i].pidfd, &event) < 0) {
		bench_die("floor", "a child cannot be watched");
	}
}

static void reap(struct spawn_floor *f, size_t i)
{
	siginfo_t info;
	(void)waitid(P_PIDFD, (id_t)f->children[i].pidfd, &info, WEXITED);
	close(f->children[i].pidfd);
}

double spawn_floor_start(struct spawn_floor *f)
{
	int64_t begin = bench_now_ns();
	for (size_t i = 0; i < f->count; i++) {
		start(f, i);
	}
	return (double)(bench_now_ns() - begin);
}

double spawn_floor_restart(struct spawn_floor *f, size_t i, int main_fd)
{
	struct epoll_event event;
	struct pollfd said = {.fd = main_fd, .events = POLLIN};
	int64_t begin = bench_now_ns(), main_ns = 0;
	kill(f->children[i].pid, SIGKILL);
	while (epoll_wait(f->epoll, &event, 1, -1) != 1) { /* a signal: it is stopped, or traced */
	}
	reap(f, event.data.u64);
	start(f, event.data.u64);
	while (main_ns <= begin) { /* that of an earlier start may be late */
		if (poll(&said, 1, -1) < 1 || read(main_fd, &main_ns, sizeof main_ns) < 0) {
			bench_die("floor", "a child does not say that it runs");
		}
	}
	return (double)(main_ns - begin);
}

void spawn_floor_free(struct spawn_floor *f)
{
	for (size_t i = 0; i < f->count; i++) {
		kill(f->children[i].pid, SIGKILL);
	}
	for (size_t i = 0; i < f->count; i++) {
		reap(f, i);
	}
	close(f->epoll);
	free(f);
}
