/* SPDX-License-Identifier: MIT */
/* The parent and other processes: signals, what its children inherit, what may run between clone
 * and exec, and where the token must not appear. Rows 18, 20, 22 and 50. */
#include "support/crash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/family.h"
#include "support/peer.h"
#include "support/scratch.h"

static void quit(struct crash *c)
{
	assert_string_equal(program_ask(&c->now, "stop"), "ok stop 0");
	program_say(&c->now, "quit");
	int status = program_end(&c->now);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ---- 18 ---- */

static void fault_18_a_child_outlives_the_thread_that_made_it(void **state)
{
	struct family f;
	struct ob_error err = {0};
	int64_t number = -1;
	(void)state;
	family_start(&f, OB_RUNTIME_THREADED);
	int32_t pid = ob_connector_pid(f.connector);
	assert_true(ob_get_int(family_call(&f, "deathsig", NULL), &number));
	assert_int_equal(number, 0);
	assert_int_equal(ob_connector_detach(f.connector, &err), OB_OK);
	ob_connector_close(f.connector);
	ob_runtime_free(f.runtime); /* with the thread that cloned it */
	assert_true(family_alive(pid));
	struct ob_runtime_options inlined = {.size = sizeof inlined};
	assert_int_equal(ob_runtime_new(&inlined, &f.runtime, &err), OB_OK);
	family_connector(&f);
	assert_int_equal(ob_connector_reconnect(f.connector, 0, NULL, &err), OB_OK);
	assert_int_equal(ob_connector_pid(f.connector), pid);
	assert_int_equal(ob_connector_stop(f.connector, 0, NULL, &err), OB_OK);
	family_end(&f);
}

/* ---- 20 ---- */

enum { STORMS = 4, SIGNALS = 2500 };

/* A shell that sends the signal to the parent so many times. */
static void begin_storm(struct program *storm, pid_t to, const char *name)
{
	char *script = scratch_text(
	    "i=0; while [ $i -lt %d ]; do kill -%s %d || exit 1; i=$((i+1)); done; echo done",
	    SIGNALS, name, to);
	const char *argv[] = {"sh", "-c", script, NULL};
	program_begin(storm, argv, NULL);
	free(script);
}

static void fault_20_a_storm_of_signals(void **state)
{
	static const char *const names[STORMS] = {"CHLD", "HUP", "TERM", "USR1"};
	struct program storms[STORMS];
	struct crash c;
	int handled = 0, spoiled = 0, calls = 0;
	(void)state;
	crash_begin(&c);
	crash_parent(&c, NULL, NULL);
	assert_non_null(program_ask(&c.now, "start"));
	pid_t pid = crash_child(&c);
	for (int i = 0; i < STORMS; i++) {
		begin_storm(&storms[i], c.now.pid, names[i]);
	}
	/* Every call is answered meanwhile, and a stop and a start in the middle succeed. */
	while (!program_wait_fd(storms[0].out, 0) || !program_wait_fd(storms[3].out, 0)) {
		assert_string_equal(program_ask(&c.now, "call act.echo 9"), "reply 9");
		calls++;
	}
	for (int i = 0; i < STORMS; i++) {
		assert_string_equal(program_line(&storms[i]), "done");
		assert_int_equal(program_end(&storms[i]), 0);
	}
	program_say(&c.now, "signals");
	const char *told = program_await(&c.now, "signals");
	assert_int_equal(sscanf(told, "signals %d %d", &handled, &spoiled), 2);
	print_message("  %d signals handled, %d calls meanwhile\n", handled, calls);
	assert_true(handled >= 4 && calls > 0);
	assert_int_equal(spoiled, 0);
	assert_int_equal(crash_child(&c), pid);
	quit(&c);
	crash_end(&c);
}

static void fault_20_children_come_and_go_in_a_storm(void **state)
{
	struct program storm;
	struct crash c;
	(void)state;
	crash_begin(&c);
	crash_parent(&c, NULL, NULL);
	begin_storm(&storm, c.now.pid, "CHLD");
	for (int i = 0; i < 5; i++) {
		assert_int_equal(strncmp(program_ask(&c.now, "start"), "ok start", 8), 0);
		assert_string_equal(program_ask(&c.now, "call act.echo 9"), "reply 9");
		assert_string_equal(program_ask(&c.now, "stop"), "ok stop 0");
	}
	assert_string_equal(program_line(&storm), "done");
	assert_int_equal(program_end(&storm), 0);
	quit(&c);
	crash_end(&c);
}

/* ---- 22 ---- */

static bool is_allowed(const char *line)
{
	static const char *const allowed[] = {
	    "setsid",	"rt_sig",    "sigaltstack", "dup",     "fcntl",		"close_range",
	    "close(",	"prlimit64", "setgroups",   "setres",  "setuid",	"setgid",
	    "chdir",	"fchdir",    "umask",	    "getpid",  "clock_gettime", "write",
	    "pwrite64", "ftruncate", "openat",	    "pread64", "read",		"execve"};
	for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
		if (strncmp(line, allowed[i], strlen(allowed[i])) == 0) {
			return true;
		}
	}
	return false;
}

/* The output of strace, line by line. A call that was interrupted by another thread's takes two
 * lines, "call(... <unfinished ...>" and "<... call resumed>...": the first is used, the second
 * is skipped. */
struct trace {
	FILE *file;
	char line[4096];
	const char *call;
	int pid;
};

static bool next_call(struct trace *t)
{
	do {
		if (fgets(t->line, sizeof t->line, t->file) == NULL) {
			return false;
		}
		t->pid = atoi(t->line);
		t->call = t->line + strspn(t->line, "0123456789 ");
	} while (strncmp(t->call, "<... ", 5) == 0);
	assert_int_not_equal(strncmp(t->call, "fork(", 5), 0);
	assert_int_not_equal(strncmp(t->call, "vfork(", 6), 0);
	return true;
}

static bool is_clone(const struct trace *t)
{
	return strncmp(t->call, "clone(", 6) == 0 && strstr(t->call, "CLONE_VFORK") != NULL;
}

static bool is_among(const int *pids, int count, int pid)
{
	for (int i = 0; i < count; i++) {
		if (pids[i] == pid) {
			return true;
		}
	}
	return false;
}

/* Before exec the child may only make calls that a signal handler may make. One of them closes
 * the parent's descriptors, above all the lock: exec would close them too, but only after the
 * parent has gone on. */
static void check_trace(const char *path)
{
	struct trace t = {.file = fopen(path, "re")};
	int threads[16], count = 0, calls = 0;
	bool over = false, closed = false;
	assert_non_null(t.file);
	while (next_call(&t) && !is_clone(&t)) {
		assert_true(count < 16);
		threads[count] = t.pid;
		count += !is_among(threads, count, t.pid);
	}
	while (!over && next_call(&t)) {
		if (is_among(threads, count, t.pid)) {
			continue;
		}
		calls++;
		over = strncmp(t.call, "execve(", 7) == 0;
		closed = closed || strncmp(t.call, "close_range(4, 4294967295, 0", 28) == 0;
		if (!is_allowed(t.call)) {
			fail_msg("between clone and exec: %s", t.call);
		}
	}
	fclose(t.file);
	print_message("  %d calls between clone and exec\n", calls);
	assert_true(over && closed && calls > 3);
}

static void fault_22_nothing_but_system_calls_between_clone_and_exec(void **state)
{
	struct crash c;
	(void)state;
	if (!program_can_trace()) {
		print_message("skipped: there is no strace, or it may not trace here\n");
		skip();
	}
	crash_begin(&c);
	char *trace = scratch_text("%s/trace", c.scratch), *data = scratch_text("data=%s", c.dir),
	     *child = scratch_text("child=%s", "/bin/true");
	const char *argv[] = {"strace", "-f", "-q", "-o", trace, c.parent, data, child, NULL};
	const char *env[] = {"ASAN_OPTIONS=detect_leaks=0", NULL};
	program_begin(&c.now, argv, env);
	const char *told = program_ask(&c.now, "start");
	assert_non_null(told);
	assert_non_null(strstr(told, "OB_EEXITED"));
	program_say(&c.now, "quit");
	(void)program_end(&c.now);
	check_trace(trace);
	free(trace);
	free(data);
	free(child);
	crash_end(&c);
}

/* ---- 50 ---- */

static bool file_has(const char *path, const char *text)
{
	static char content[1 << 20];
	struct stat st;
	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode)) {
		return false;
	}
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, content, sizeof content) : 0;
	if (fd >= 0) {
		close(fd);
	}
	return n > 0 && memmem(content, (size_t)n, text, strlen(text)) != NULL;
}

static void check_process(pid_t pid, const char *token)
{
	static const char *const files[] = {"cmdline", "environ", "comm"};
	for (int i = 0; i < 3; i++) {
		char *path = scratch_text("/proc/%d/%s", pid, files[i]);
		assert_false(file_has(path, token));
		free(path);
	}
}

/* How many files of the directory have the token; they must have one of these names. */
static int count_files_with(const char *path, const char *token, const char *allowed)
{
	DIR *dir = opendir(path);
	int found = 0;
	assert_non_null(dir);
	for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		char *file = scratch_text("%s/%s", path, entry->d_name);
		bool may = strcmp(entry->d_name, allowed) == 0;
		assert_int_equal(file_has(file, token), may);
		found += may;
		free(file);
	}
	closedir(dir);
	return found;
}

/* The child reads it in its directory, the next parent in the parent's own. */
static void check_directory(const struct crash *c, const char *token)
{
	char *state = scratch_text("%s.state", c->dir);
	assert_int_equal(count_files_with(c->dir, token, "outboard.json"), 1);
	assert_int_equal(count_files_with(state, token, "state.json"), 1);
	free(state);
}

/* Half a token, the right one with more behind it, and one that is wrong at its end: none may
 * appear in a message. */
static void send_wrong_tokens(const struct crash *c, const char *mechanism, const char *token)
{
	char *path = scratch_text("%s/rpc.sock", c->dir);
	for (int i = 0; i < 3; i++) {
		uint8_t params[256], request[512];
		char credential[128];
		snprintf(credential, sizeof credential, "Bearer %.*s%s", i == 0 ? 32 : 63, token,
			 i == 1 ? "xx" : "");
		size_t name = strlen(mechanism), len = strlen(credential), n = 0;
		params[n++] = 0x92;
		params[n++] = (uint8_t)(0xa0 | name);
		memcpy(params + n, mechanism, name);
		n += name;
		params[n++] = 0xd9;
		params[n++] = (uint8_t)len;
		memcpy(params + n, credential, len);
		n += len;
		int fd = peer_dial(path);
		bool ended;
		assert_true(
		    peer_send(fd, request, peer_request(request, 1, "outboard.auth", params, n)));
		(void)peer_drain(fd, PEER_WAIT_MS, &ended);
		assert_true(ended);
		close(fd);
	}
	free(path);
}

static void life_with(const char *mechanism)
{
	char auth[64], token[65];
	struct crash c;
	struct ob_config config = {.size = sizeof config};
	crash_begin(&c);
	snprintf(auth, sizeof auth, "auth=%s", mechanism);
	crash_parent(&c, NULL, auth, "beat=100", NULL);
	assert_int_equal(strncmp(program_ask(&c.now, "start"), "ok", 2), 0);
	pid_t pid = crash_child(&c);
	char *path = scratch_text("%s/outboard.json", c.dir);
	assert_int_equal(ob_config_read(path, &config, NULL), OB_OK);
	snprintf(token, sizeof token, "%s", config.token);
	assert_int_equal(strlen(token), 64);
	check_process(c.now.pid, token);
	check_process(pid, token);
	check_directory(&c, token);
	send_wrong_tokens(&c, mechanism, token);
	/* All output of the parent, including the child's logs, until the end. */
	program_say(&c.now, "call act.mark 0");
	program_say(&c.now, "stop");
	program_say(&c.now, "quit");
	int refusals = 0;
	for (const char *line = program_line(&c.now); line != NULL; line = program_line(&c.now)) {
		char half[33];
		snprintf(half, sizeof half, "%.32s", token);
		assert_null(strstr(line, half));
		refusals += strstr(line, "a connection was refused") != NULL ||
			    strstr(line, "a connection was given up by the peer") != NULL;
	}
	assert_true(refusals > 0);
	assert_int_equal(program_end(&c.now), 0);
	char *state_file = scratch_text("%s.state/state.json", c.dir);
	assert_false(file_has(state_file, token));
	ob_config_clear(&config);
	free(state_file);
	free(path);
	crash_end(&c);
}

static void fault_50_the_token_is_in_the_config_and_nowhere_else(void **state)
{
	(void)state;
	life_with("token");
	life_with("bearer");
	life_with("noise");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fault_18_a_child_outlives_the_thread_that_made_it),
	    cmocka_unit_test(fault_20_a_storm_of_signals),
	    cmocka_unit_test(fault_20_children_come_and_go_in_a_storm),
	    cmocka_unit_test(fault_22_nothing_but_system_calls_between_clone_and_exec),
	    cmocka_unit_test(fault_50_the_token_is_in_the_config_and_nowhere_else),
	};
	return cmocka_run_group_tests_name("a process among others", tests, NULL, NULL);
}
