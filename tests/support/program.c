/* SPDX-License-Identifier: MIT */
#include "support/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/family.h"

enum { ENTRIES = 512 };

/* ---- Start ---- */

/* A variable in extra precedes ours of the same name: the first one counts. */
static void join_environment(const char *const *extra, char **to)
{
	size_t n = 0;
	for (size_t i = 0; extra != NULL && extra[i] != NULL && n < ENTRIES - 1; i++) {
		to[n++] = (char *)(uintptr_t)extra[i];
	}
	for (size_t i = 0; environ[i] != NULL && n < ENTRIES - 1; i++) {
		to[n++] = environ[i];
	}
	to[n] = NULL;
}

void program_begin(struct program *p, const char *const *argv, const char *const *env)
{
	char *joined[ENTRIES];
	int in[2], out[2];
	posix_spawn_file_actions_t files;
	*p = (struct program){.in = -1, .out = -1};
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	join_environment(env, joined);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, in[0], STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&files, out[1], STDOUT_FILENO);
	int r =
	    posix_spawnp(&p->pid, argv[0], &files, NULL, (char *const *)(uintptr_t)argv, joined);
	posix_spawn_file_actions_destroy(&files);
	assert_int_equal(r, 0);
	close(in[0]);
	close(out[1]);
	p->in = in[1];
	p->out = out[0];
}

/* ---- Lines ---- */

bool program_wait_fd(int fd, int ms)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	int r;
	do {
		r = poll(&wait, 1, ms);
	} while (r < 0 && errno == EINTR);
	return r > 0;
}

void program_say(struct program *p, const char *line)
{
	char text[PROGRAM_LINE];
	int n = snprintf(text, sizeof text, "%s\n", line);
	/* The program may have been killed meanwhile: the next line reports its end. */
	if (write(p->in, text, (size_t)n) != n) {
		assert_int_equal(errno, EPIPE);
	}
}

static bool read_more(struct program *p)
{
	if (!program_wait_fd(p->out, PROGRAM_WAIT_MS)) {
		fail_msg("the program is silent; it began to say \"%.*s\"", (int)p->len, p->buf);
	}
	ssize_t n = read(p->out, p->buf + p->len, sizeof p->buf - p->len);
	p->len += n > 0 ? (size_t)n : 0;
	return n > 0;
}

const char *program_line(struct program *p)
{
	static char line[PROGRAM_LINE];
	char *end = memchr(p->buf, '\n', p->len);
	while (end == NULL) {
		if (!read_more(p)) {
			return NULL;
		}
		end = memchr(p->buf, '\n', p->len);
	}
	size_t len = (size_t)(end - p->buf);
	assert_true(len < sizeof line);
	memcpy(line, p->buf, len);
	line[len] = '\0';
	p->len -= len + 1;
	memmove(p->buf, end + 1, p->len);
	return line;
}

const char *program_await(struct program *p, const char *beginning)
{
	const char *line = program_line(p);
	while (line != NULL && strncmp(line, beginning, strlen(beginning)) != 0) {
		line = program_line(p);
	}
	return line;
}

static bool is_answer(const char *line)
{
	return strncmp(line, "ok ", 3) == 0 || strncmp(line, "error ", 6) == 0 ||
	       strncmp(line, "reply ", 6) == 0;
}

const char *program_ask(struct program *p, const char *line)
{
	program_say(p, line);
	const char *told = program_line(p);
	while (told != NULL && !is_answer(told)) {
		told = program_line(p);
	}
	return told;
}

/* ---- End ---- */

void program_kill(struct program *p, int number)
{
	assert_int_equal(kill(p->pid, number), 0);
}

int program_end(struct program *p)
{
	int status = 0;
	close(p->in);
	while (p->len = 0, read_more(p)) {
	}
	close(p->out);
	family_await_death(p->pid);
	assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
	p->pid = 0;
	return status;
}

/* ---- Processes ---- */

static bool is_run_of(const char *pid, const char *program, const char *argument)
{
	char path[64], text[4096];
	snprintf(path, sizeof path, "/proc/%.20s/cmdline", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
	bool found = false;
	if (fd >= 0) {
		close(fd);
	}
	text[n > 0 ? n : 0] = '\0';
	for (const char *at = text; at < text + n; at += strlen(at) + 1) {
		found = found || strcmp(at, argument) == 0;
	}
	return found && strcmp(text, program) == 0;
}

int program_count(const char *program, const char *argument, pid_t *ret_pid)
{
	DIR *proc = opendir("/proc");
	int count = 0;
	assert_non_null(proc);
	for (const struct dirent *entry; (entry = readdir(proc)) != NULL;) {
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
		    is_run_of(entry->d_name, program, argument)) {
			count++;
			if (ret_pid != NULL) {
				*ret_pid = atoi(entry->d_name);
			}
		}
	}
	closedir(proc);
	return count;
}

void program_adopt_orphans(void)
{
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
}

int program_adopt_setup(void **state)
{
	(void)state;
	program_adopt_orphans();
	return 0;
}

/* Our first child in the kernel's list; 0: none. */
static pid_t first_child(void)
{
	char path[64];
	int pid = 0;
	snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	int n = fscanf(file, "%d", &pid);
	fclose(file);
	return n == 1 ? pid : 0;
}

void program_reap_orphans(void)
{
	for (pid_t pid = first_child(); pid != 0; pid = first_child()) {
		family_await_death(pid);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
}

/* ---- Other programs, and time ---- */

bool program_can_trace(void)
{
	char *argv[] = {"strace", "-o", "/dev/null", "-e", "inject=getppid:error=EPERM",
			"true",	  NULL};
	posix_spawn_file_actions_t files;
	pid_t pid;
	int status = -1;
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	bool ran = posix_spawnp(&pid, "strace", &files, NULL, argv, environ) == 0 &&
		   waitpid(pid, &status, 0) == pid;
	posix_spawn_file_actions_destroy(&files);
	return ran && status == 0;
}

void program_let_pass(int ms)
{
	struct itimerspec when = {.it_value = {ms / 1000, (long)(ms % 1000) * 1000000}};
	int clock = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	timerfd_settime(clock, 0, &when, NULL);
	assert_true(program_wait_fd(clock, PROGRAM_WAIT_MS));
	close(clock);
}
