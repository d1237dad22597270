/* SPDX-License-Identifier: MIT */
#include "driven.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static bool spawn(struct driven *d, const char *const *argv, int input, int output)
{
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, input, 0);
	posix_spawn_file_actions_adddup2(&actions, output, 1);
	errno =
	    posix_spawn(&d->pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return errno == 0;
}

bool driven_start(struct driven *d, const char *const *argv)
{
	int input[2], output[2];
	if (pipe2(input, O_CLOEXEC) < 0) {
		return false;
	}
	if (pipe2(output, O_CLOEXEC) < 0) {
		close(input[0]);
		close(input[1]);
		return false;
	}
	*d = (struct driven){.to = input[1], .from = output[0]};
	bool started = spawn(d, argv, input[0], output[1]);
	close(input[0]);
	close(output[1]);
	if (!started) {
		close(input[1]);
		close(output[0]);
	}
	return started;
}

bool driven_tell(const struct driven *d, const char *line)
{
	size_t len = strlen(line);
	return write(d->to, line, len) == (ssize_t)len;
}

/* Take a line out of the buffer. */
static bool take_line(struct driven *d, char *line, size_t size)
{
	char *newline = memchr(d->buffer, '\n', d->used);
	if (newline == NULL) {
		return false;
	}
	size_t len = (size_t)(newline - d->buffer), kept = len < size ? len : size - 1;
	memcpy(line, d->buffer, kept);
	line[kept] = '\0';
	d->used -= len + 1;
	memmove(d->buffer, newline + 1, d->used);
	return true;
}

enum driven_result driven_line(struct driven *d, int timeout_ms, char *line, size_t size)
{
	struct pollfd readable = {.fd = d->from, .events = POLLIN};
	while (!take_line(d, line, size)) {
		if (poll(&readable, 1, timeout_ms) == 0) {
			return DRIVEN_LATE;
		}
		ssize_t n = read(d->from, d->buffer + d->used, sizeof d->buffer - d->used);
		if (n == 0 || (n < 0 && errno != EINTR)) {
			return DRIVEN_END;
		}
		d->used += n > 0 ? (size_t)n : 0;
	}
	return DRIVEN_LINE;
}

int driven_wait(struct driven *d)
{
	int status = 0;
	close(d->to);
	close(d->from);
	while (waitpid(d->pid, &status, 0) < 0 && errno == EINTR) {
	}
	d->pid = 0;
	return status;
}
