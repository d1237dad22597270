/* SPDX-License-Identifier: MIT */
/* The identity of a process: a signal never reaches another process with the same pid. */
#include "process/process.h"
#include "process/spawn.h"
#include "support/clock.h"
#include "support/scratch.h"
#include "support/timens.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { DEADLINE = 20000, SKIPPED = 77 };

#define SHELL(script) ((const char *const[]){"/bin/sh", "-c", script, NULL})

static struct obi_spawn spawn_to(const struct ob_connector_options *options, int out)
{
	return (struct obi_spawn){.options = options,
				  .config_path = "/d",
				  .out_fd = out,
				  .err_fd = out,
				  .lock_fd = -1,
				  .start_fd = -1};
}

/* A child whose stdout is a pipe; *ret_out is the read end. */
static struct obi_process start(const char *const *argv, int *ret_out)
{
	int out[2];
	struct obi_process process = OBI_PROCESS_NONE;
	struct ob_connector_options options = {.argv = argv};
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	struct obi_spawn spawn = spawn_to(&options, out[1]);
	assert_int_equal(obi_spawn(&spawn, &process, NULL), OB_OK);
	close(out[1]);
	*ret_out = out[0];
	return process;
}

static struct obi_process start_quiet(const char *const *argv)
{
	int out;
	struct obi_process process = start(argv, &out);
	close(out);
	return process;
}

static void await_death(const struct obi_process *process)
{
	struct pollfd p = {.fd = process->pidfd, .events = POLLIN};
	assert_int_equal(poll(&p, 1, DEADLINE), 1);
}

/* Wait until the write end of the pipe is closed everywhere. */
static void await_eof(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char byte;
	assert_int_equal(poll(&p, 1, DEADLINE), 1);
	assert_int_equal(read(fd, &byte, 1), 0);
	close(fd);
}

static struct obi_exit end_of(struct obi_process *process)
{
	struct obi_exit end = {OB_EXIT_UNKNOWN, -1};
	await_death(process);
	assert_int_equal(obi_process_end(process, &end), OB_OK);
	assert_int_equal(process->pidfd, -1);
	return end;
}

/* ---- Waiting while signals come ---- */

static volatile sig_atomic_t signals;

static void on_alarm(int number)
{
	(void)number;
	signals = signals + 1;
}

static void alarms(int us)
{
	const struct itimerval every = {{0, us}, {0, us}};
	struct sigaction action = {.sa_handler = on_alarm};
	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &every, NULL), 0);
}

static void fault_16_23_waiting_goes_on_when_signals_interrupt_it(void **unused)
{
	(void)unused;
	siginfo_t info;
	struct obi_process process = start_quiet(SHELL("exec sleep 1000"));
	alarms(2000);
	int64_t begin = now_ms();
	assert_false(obi_process_dies(&process, 200));
	assert_true(now_ms() - begin >= 200);
	assert_true(signals > 1);
	assert_int_equal(obi_process_signal(&process, SIGTERM, NULL), OB_OK);
	assert_true(obi_process_dies(&process, DEADLINE));
	alarms(0);
	obi_process_close(&process);
	/* One that takes its time, and is reaped nevertheless. */
	process = start_quiet(SHELL("exec sleep 0.2"));
	signals = 0;
	alarms(2000);
	obi_process_reap(&process);
	alarms(0);
	assert_true(signals > 1);
	assert_int_equal(waitid(P_PIDFD, (id_t)process.pidfd, &info, WEXITED | WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	obi_process_close(&process);
	assert_int_equal(waitpid(-1, NULL, 0) > 0, 1); /* the first one */
}

static void procid_is_written_and_parsed(void **unused)
{
	(void)unused;
	struct obi_procid id = {.pid = 4711, .start = UINT64_MAX, .inode = 17}, back;
	char text[OBI_PROCID_TEXT_SIZE];
	assert_int_equal(obi_boot_id(id.boot, NULL), OB_OK);
	obi_procid_text(&id, text);
	assert_int_equal(obi_procid_parse(text, &back), OB_OK);
	assert_true(obi_procid_equal(&id, &back));
	assert_int_equal(back.inode, 17);
	const char *bad[] = {
	    "",
	    "1:2:3",
	    "01234567-89ab-cdef-0123-456789abcdef",
	    "01234567-89ab-cdef-0123-456789abcdef:",
	    "01234567-89ab-cdef-0123-456789abcdef:1:2",
	    "01234567-89ab-cdef-0123-456789abcdef:0:2:3",
	    "01234567-89ab-cdef-0123-456789abcdef:-1:2:3",
	    "01234567-89ab-cdef-0123-456789abcdef:1:2:3:",
	    "01234567-89ab-cdef-0123-456789abcdef:1:2:3x",
	    "01234567-89ab-cdef-0123-456789abcdef:01:2:3",
	    "01234567-89ab-cdef-0123-456789abcdef:2147483648:2:3",
	    "01234567-89ab-cdef-0123-456789abcdef:1:18446744073709551616:3",
	    "01234567-89ab-cdef-0123-456789abcdeX:1:2:3",
	    "01234567-89AB-cdef-0123-456789abcdef:1:2:3",
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(obi_procid_parse(bad[i], &back), OB_EINVAL);
	}
	assert_int_equal(obi_procid_parse("01234567-89ab-cdef-0123-456789abcdef:1:2:0", &back),
			 OB_OK);
}

static void every_part_counts_and_an_unknown_inode_does_not(void **unused)
{
	(void)unused;
	const struct obi_procid id = {.pid = 5, .start = 6, .inode = 7, .boot = "b"};
	struct obi_procid other = id;
	assert_true(obi_procid_equal(&id, &other));
	other.inode = 0;
	assert_true(obi_procid_equal(&id, &other) && obi_procid_equal(&other, &id));
	other.inode = 8;
	assert_false(obi_procid_equal(&id, &other));
	other = id;
	other.start += 2;
	assert_false(obi_procid_equal(&id, &other));
	other.start =
	    id.start + 1; /* the rest of a shifted clock, but only if the inode is known */
	assert_true(obi_procid_equal(&id, &other) && obi_procid_equal(&other, &id));
	other.inode = 0;
	assert_false(obi_procid_equal(&id, &other) || obi_procid_equal(&other, &id));
	other = id;
	other.pid++;
	assert_false(obi_procid_equal(&id, &other));
	other = id;
	other.boot[0] = 'c';
	assert_false(obi_procid_equal(&id, &other));
}

/* The end of this program as another process: find the process with this procid, and print what it
 * looks like from here. */
static int look_from_here(const char *text)
{
	struct obi_procid id;
	struct obi_process process;
	char seen[OBI_PROCID_TEXT_SIZE];
	if (obi_procid_parse(text, &id) < 0 || obi_process_open(&id, &process, NULL) < 0) {
		return 1;
	}
	obi_process_close(&process);
	if (obi_process_open_pid(id.pid, UINT64_MAX, &process, NULL) < 0) {
		return 1;
	}
	obi_procid_text(&process.id, seen);
	obi_process_close(&process);
	puts(seen);
	return 0;
}

/* What a process with these clocks reads of the process with this id, which it must find. */
static struct obi_procid look_from(struct timens shift, const struct obi_procid *id)
{
	char self[4096] = "", text[OBI_PROCID_TEXT_SIZE], answer[256] = "";
	struct obi_procid seen = {0};
	int out;
	assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
	obi_procid_text(id, text);
	timens_for_children(shift);
	struct obi_process reader = start((const char *const[]){self, "--look", text, NULL}, &out);
	timens_end();
	bool ours = timens_is_ours(reader.id.pid);
	struct obi_exit end = end_of(&reader);
	ssize_t n = read(out, answer, sizeof answer - 1);
	close(out);
	if (ours) {
		(void)kill(id->pid, SIGKILL);
		print_message("skipped: this kernel shifts the clocks of forks only\n");
		skip();
	}
	assert_int_equal(end.value, 0);
	assert_true(n > 0);
	answer[strcspn(answer, "\n")] = '\0';
	assert_int_equal(obi_procid_parse(answer, &seen), OB_OK);
	return seen;
}

/* The kernel adds the offset of the reader's time namespace to what it says in /proc. */
static void fault_66_a_procid_is_the_same_in_every_time_namespace(void **unused)
{
	(void)unused;
	static const struct timens shifts[] = {
	    {.boot = 1000}, {.boot = 20 * 365 * 86400}, {.monotonic = 77}, {.boot = -1}};
	timens_need();
	struct obi_process child = start_quiet(SHELL("exec sleep 1000"));
	for (size_t i = 0; i < sizeof shifts / sizeof shifts[0]; i++) {
		struct obi_procid seen = look_from(shifts[i], &child.id);
		assert_int_equal(seen.start, child.id.start);
		assert_true(obi_procid_equal(&seen, &child.id));
	}
	struct obi_procid seen =
	    look_from((struct timens){.boot = 5, .boot_ns = 123456789}, &child.id);
	assert_in_range(seen.start, child.id.start - 1, child.id.start + 1);
	assert_int_equal(obi_process_signal(&child, SIGKILL, NULL), OB_OK);
	(void)end_of(&child);
}

static void live_process_is_found_and_a_dead_one_is_not(void **unused)
{
	(void)unused;
	struct ob_error err = {0};
	struct obi_process found, child = start_quiet(SHELL("exec sleep 1000"));
	struct obi_procid id = child.id, wrong;
	assert_false(obi_process_is_dead(&child));
	assert_int_equal(obi_process_open(&id, &found, &err), OB_OK);
	assert_true(obi_procid_equal(&found.id, &id));
	assert_false(found.own);
	assert_int_equal(obi_process_signal(&found, 0, &err), OB_OK);

	wrong = id;
	wrong.start += 2;
	assert_int_equal(obi_process_open(&wrong, &(struct obi_process){0}, &err), OB_ENOENT);
	assert_non_null(strstr(err.text, "is another process now"));
	wrong = id;
	wrong.boot[0] = wrong.boot[0] == '0' ? '1' : '0';
	assert_int_equal(obi_process_open(&wrong, &(struct obi_process){0}, &err), OB_ENOENT);

	assert_int_equal(obi_process_signal(&child, SIGKILL, &err), OB_OK);
	await_death(&child);
	/* A zombie has its number still, and is dead all the same. */
	assert_true(obi_process_is_dead(&child) && obi_process_is_dead(&found));
	assert_int_equal(obi_process_open(&id, &(struct obi_process){0}, &err), OB_ENOENT);
	char *text = scratch_text("process not running (pid %d)", (int)id.pid);
	assert_string_equal(err.text, text);
	free(text);
	struct obi_exit end = end_of(&child);
	assert_int_equal(end.kind, OB_EXIT_SIGNAL);
	assert_int_equal(end.value, SIGKILL);
	assert_int_equal(obi_process_signal(&found, SIGTERM, &err), OB_ENOENT);
	assert_int_equal(obi_process_open(&id, &(struct obi_process){0}, &err), OB_ENOENT);
	obi_process_close(&found);
}

static void no_process_counts_as_dead_and_takes_no_signal(void **unused)
{
	(void)unused;
	struct obi_process none = OBI_PROCESS_NONE;
	struct obi_exit end;
	assert_true(obi_process_is_dead(&none));
	assert_int_equal(obi_process_signal(&none, SIGTERM, NULL), OB_ENOENT);
	assert_int_equal(obi_process_signal_group(&none, SIGTERM, NULL), OB_ENOENT);
	assert_int_equal(obi_process_end(&none, &end), OB_OK);
	assert_int_equal(end.kind, OB_EXIT_UNKNOWN);
	obi_process_close(&none);
}

static void ending_a_live_process_returns_at_once(void **unused)
{
	(void)unused;
	struct obi_exit end;
	struct obi_process child = start_quiet(SHELL("exec sleep 1000"));
	assert_int_equal(obi_process_end(&child, &end), OB_EAGAIN);
	assert_true(child.pidfd >= 0);
	assert_int_equal(obi_process_signal_group(&child, SIGKILL, NULL), OB_OK);
	assert_int_equal(end_of(&child).value, SIGKILL);
}

static void fault_15_grandchildren_end_with_the_child(void **unused)
{
	(void)unused;
	int out;
	struct obi_process child = start(SHELL("sleep 1000 & exit 3"), &out);
	struct obi_exit end = end_of(&child);
	assert_int_equal(end.kind, OB_EXIT_CODE);
	assert_int_equal(end.value, 3);
	await_eof(out); /* the grandchild held it */
}

static void group_of_an_adopted_child_can_be_signalled(void **unused)
{
	(void)unused;
	int out;
	struct obi_process found, child = start(SHELL("sleep 1000 & wait"), &out);
	assert_int_equal(obi_process_open(&child.id, &found, NULL), OB_OK);
	assert_int_equal(obi_process_signal_group(&found, SIGKILL, NULL), OB_OK);
	await_eof(out);
	assert_int_equal(end_of(&child).value, SIGKILL);
	obi_process_close(&found);
}

static bool kernel_tells_exit_by_pidfd(void)
{
	struct utsname name;
	int major = 0, minor = 0;
	assert_int_equal(uname(&name), 0);
	assert_int_equal(sscanf(name.release, "%d.%d", &major, &minor), 2);
	return major > 6 || (major == 6 && minor >= 15);
}

static void status_is_known_after_another_reaper(void **unused)
{
	(void)unused;
	struct obi_process child = start_quiet(SHELL("exit 7"));
	await_death(&child);
	assert_int_equal(waitpid(child.id.pid, NULL, 0), child.id.pid);
	struct obi_exit end = end_of(&child);
	if (kernel_tells_exit_by_pidfd()) {
		assert_int_equal(end.kind, OB_EXIT_CODE);
		assert_int_equal(end.value, 7);
	} else {
		assert_int_equal(end.kind, OB_EXIT_UNKNOWN);
	}
}

static void wait_status_is_understood(void **unused)
{
	(void)unused;
	assert_int_equal(obi_exit_of_status(0x0300).value, 3);
	assert_int_equal(obi_exit_of_status(0x0300).kind, OB_EXIT_CODE);
	assert_int_equal(obi_exit_of_status(SIGKILL).value, SIGKILL);
	assert_int_equal(obi_exit_of_status(SIGSEGV | 0x80).kind, OB_EXIT_SIGNAL);
	assert_int_equal(obi_exit_of_status(0x137f).kind, OB_EXIT_UNKNOWN);
}

static void leftovers_are_killed_only_if_identified(void **unused)
{
	(void)unused;
	int out;
	struct obi_process child = start(SHELL("sleep 1000 & exit 0"), &out);
	struct obi_procid id = child.id;
	await_death(&child);
	assert_int_equal(waitpid(id.pid, NULL, 0), id.pid);
	obi_process_close(&child);
	struct obi_procid other = id;
	other.boot[0] = other.boot[0] == '0' ? '1' : '0';
	assert_int_equal(obi_leftovers_kill(&other, NULL), OB_ENOENT);
	assert_int_equal(obi_leftovers_kill(&id, NULL), OB_OK);
	await_eof(out);
	assert_int_equal(obi_leftovers_kill(&(struct obi_procid){0}, NULL), OB_ENOENT);

	/* A live leader is nobody's leftover. */
	child = start_quiet(SHELL("exec sleep 1000"));
	assert_int_equal(obi_leftovers_kill(&child.id, NULL), OB_ENOENT);
	assert_false(obi_process_is_dead(&child));
	obi_process_signal(&child, SIGKILL, NULL);
	end_of(&child);
}

/* ---- Fault 19: the pid is reused ---- */

#define MUST(condition)                                                    \
	do {                                                               \
		if (!(condition)) {                                        \
			fprintf(stderr, "%d: %s\n", __LINE__, #condition); \
			exit(1);                                           \
		}                                                          \
	} while (0)

static char self[4096]; /* this program */

/* Writes "s" for each signal, and goes on. */
static int be_decoy(void)
{
	sigset_t all;
	int sig;
	sigfillset(&all);
	MUST(sigprocmask(SIG_SETMASK, &all, NULL) == 0 && write(1, "u", 1) == 1);
	while (sigwait(&all, &sig) == 0) {
		MUST(write(1, "s", 1) == 1);
	}
	return 1;
}

static struct obi_process start_decoy(int *ret_out)
{
	int out[2];
	char up;
	struct obi_process process = OBI_PROCESS_NONE;
	struct ob_connector_options options = {.argv =
						   (const char *const[]){self, "--decoy", NULL}};
	MUST(pipe2(out, O_CLOEXEC) == 0);
	struct obi_spawn spawn = spawn_to(&options, out[1]);
	MUST(obi_spawn(&spawn, &process, NULL) == OB_OK);
	close(out[1]);
	MUST(read(out[0], &up, 1) == 1 && up == 'u');
	*ret_out = out[0];
	return process;
}

static void next_pid(int pid)
{
	char text[16];
	int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
	int len = snprintf(text, sizeof text, "%d", pid - 1);
	if (fd < 0 || write(fd, text, (size_t)len) != len) {
		exit(SKIPPED);
	}
	close(fd);
}

/* Runs as process 1 of a pid namespace with a /proc of its own. */
static int inside_namespace(void)
{
	struct ob_connector_options options = {.argv = SHELL("exec sleep 1000")};
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC), out;
	struct obi_spawn spawn = spawn_to(&options, null);
	struct obi_process child, found;
	struct obi_exit end;
	MUST(obi_spawn(&spawn, &child, NULL) == OB_OK);
	struct obi_procid id = child.id, without_inode = child.id;
	without_inode.inode = 0;
	struct obi_process stale = {.id = id, .pidfd = pidfd_open(id.pid, 0)};
	MUST(obi_process_signal(&child, SIGKILL, NULL) == OB_OK);
	struct pollfd p = {.fd = child.pidfd, .events = POLLIN};
	MUST(poll(&p, 1, DEADLINE) == 1 && obi_process_end(&child, &end) == OB_OK);

	next_pid(id.pid);
	struct obi_process other = start_decoy(&out);
	MUST(other.id.pid == id.pid);
	MUST(!obi_procid_equal(&other.id, &id));
	/* Each way to a process that is gone. */
	MUST(obi_process_open(&id, &found, NULL) == OB_ENOENT);
	MUST(obi_process_signal(&stale, SIGINT, NULL) == OB_ENOENT);
	MUST(obi_process_signal_group(&stale, SIGINT, NULL) == OB_ENOENT);
	MUST(obi_process_end(&stale, &end) == OB_OK);
	MUST(obi_leftovers_kill(&id, NULL) == OB_ENOENT);
	MUST(obi_leftovers_kill(&without_inode, NULL) == OB_ENOENT);
	/* Not even the one signal that cannot be counted. */
	MUST(!obi_process_is_dead(&other));
	struct pollfd heard = {.fd = out, .events = POLLIN};
	MUST(poll(&heard, 1, 0) == 0);
	/* And the counter counts: */
	MUST(obi_process_signal(&other, SIGINT, NULL) == OB_OK);
	MUST(poll(&heard, 1, DEADLINE) == 1);
	MUST(obi_process_signal_group(&other, SIGKILL, NULL) == OB_OK);
	return 0;
}

static void fault_19_no_signal_reaches_another_process(void **unused)
{
	(void)unused;
	pid_t pid = 0;
	int status;
	char *argv[] = {
	    "unshare", "--pid", "--fork", "--mount-proc", "/proc/self/exe", "--inside-namespace",
	    NULL};
	argv[4] = self;
	if (geteuid() != 0 || posix_spawnp(&pid, "unshare", NULL, NULL, argv, environ) != 0) {
		print_message("skipped: no unshare(1), or not root\n");
		skip();
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == SKIPPED) {
		print_message("skipped: the next pid cannot be chosen here\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(procid_is_written_and_parsed),
	    cmocka_unit_test(every_part_counts_and_an_unknown_inode_does_not),
	    cmocka_unit_test(fault_66_a_procid_is_the_same_in_every_time_namespace),
	    cmocka_unit_test(live_process_is_found_and_a_dead_one_is_not),
	    cmocka_unit_test(no_process_counts_as_dead_and_takes_no_signal),
	    cmocka_unit_test(ending_a_live_process_returns_at_once),
	    cmocka_unit_test(fault_15_grandchildren_end_with_the_child),
	    cmocka_unit_test(group_of_an_adopted_child_can_be_signalled),
	    cmocka_unit_test(status_is_known_after_another_reaper),
	    cmocka_unit_test(wait_status_is_understood),
	    cmocka_unit_test(leftovers_are_killed_only_if_identified),
	    cmocka_unit_test(fault_16_23_waiting_goes_on_when_signals_interrupt_it),
	    cmocka_unit_test(fault_19_no_signal_reaches_another_process),
	};
	if (readlink("/proc/self/exe", self, sizeof self - 1) < 0) {
		return 1;
	}
	if (argc > 2 && strcmp(argv[1], "--look") == 0) {
		return look_from_here(argv[2]);
	}
	if (argc > 1 && strcmp(argv[1], "--decoy") == 0) {
		return be_decoy();
	}
	if (argc > 1 && strcmp(argv[1], "--inside-namespace") == 0) {
		return inside_namespace();
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
