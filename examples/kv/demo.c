/* SPDX-License-Identifier: MIT */
/*
 * kv-demo - shows and checks the main features with kv-parent and kv-child: a child is started,
 * called, killed and replaced; its parent is killed, and the next parent finds the same child; a
 * stop leaves nothing behind. It drives kv-parent like a user, by its input and output. The exit
 * status is 0 only if every check passed.
 */
#include "driven.h"

#include <outboard/outboard.h>

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WAIT_MS = 20000, ALONE_MS = 500, TICK_MS = 50, MARK = 10 };

static struct demo {
	char dir[PATH_MAX]; /* the child's data directory */
	char bin[PATH_MAX]; /* where the programs are */
	struct driven parent;
	pid_t child;
	int64_t last;	   /* of the child's latest numbered line */
	int64_t delivered; /* numbered lines from the current parent */
} demo;

/* ---- Output and failure ---- */

static double now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* One line of the transcript; ms < 0: without a time. */
static void say(const char *what, double ms, const char *format, ...) OB_PRINTF(3, 4);
static void say(const char *what, double ms, const char *format, ...)
{
	char time[32] = "";
	va_list args;
	if (ms >= 0) {
		snprintf(time, sizeof time, "%.2f ms", ms);
	}
	printf("  %-8s %11s   ", what, time);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

/* Remove a directory. ret_left, which may be NULL, gets the names of the files in it. */
static void empty_dir(const char *dir, char *ret_left, size_t size)
{
	struct dirent **entries;
	int n = scandir(dir, &entries, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		char path[PATH_MAX + 300];
		if (ret_left != NULL && entries[i]->d_name[0] != '.') {
			strncat(ret_left, " ", size - strlen(ret_left) - 1);
			strncat(ret_left, entries[i]->d_name, size - strlen(ret_left) - 1);
		}
		snprintf(path, sizeof path, "%s/%s", dir, entries[i]->d_name);
		(void)unlink(path);
		free(entries[i]);
	}
	if (n >= 0) {
		free(entries);
	}
	(void)rmdir(dir);
}

/* The child's directory, and the parent's beside it. */
static void remove_dirs(char *ret_left, char *ret_state_left, size_t size)
{
	char state[PATH_MAX + 16];
	snprintf(state, sizeof state, "%s.state", demo.dir);
	empty_dir(demo.dir, ret_left, size);
	empty_dir(state, ret_state_left, size);
}

/* End all processes and the demo. */
static void fail(const char *format, ...) OB_PRINTF(1, 2) __attribute__((noreturn));
static void fail(const char *format, ...)
{
	va_list args;
	fflush(stdout);
	fprintf(stderr, "  FAILED: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	if (demo.parent.pid > 0) {
		kill(demo.parent.pid, SIGKILL);
	}
	if (demo.child > 0) {
		kill(-demo.child, SIGKILL);
	}
	remove_dirs(NULL, NULL, 0);
	exit(1);
}

static void check(bool held, const char *what)
{
	if (!held) {
		fail("%s", what);
	}
}

/* ---- Driving kv-parent ---- */

static void start_parent(void)
{
	char parent[PATH_MAX + 16], child[PATH_MAX + 16], tick[16];
	snprintf(parent, sizeof parent, "%s/kv-parent", demo.bin);
	snprintf(child, sizeof child, "%s/kv-child", demo.bin);
	snprintf(tick, sizeof tick, "%d", TICK_MS);
	const char *argv[] = {parent, demo.dir, child, "--tick", tick, NULL};
	if (!driven_start(&demo.parent, argv)) {
		fail("%s: %s", parent, strerror(errno));
	}
	demo.delivered = 0;
}

/* Every line passes here. The numbered ones must follow each other without a gap. */
static void note(const char *line)
{
	int64_t n;
	if (sscanf(line, "log tick n=%" SCNd64, &n) != 1) {
		return;
	}
	if (n != demo.last + 1) {
		fail("after the child's line %" PRId64 " came line %" PRId64, demo.last, n);
	}
	demo.last = n;
	demo.delivered++;
}

/* Wait for a line that begins with prefix; returns the rest of it. */
static const char *wait_for(const char *prefix)
{
	static char line[1024];
	double end = now_ms() + WAIT_MS;
	enum driven_result result = DRIVEN_LINE;
	while (result == DRIVEN_LINE) {
		double left = end - now_ms();
		result = left > 0 ? driven_line(&demo.parent, (int)left, line, sizeof line)
				  : DRIVEN_LATE;
		if (result != DRIVEN_LINE) {
			break;
		}
		note(line);
		if (strncmp(line, prefix, strlen(prefix)) == 0) {
			return line + strlen(prefix);
		}
		if (strncmp(line, "error", 5) == 0) {
			fail("kv-parent said: %s", line);
		}
	}
	fail(result == DRIVEN_LATE ? "kv-parent did not say \"%s\" in time"
				   : "kv-parent ended before it said \"%s\"",
	     prefix);
}

/* Give a command; returns the answer, and the time that kv-parent measured. */
static const char *ask(const char *command, double *ret_ms)
{
	double us;
	int at = 0;
	check(driven_tell(&demo.parent, command), "kv-parent did not accept a command");
	const char *reply = wait_for("reply ");
	check(sscanf(reply, "%lf us:%n", &us, &at) == 1 && at > 0, "kv-parent's reply has a time");
	*ret_ms = us / 1e3;
	return reply + at;
}

/* Wait for an event of the child; returns the pid in it. */
static pid_t wait_event(const char *name)
{
	char prefix[64];
	snprintf(prefix, sizeof prefix, "event %s pid=", name);
	return (pid_t)atoi(wait_for(prefix));
}

static bool lives(pid_t pid)
{
	return kill(pid, 0) == 0;
}

/* ---- The steps ---- */

static void show_start(void)
{
	double start = now_ms();
	start_parent();
	demo.child = wait_event("ready");
	check(lives(demo.child), "the child is ready, but does not run");
	say("start", now_ms() - start,
	    "kv-parent (pid %d) started kv-child (pid %d), and it is ready", (int)demo.parent.pid,
	    (int)demo.child);
}

static void show_calls(void)
{
	double ms, start = now_ms();
	check(driven_tell(&demo.parent, "set colour blue\n"), "kv-parent did not accept a command");
	wait_for("log set");
	say("log", now_ms() - start, "kv.set was called, and the child's log record of it arrived");
	wait_for("reply ");
	check(strcmp(ask("get colour\n", &ms), " blue") == 0,
	      "kv.get did not return the value of kv.set");
	say("call", ms, "kv.get answered \"blue\"");
	check(strcmp(ask("import motto\n", &ms), " out of process, in reach") == 0,
	      "kv.import gave another value");
	say("callback", ms,
	    "kv.import asked its parent for the value, and answered \"out of process, in reach\"");
}

static void show_crash(void)
{
	double ms, start = now_ms();
	pid_t killed = demo.child;
	check(kill(killed, SIGKILL) == 0, "the child cannot be killed");
	check(wait_event("exited") == killed, "a different child exited");
	demo.last = demo.delivered = 0;
	demo.child = wait_event("ready");
	check(demo.child != killed && lives(demo.child), "the replacement does not run");
	double ready = now_ms();
	check(strcmp(ask("get colour\n", &ms), " nothing") == 0,
	      "the replacement has the data of the first child");
	say("kill -9", ready - start,
	    "kv-child %d died; kv-child %d took its place (100 ms of it are the backoff)",
	    (int)killed, (int)demo.child);
}

/* Read what the killed parent had printed. */
static void drain_parent(void)
{
	char line[1024];
	while (driven_line(&demo.parent, WAIT_MS, line, sizeof line) == DRIVEN_LINE) {
		note(line);
	}
}

static void show_parent_crash(void)
{
	double ms;
	pid_t parent = demo.parent.pid;
	ask("set colour green\n", &ms);
	while (demo.last < MARK) {
		wait_for("log tick");
	}
	check(kill(parent, SIGKILL) == 0, "kv-parent cannot be killed");
	drain_parent();
	check(WIFSIGNALED(driven_wait(&demo.parent)), "kv-parent ended by itself");
	int64_t by_first = demo.delivered;
	say("kill -9", -1, "kv-parent %d died, right after the child's line %d", (int)parent,
	    (int)MARK);
	(void)poll(NULL, 0, ALONE_MS);
	check(lives(demo.child), "the child died with its parent");
	say("alone", ALONE_MS, "kv-child %d has no parent, and goes on running and logging",
	    (int)demo.child);

	double start = now_ms();
	start_parent();
	check(wait_event("adopted") == demo.child, "the next parent has another child");
	double adopted = now_ms();
	check(strcmp(ask("get colour\n", &ms), " green") == 0,
	      "the adopted child has lost its data");
	say("adopt", adopted - start,
	    "kv-parent %d took over the same kv-child %d; kv.get answers \"green\" as set before",
	    (int)demo.parent.pid, (int)demo.child);
	/* The lines written while there was no parent, and some written to the new one. */
	while (demo.last < MARK + ALONE_MS / TICK_MS + 5) {
		wait_for("log tick");
	}
	check(by_first + demo.delivered == demo.last, "lines are missing or doubled");
	say("log", -1,
	    "lines 1 to %" PRId64 " came in order, none missing, none twice: %" PRId64
	    " by the first parent, %" PRId64 " by the next",
	    demo.last, by_first, demo.delivered);
}

static void show_stop(void)
{
	char left[512] = "", state[512] = "";
	double start = now_ms();
	check(driven_tell(&demo.parent, "stop\n"), "kv-parent did not accept a command");
	wait_for("log bye");
	check(wait_event("exited") == demo.child, "a different child exited");
	drain_parent();
	int status = driven_wait(&demo.parent);
	check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "kv-parent failed at the end");
	double stopped = now_ms();
	check(waitpid(demo.child, &status, WNOHANG) == demo.child, "the child is still running");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		fail("the child failed at the end: %s %d",
		     WIFSIGNALED(status) ? "signal" : "status",
		     WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	}
	check(!lives(-demo.child), "a process of the child's group is still running");
	remove_dirs(left, state, sizeof left);
	check(left[0] == '\0', left);
	check(strcmp(state, " outboard.lock parent.lock start state.json") == 0, state);
	say("stop", stopped - start,
	    "kv-child logged its \"bye\" and is gone, and so is its process group");
	say("left", -1, "nothing in the child's directory; in the parent's:%s", state);
}

/* ---- Paths ---- */

static void find_places(void)
{
	const char *tmp = getenv("TMPDIR");
	ssize_t n = readlink("/proc/self/exe", demo.bin, sizeof demo.bin - 1);
	check(n > 0, "/proc/self/exe cannot be read");
	*strrchr(demo.bin, '/') = '\0';
	snprintf(demo.dir, sizeof demo.dir, "%s/kv-demo-XXXXXX",
		 tmp != NULL && *tmp == '/' ? tmp : "/tmp");
	check(mkdtemp(demo.dir) != NULL, "cannot make a directory for the demo");
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	/* Become the parent of a child whose parent was killed, so that it can be reaped. */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	find_places();
	printf("outboard %s: a key-value store as a supervised child, in %s\n\n", ob_version(),
	       demo.dir);
	show_start();
	show_calls();
	show_crash();
	show_parent_crash();
	show_stop();
	printf("\nAll checks passed.\n");
	return 0;
}
