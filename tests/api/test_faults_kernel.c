/* SPDX-License-Identifier: MIT */
/* A real child whose kernel runs out of something, or interrupts it: rows 23, 35 and 36. Errors
 * are injected by strace, where it is installed and permitted. */
#include "support/family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/peer.h"
#include "support/program.h"
#include "support/scratch.h"

/* ---- strace ---- */

static void need_strace(void)
{
	if (!program_can_trace()) {
		print_message("skipped: there is no strace, or it may not trace here\n");
		skip();
	}
}

/* A child whose calls fail this way. The tracer is its grandchild (-D), so that the process that
 * we start is the child itself. */
static void start_traced(struct family *f, const char *inject)
{
	static const char *const env[] = {"ASAN_OPTIONS=detect_leaks=0",
					  "LSAN_OPTIONS=detect_leaks=0", NULL};
	struct ob_error err = {0};
	const char *actor;
	family_begin(f, OB_RUNTIME_INLINE, NULL);
	actor = f->argv[0];
	const char *argv[] = {"strace",	   "-D", "-f",	 "-q",	"-o",
			      "/dev/null", "-e", inject, actor, NULL};
	f->options.argv = argv;
	f->options.env = env;
	family_connector(f);
	if (ob_connector_start(f->connector, 0, NULL, &err) < 0) {
		fail_msg("%s: %s", inject, err.text);
	}
}

static bool has_no_children(void *unused)
{
	siginfo_t info;
	(void)unused;
	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0;
}

/* The kernel reports a dead process to its tracer before it reports it to us. It must be reaped
 * nevertheless, a little later. */
static void end_traced(struct family *f)
{
	struct ob_error err = {0};
	assert_int_equal(ob_connector_stop(f->connector, 0, NULL, &err), OB_OK);
	family_until(f, has_no_children, NULL);
	family_end(f);
}

static void echo(struct family *f, int times)
{
	int64_t n = -1;
	for (int i = 0; i < times; i++) {
		assert_true(ob_get_int(family_call(f, "echo", "[i]", i), &n));
		assert_int_equal(n, i);
	}
}

/* Calls that may wait, and a poll that does not, are interrupted by a pending signal. */
#define CALLS \
	"recvfrom,readv,recvmsg,sendto,writev,sendmsg,accept4,epoll_wait,epoll_pwait,poll,ppoll"

static void fault_23_interrupted_everywhere(void **state)
{
	struct family f;
	(void)state;
	need_strace();
	start_traced(&f, "inject=" CALLS ",write:error=EINTR:when=1+2");
	echo(&f, 50);
	family_call(&f, "log", "[i,i]", 50, 0);
	family_await_lines(&f, 50);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(f.numbers[i], i);
	}
	end_traced(&f);
}

/* A parent (children/parent.c) whose calls are interrupted, like those of its child. */
struct traced {
	struct program p;
	char *scratch, *data, *child, *listen;
};

static void begin_parent(struct traced *t, const char *const *options, const char *child,
			 const char *listen)
{
	static const char *const env[] = {"ASAN_OPTIONS=detect_leaks=0",
					  "LSAN_OPTIONS=detect_leaks=0", NULL};
	const char *argv[24] = {"strace", "-D", "-f", "-q", "-o", "/dev/null"};
	size_t n = 6;
	for (; *options != NULL; options++) {
		argv[n++] = *options;
	}
	t->data = scratch_text("data=%s/child", t->scratch);
	t->child = child != NULL ? scratch_text("child=%s", child)
				 : scratch_text("child=%s/children/child-actor",
						scratch_env("OB_TEST_BUILD"));
	t->listen = listen != NULL ? scratch_text("listen=%s", listen) : NULL;
	char *parent = scratch_text("%s/children/child-parent", scratch_env("OB_TEST_BUILD"));
	argv[n++] = parent;
	argv[n++] = t->data;
	argv[n++] = t->child;
	argv[n++] = t->listen;
	program_begin(&t->p, argv, env);
	free(parent);
}

static void end_parent(struct traced *t)
{
	int status = program_end(&t->p);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	free(t->data);
	free(t->child);
	free(t->listen);
	scratch_remove(t->scratch);
}

static void must_answer(struct traced *t, const char *order, const char *answer)
{
	const char *told = program_ask(&t->p, order);
	if (told == NULL || strncmp(told, answer, strlen(answer)) != 0) {
		fail_msg("%s: %s", order, told != NULL ? told : "(it is gone)");
	}
}

/* 50 records in order, and the answer to the call that caused them, which may come among
 * them. */
static void must_log(struct traced *t)
{
	int next = 0;
	bool answered = false;
	program_say(&t->p, "call act.log 50");
	while (next < 50 || !answered) {
		char line[32];
		const char *told = program_line(&t->p);
		assert_non_null(told);
		snprintf(line, sizeof line, "log %d", next);
		if (strncmp(told, "log ", 4) == 0) {
			assert_string_equal(told, line);
			next++;
		}
		answered = answered || strcmp(told, "reply 50") == 0;
	}
}

/* The child dies in a call, and the next one becomes ready. Which of the two is reported first
 * depends on the scheduler. */
static void must_lose_and_regain(struct traced *t)
{
	bool lost = false, ready = false;
	program_say(&t->p, "call act.signal 9");
	while (!lost || !ready) {
		const char *told = program_line(&t->p);
		assert_non_null(told);
		lost = lost || strncmp(told, "error call OB_ECONNLOST", 23) == 0;
		ready = ready || strncmp(told, "event ready", 11) == 0;
	}
}

static void live_interrupted(const char *const *options, char *scratch, const char *listen)
{
	struct traced t = {.scratch = scratch};
	begin_parent(&t, options, NULL, listen);
	must_answer(&t, "start", "ok start");
	must_answer(&t, "call act.echo 7", "reply 7");
	must_log(&t);
	must_lose_and_regain(&t);
	must_answer(&t, "call act.echo 8", "reply 8");
	must_answer(&t, "stop", "ok stop");
	program_say(&t.p, "quit");
	assert_non_null(program_await(&t.p, "bye"));
	end_parent(&t);
}

static void fault_23_a_parent_interrupted_everywhere(void **state)
{
	static const char *const whens[] = {"1+2", "2+2"}, *const addresses[] = {
							       NULL, "tcp://127.0.0.1:0"};
	(void)state;
	need_strace();
	for (int i = 0; i < 4; i++) {
		char *inject = scratch_text("inject=" CALLS ":error=EINTR:when=%s", whens[i % 2]);
		const char *const options[] = {"-e", inject, NULL};
		live_interrupted(options, scratch_make(), addresses[i / 2]);
		free(inject);
	}
}

/* read() and write() of the pipes only: the dynamic linker reads its files with them, too, and
 * those reads are never interrupted. */
static void fault_23_pipes_interrupted(void **state)
{
	static const char *const whens[] = {"1+2", "2+2"};
	(void)state;
	need_strace();
	for (int i = 0; i < 2; i++) {
		char *scratch = scratch_make(),
		     *inject = scratch_text("inject=read,write:error=EINTR:when=%s", whens[i]);
		char *out = scratch_text("%s/child/stdout.fifo", scratch),
		     *err = scratch_text("%s/child/stderr.fifo", scratch);
		const char *const options[] = {"-P", out, "-P", err, "-e", inject, NULL};
		live_interrupted(options, scratch, NULL);
		free(inject);
		free(out);
		free(err);
	}
}

/* The children of a process that are dead and not reaped. */
static int zombies_of(int parent)
{
	int count = 0, number, of;
	char state;
	DIR *proc = opendir("/proc");
	for (struct dirent *entry = readdir(proc); entry != NULL; entry = readdir(proc)) {
		char *path = scratch_text("/proc/%.20s/stat", entry->d_name);
		FILE *file =
		    entry->d_name[0] >= '1' && entry->d_name[0] <= '9' ? fopen(path, "re") : NULL;
		if (file != NULL) {
			count += fscanf(file, "%d (%*[^)]) %c %d", &number, &state, &of) == 3 &&
				 of == parent && state == 'Z';
			fclose(file);
		}
		free(path);
	}
	closedir(proc);
	return count;
}

static void fault_16_23_a_wait_that_is_interrupted_leaves_no_zombie(void **state)
{
	const char *const options[] = {"-e", "inject=waitid:error=EINTR:when=1+2", NULL};
	struct traced t = {.scratch = scratch_make()};
	(void)state;
	need_strace();
	begin_parent(&t, options, "/nowhere/to/be/found", NULL);
	for (int i = 0; i < 3; i++) {
		must_answer(&t, "start", "error start OB_ENOENT");
	}
	assert_int_equal(zombies_of(t.p.pid), 0);
	program_say(&t.p, "quit");
	assert_non_null(program_await(&t.p, "bye"));
	end_parent(&t);
}

static void fault_16_a_traced_child_is_reaped(void **state)
{
	struct family f;
	(void)state;
	need_strace();
	for (int i = 0; i < 3; i++) {
		start_traced(&f, "trace=none");
		end_traced(&f);
	}
}

static void fault_36_accept_fails_and_goes_on(void **state)
{
	/* Without memory a connection is closed, and the next one must succeed; an existing one
	 * is not affected. */
	static const char *const errors[] = {"ECONNABORTED:when=1+2", "EPROTO:when=1+2",
					     "EPERM:when=1+2", "ENOBUFS:when=1", "EMFILE:when=1"};
	(void)state;
	need_strace();
	for (int i = 0; i < 5; i++) {
		struct family f;
		char *inject = scratch_text("inject=accept4:error=%s", errors[i]);
		start_traced(&f, inject);
		echo(&f, 1);
		int32_t pid = ob_connector_pid(f.connector);
		for (int k = 0; k < 3; k++) {
			struct ob_error err = {0};
			char *path = family_path(&f, "rpc.sock"),
			     *address = scratch_text("unix://%s", path);
			struct ob_client_options options = {
			    .size = sizeof options, .address = address, .token = f.tokens[0]};
			ob_client *client = NULL;
			if (ob_client_connect(f.runtime, &options, NULL, &client, &err) < 0) {
				fail_msg("%s: %s", errors[i], err.text);
			}
			ob_client_free(client);
			free(address);
			free(path);
		}
		assert_int_equal(ob_connector_pid(f.connector), pid);
		end_traced(&f);
		free(inject);
	}
}

/* ---- Out of descriptors ---- */

enum { MORE = 3, CROWD = 60, WATCH_MS = 1000 };

/* The clock ticks of CPU that a process has used. */
static long ticks_of(int pid)
{
	char path[64], line[1024];
	long user = 0, system = 0;
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(fgets(line, sizeof line, file));
	fclose(file);
	const char *after = strrchr(line, ')');
	assert_non_null(after);
	assert_int_equal(sscanf(after + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld",
				&user, &system),
			 2);
	return user + system;
}

static bool is_answered(int fd)
{
	static const uint8_t request[] = {0x94, 0x00, 0x01, 0xa8, 'a', 'c',  't',
					  '.',	'e',  'c',  'h',  'o', 0x91, 0x07};
	uint8_t reply[5];
	return peer_send(fd, request, sizeof request) && peer_read(fd, reply, sizeof reply) &&
	       reply[4] == 0x07;
}

/* A process uses at most 5 % of the CPU. */
static void must_be_idle(int pid)
{
	long before = ticks_of(pid);
	program_let_pass(WATCH_MS);
	long used = ticks_of(pid) - before, most = sysconf(_SC_CLK_TCK) * WATCH_MS / 1000 / 20;
	print_message("  %ld ticks of CPU in %d ms\n", used, WATCH_MS);
	assert_true(used <= most);
}

/* The connections that are still in the backlog are accepted first, and found closed. */
static void must_recover(const char *path)
{
	int fd;
	for (int tries = 0; fd = peer_dial(path), !is_answered(fd); tries++) {
		assert_true(tries < 1000);
		close(fd);
	}
	close(fd);
}

static void fault_35_no_descriptor_for_a_new_connection(void **state)
{
	static const char *const by_peercred[] = {"peercred", NULL};
	struct family f;
	struct ob_error err = {0};
	int crowd[CROWD], count = 0;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	f.options.auth = by_peercred;
	family_connector(&f);
	assert_int_equal(ob_connector_start(f.connector, 0, NULL, &err), OB_OK);
	int pid = ob_connector_pid(f.connector);
	char *path = family_path(&f, "rpc.sock");
	rlim_t open_max = (rlim_t)peer_open_fds(pid) + MORE;
	struct rlimit limit = {open_max, open_max};
	assert_int_equal(prlimit(pid, RLIMIT_NOFILE, &limit, NULL), 0);
	/* As many as it can take; the next one is closed at once with a reason. */
	while (crowd[count] = peer_dial(path), is_answered(crowd[count])) {
		count++;
		assert_true(count < CROWD);
	}
	assert_true(count > 0);
	for (count++; count < CROWD; count++) {
		crowd[count] = peer_dial(path); /* the kernel accepts them; the child cannot */
	}
	must_be_idle(pid);
	echo(&f, 10); /* existing connections are served */
	for (int i = 0; i < CROWD; i++) {
		close(crowd[i]);
	}
	must_recover(path);
	assert_int_equal(ob_connector_pid(f.connector), pid);
	free(path);
	family_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fault_16_a_traced_child_is_reaped),
	    cmocka_unit_test(fault_16_23_a_wait_that_is_interrupted_leaves_no_zombie),
	    cmocka_unit_test(fault_23_interrupted_everywhere),
	    cmocka_unit_test(fault_23_a_parent_interrupted_everywhere),
	    cmocka_unit_test(fault_23_pipes_interrupted),
	    cmocka_unit_test(fault_35_no_descriptor_for_a_new_connection),
	    cmocka_unit_test(fault_36_accept_fails_and_goes_on),
	};
	return cmocka_run_group_tests_name("a short kernel", tests, NULL, NULL);
}
