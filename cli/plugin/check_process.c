/* SPDX-License-Identifier: MIT */
#include "cli/plugin/check_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"

/* BYTES_MAX: more than any worker reports. */
enum { LINE_MAX_BYTES = 8192, BYTES_MAX = 1 << 20, FIELD_END = 0x1f };

extern char **environ;

struct watch {
	const struct obi_check_process *process;
	pid_t pid;
	int pidfd;
	int pipe;
	int64_t deadline;
	bool silent;  /* the pipe has no writer any more */
	size_t heard; /* bytes in all */
	size_t len;
	char line[LINE_MAX_BYTES];
};

/* ---- Starting ---- */

static int set_up(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attr, int pipe)
{
	sigset_t all, none;
	sigfillset(&all);
	sigemptyset(&none);
	int rc = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);
	rc = rc != 0 ? rc : posix_spawn_file_actions_adddup2(actions, 2, 1);
	rc = rc != 0 ? rc : posix_spawn_file_actions_adddup2(actions, pipe, OBI_CHECK_PROCESS_FD);
	rc = rc != 0 ? rc : posix_spawnattr_setpgroup(attr, 0);
	rc = rc != 0 ? rc : posix_spawnattr_setsigdefault(attr, &all);
	rc = rc != 0 ? rc : posix_spawnattr_setsigmask(attr, &none);
	short flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
	return rc != 0 ? rc : posix_spawnattr_setflags(attr, flags);
}

static int spawn(const struct obi_check_process *process, int pipe, pid_t *ret)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int rc = posix_spawn_file_actions_init(&actions);
	if (rc != 0) {
		return rc;
	}
	rc = posix_spawnattr_init(&attr);
	if (rc == 0) {
		rc = set_up(&actions, &attr, pipe);
		rc = rc != 0 ? rc
			     : posix_spawn(ret, "/proc/self/exe", &actions, &attr, process->argv,
					   environ);
		posix_spawnattr_destroy(&attr);
	}
	posix_spawn_file_actions_destroy(&actions);
	return rc;
}

/* Above the number that it gets in the worker: dup2() to the same number would leave it
 * close-on-exec. */
static int make_pipe(int ends[2])
{
	int made[2];
	if (pipe2(made, O_CLOEXEC) != 0) {
		return errno;
	}
	ends[0] = made[0];
	ends[1] = fcntl(made[1], F_DUPFD_CLOEXEC, OBI_CHECK_PROCESS_FD + 1);
	int rc = ends[1] >= 0 && fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0 ? 0 : errno;
	close(made[1]);
	if (rc != 0) {
		close(ends[0]);
	}
	return rc;
}

static int start(struct watch *w)
{
	int ends[2] = {-1, -1};
	int rc = make_pipe(ends);
	if (rc != 0) {
		return rc;
	}
	rc = spawn(w->process, ends[1], &w->pid);
	close(ends[1]);
	if (rc != 0) {
		close(ends[0]);
		return rc;
	}
	w->pipe = ends[0];
	w->pidfd = pidfd_open(w->pid, 0); /* not reaped yet, so the pid is still its own */
	return w->pidfd >= 0 ? 0 : errno;
}

/* ---- Watching ---- */

static void take_line(struct watch *w, char *line)
{
	const char *fields[OBI_CHECK_PROCESS_FIELDS];
	int count = 0;
	for (char *at = line; count < OBI_CHECK_PROCESS_FIELDS && at != NULL; count++) {
		char *end = strchr(at, FIELD_END);
		fields[count] = at;
		if (end != NULL) {
			*end++ = '\0';
		}
		at = end;
	}
	for (int i = count; i < OBI_CHECK_PROCESS_FIELDS; i++) {
		fields[i] = "";
	}
	w->process->line(w->process->user, fields, count);
	w->deadline = obi_now_ms() + w->process->patience_ms;
}

/* It sends lines without end. */
static bool is_flood(const struct watch *w)
{
	return w->heard > BYTES_MAX;
}

/* Read what the pipe holds now. */
static void read_some(struct watch *w)
{
	ssize_t n;
	while (!is_flood(w) &&
	       (n = read(w->pipe, w->line + w->len, sizeof w->line - 1 - w->len)) > 0) {
		w->len += (size_t)n;
		w->heard += (size_t)n;
		char *at = w->line, *end;
		while ((end = memchr(at, '\n', w->len)) != NULL) {
			*end = '\0';
			take_line(w, at);
			w->len -= (size_t)(end - at) + 1;
			at = end + 1;
		}
		memmove(w->line, at, w->len);
		w->len = w->len == sizeof w->line - 1 ? 0 : w->len;
	}
}

/* Read until the process ends. False: it is silent for too long, floods, or was to be stopped. The
 * end of the pipe does not count: other processes may hold it. */
static bool follow(struct watch *w)
{
	w->deadline = obi_now_ms() + w->process->patience_ms;
	for (;;) {
		struct pollfd p[2] = {{.fd = w->pidfd, .events = POLLIN},
				      {.fd = w->silent ? -1 : w->pipe, .events = POLLIN}};
		int64_t left = w->deadline - obi_now_ms();
		if (left <= 0 || is_flood(w) || *w->process->stop != 0) {
			return false;
		}
		poll(p, 2, left < 1000 ? (int)left : 1000);
		read_some(w);
		if ((p[0].revents & POLLIN) != 0) {
			return true;
		}
		if ((p[1].revents & POLLHUP) != 0 && (p[1].revents & POLLIN) == 0) {
			w->silent = true; /* it closed the pipe and lives: wait for its end */
		}
	}
}

static void end(struct watch *w, bool in_time, struct obi_check_process_end *ret)
{
	siginfo_t info = {0};
	kill(-w->pid, SIGKILL); /* not reaped yet, so the group is still its own */
	while (waitid(P_PID, (id_t)w->pid, &info, WEXITED) != 0 && errno == EINTR) {
	}
	bool exited = info.si_code == CLD_EXITED;
	ret->fate = is_flood(w) ? OBI_CHECK_PROCESS_FLOODED
		    : !in_time	? OBI_CHECK_PROCESS_HUNG
		    : exited	? OBI_CHECK_PROCESS_EXITED
				: OBI_CHECK_PROCESS_KILLED;
	ret->number = info.si_status;
}

int obi_check_process_run(const struct obi_check_process *process,
			  struct obi_check_process_end *ret, struct ob_error *reterr)
{
	struct watch *w = calloc(1, sizeof *w);
	if (w == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	w->process = process;
	w->pid = w->pidfd = w->pipe = -1;
	int sys = start(w);
	if (w->pid > 0) {
		bool in_time = sys == 0 && follow(w);
		end(w, in_time, ret);
		read_some(w);
	}
	if (w->pipe >= 0) {
		close(w->pipe);
	}
	if (w->pidfd >= 0) {
		close(w->pidfd);
	}
	free(w);
	return sys == 0 ? OB_OK : obi_fail(reterr, OB_EIO, sys, "starting a worker process");
}

/* ---- In the worker ---- */

bool obi_check_process_begin(int parent)
{
	const struct rlimit no_core = {0, 0};
	if (fcntl(OBI_CHECK_PROCESS_FD, F_SETFD, FD_CLOEXEC) != 0) {
		return false;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_CORE, &no_core);
	return getppid() == parent;
}

static void append(struct ob_sink *out, const char *text)
{
	for (; *text != '\0'; text++) {
		ob_sink_byte(out, *text == '\n' || *text == FIELD_END ? ' ' : (uint8_t)*text);
	}
}

void obi_check_process_report(const char *first, ...)
{
	char line[LINE_MAX_BYTES - 2];
	struct ob_sink out = ob_sink_fixed(line, sizeof line - 1);
	va_list args;
	va_start(args, first);
	append(&out, first);
	for (const char *field; (field = va_arg(args, const char *)) != NULL;) {
		ob_sink_byte(&out, FIELD_END);
		append(&out, field);
	}
	va_end(args);
	line[out.len++] = '\n';
	for (size_t sent = 0; sent < out.len;) {
		ssize_t n = write(OBI_CHECK_PROCESS_FD, line + sent, out.len - sent);
		if (n < 0 && errno != EINTR) {
			_exit(1);
		}
		sent += n > 0 ? (size_t)n : 0;
	}
}
