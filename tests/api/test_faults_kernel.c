/* SPDX-License-Identifier: MIT */
/*
 * What a real child does when its kernel is short of something, or interrupts it: rows 23, 35 and 36. Errors are injected by
 * strace, where it is there and may trace.
 */
#include "support/family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

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

/* A child whose calls fail so. The tracer is its grandchild (-D), so that the process that we start is the child itself. */
static void start_traced(struct family *f, const char *inject)
{
	static const char *const env[] = {"ASAN_OPTIONS=detect_leaks=0", "LSAN_OPTIONS=detect_leaks=0", NULL};
	struct ob_error err = {0};
	const char *actor;
	family_begin(f, OB_RUNTIME_INLINE, NULL);
	actor = f->argv[0];
	const char *argv[] = {"strace", "-D", "-f", "-q", "-o", "/dev/null", "-e", inject, actor, NULL};
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

/* A dead process is its tracer's before it is ours: it must be reaped nevertheless, a little later. */
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

static void fault_23_interrupted_everywhere(void **state)
{
	struct family f;
	(void)state;
	need_strace();
	start_traced(&f, "inject=readv,sendmsg,write,accept4,epoll_wait,epoll_pwait:error=EINTR:when=1+2");
	echo(&f, 50);
	family_call(&f, "log", "[i,i]", 50, 0);
	family_await_lines(&f, 50);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(f.numbers[i], i);
	}
	end_traced(&f);
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
	/* Without memory a connection is turned away, and the next one must get in; the others cost nothing but a try. */
	static const char *const errors[] = {"ECONNABORTED:when=1+2", "EPROTO:when=1+2", "EPERM:when=1+2",
					     "ENOBUFS:when=1", "EMFILE:when=1"};
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
			char *path = family_path(&f, "rpc.sock"), *address = scratch_text("unix://%s", path);
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

/* Clock ticks of CPU that a process has used. */
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
	assert_int_equal(sscanf(after + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld", &user, &system), 2);
	return user + system;
}

static bool is_answered(int fd)
{
	static const uint8_t request[] = {0x94, 0x00, 0x01, 0xa8, 'a', 'c', 't', '.', 'e', 'c', 'h', 'o', 0x91, 0x07};
	uint8_t reply[5];
	return peer_send(fd, request, sizeof request) && peer_read(fd, reply, sizeof reply) && reply[4] == 0x07;
}

static void fault_35_no_descriptor_for_a_new_connection(void **state)
{
	static const char *const by_peercred[] = {"peercred", NULL};
	struct family f;
	struct ob_error err = {0};
	int crowd[CROWD], count = 0, fd;
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
	/* As many as it can take; the next one is told at once that there is no room. */
	while (crowd[count] = peer_dial(path), is_answered(crowd[count])) {
		count++;
		assert_true(count < CROWD);
	}
	assert_true(count > 0);
	for (count++; count < CROWD; count++) {
		crowd[count] = peer_dial(path); /* the kernel takes them; the child cannot */
	}
	long before = ticks_of(pid);
	program_let_pass(WATCH_MS);
	long used = ticks_of(pid) - before, most = sysconf(_SC_CLK_TCK) * WATCH_MS / 1000 / 20;
	print_message("  %ld ticks of CPU in %d ms\n", used, WATCH_MS);
	assert_true(used <= most); /* 5 % */
	echo(&f, 10);		   /* whoever is connected is served */
	for (int i = 0; i < CROWD; i++) {
		close(crowd[i]);
	}
	/* Those who are still in the queue are accepted first, and seen to be gone afterwards. */
	for (int tries = 0; fd = peer_dial(path), !is_answered(fd); tries++) {
		assert_true(tries < 1000);
		close(fd);
	}
	close(fd);
	assert_int_equal(ob_connector_pid(f.connector), pid);
	free(path);
	family_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fault_16_a_traced_child_is_reaped),
	    cmocka_unit_test(fault_23_interrupted_everywhere),
	    cmocka_unit_test(fault_35_no_descriptor_for_a_new_connection),
	    cmocka_unit_test(fault_36_accept_fails_and_goes_on),
	};
	return cmocka_run_group_tests_name("a short kernel", tests, NULL, NULL);
}
