/* SPDX-License-Identifier: MIT */
/* Real children: what they inherit, and the error when a start fails. */
#include "process/low_files.h"
#include "process/spawn.h"
#include "support/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { DEADLINE = 20000 };

#define COMMAND(...)  ((const char *const[]){__VA_ARGS__, NULL})
#define SHELL(script) COMMAND("/bin/sh", "-c", script)

static struct obi_exit end_of(struct obi_process *process)
{
	struct pollfd p = {.fd = process->pidfd, .events = POLLIN};
	struct obi_exit end = {OB_EXIT_UNKNOWN, -1};
	assert_int_equal(poll(&p, 1, DEADLINE), 1);
	assert_int_equal(obi_process_end(process, &end), OB_OK);
	return end;
}

static void no_child_is_left(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* Spawn with stdout and stderr in one pipe, and return its whole output. */
static int spawn_into(const struct ob_connector_options *options, const char *plugin_path,
		      char *text, size_t cap, struct obi_process *process, struct ob_error *err)
{
	int out[2];
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	struct obi_spawn spawn = {.options = options,
				  .config_path = "/d/outboard.json",
				  .plugin_path = plugin_path,
				  .out_fd = out[1],
				  .err_fd = out[1],
				  .lock_fd = -1,
				  .start_fd = -1};
	int r = obi_spawn(&spawn, process, err);
	close(out[1]);
	size_t len = 0;
	for (ssize_t n = 1; n > 0; len += (size_t)n) {
		n = read(out[0], text + len, cap - 1 - len);
		assert_true(n >= 0);
	}
	text[len] = '\0';
	close(out[0]);
	return r;
}

static void expect_output(const struct ob_connector_options *options, const char *want)
{
	char text[65536];
	struct obi_process process = OBI_PROCESS_NONE;
	struct ob_error err = {0};
	if (spawn_into(options, NULL, text, sizeof text, &process, &err) < 0) {
		fail_msg("%s", err.text);
	}
	struct obi_exit end = end_of(&process);
	assert_string_equal(text, want);
	assert_int_equal(end.kind, OB_EXIT_CODE);
	assert_int_equal(end.value, 0);
}

static void expect_failure(const struct ob_connector_options *options, int code, int sys,
			   const char *text)
{
	char output[256];
	struct obi_process process = OBI_PROCESS_NONE;
	struct ob_error err = {0};
	int fds = scratch_open_fds();
	assert_int_equal(spawn_into(options, NULL, output, sizeof output, &process, &err), code);
	assert_string_equal(err.text, text);
	assert_int_equal(err.sys, sys);
	assert_int_equal(err.code, code);
	assert_int_equal(process.pidfd, -1);
	assert_int_equal(scratch_open_fds(), fds);
	no_child_is_left();
}

/* ---- Failures ---- */

static void fault_1_program_is_missing(void **unused)
{
	(void)unused;
	struct ob_connector_options options = {.argv = COMMAND("/nonexistent/program")};
	expect_failure(
	    &options, OB_ENOENT, ENOENT,
	    "starting outboard process: exec /nonexistent/program: No such file or directory");
	/* A directory of PATH that this user may not enter would make it EACCES. */
	char *path = scratch_text("%s", getenv("PATH"));
	setenv("PATH", "/usr/bin:/bin", 1);
	options.argv = COMMAND("no-such-command-anywhere");
	expect_failure(&options, OB_ENOENT, ENOENT,
		       "starting outboard process: \"no-such-command-anywhere\" in PATH of the "
		       "parent: No such file or directory");
	setenv("PATH", path, 1);
	free(path);
	options.argv = COMMAND("./relative");
	expect_failure(&options, OB_EINVAL, 0,
		       "starting outboard process: \"./relative\": neither an absolute path nor a "
		       "name to be found in PATH");
}

static void fault_1_program_cannot_be_executed(void **unused)
{
	(void)unused;
	char *dir = scratch_make(), *path = scratch_text("%s/program", dir);
	scratch_write(path, "x", 1, 0600);
	struct ob_connector_options options = {.argv = COMMAND(path)};
	char *text = scratch_text("starting outboard process: exec %s: Permission denied", path);
	expect_failure(&options, OB_EPERM, EACCES, text);
	free(text);
	assert_int_equal(chmod(path, 0700), 0);
	text = scratch_text("starting outboard process: exec %s: Exec format error", path);
	expect_failure(&options, OB_EIO, ENOEXEC, text);
	free(text);
	free(path);
	scratch_remove(dir);
}

static void fault_1_program_is_being_written(void **unused)
{
	(void)unused;
	char *dir = scratch_make(), *path = scratch_text("%s/program", dir);
	scratch_copy("/bin/true", path, 0700);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	struct ob_connector_options options = {.argv = COMMAND(path)};
	char *text = scratch_text("starting outboard process: exec %s: Text file busy", path);
	expect_failure(&options, OB_EIO, ETXTBSY, text);
	close(fd);
	expect_output(&options, "");
	free(text);
	free(path);
	scratch_remove(dir);
}

static void fault_1_arguments_are_too_long(void **unused)
{
	(void)unused;
	size_t len = 8 << 20;
	char *huge = malloc(len);
	assert_non_null(huge);
	memset(huge, 'x', len - 1);
	huge[len - 1] = '\0';
	struct ob_connector_options options = {.argv = COMMAND("/bin/true", huge)};
	expect_failure(&options, OB_ETOOBIG, E2BIG,
		       "starting outboard process: exec /bin/true: Argument list too long");
	free(huge);
}

static void failed_step_is_named(void **unused)
{
	(void)unused;
	const struct ob_rlimit inverted[] = {{"core", 0, 0}, {"nofile", 64, 32}, {0}};
	const struct ob_rlimit unknown[] = {{"patience", 1, 1}, {0}};
	struct ob_connector_options options = {.argv = COMMAND("/bin/true"), .cwd = "/nonexistent"};
	expect_failure(
	    &options, OB_ENOENT, ENOENT,
	    "starting outboard process: directory /nonexistent: No such file or directory");
	options = (struct ob_connector_options){.argv = COMMAND("/bin/true"),
						.stdin_path = "/nonexistent"};
	expect_failure(&options, OB_ENOENT, ENOENT,
		       "starting outboard process: stdin /nonexistent: No such file or directory");
	options = (struct ob_connector_options){.argv = COMMAND("/bin/true"), .limits = inverted};
	expect_failure(&options, OB_EINVAL, EINVAL,
		       "starting outboard process: limit nofile: Invalid argument");
	options = (struct ob_connector_options){.argv = COMMAND("/bin/true"), .limits = unknown};
	expect_failure(&options, OB_EINVAL, 0,
		       "starting outboard process: limit \"patience\": no such limit");
	options =
	    (struct ob_connector_options){.argv = COMMAND("/bin/true"), .user = "no-such-user"};
	expect_failure(&options, OB_EINVAL, 0,
		       "starting outboard process: user \"no-such-user\": no such user");
	options =
	    (struct ob_connector_options){.argv = COMMAND("/bin/true"), .group = "no-such-group"};
	expect_failure(&options, OB_EINVAL, 0,
		       "starting outboard process: group \"no-such-group\": no such group");
	options = (struct ob_connector_options){.argv = COMMAND("/bin/true"), .user = "3999999999"};
	expect_failure(&options, OB_EINVAL, 0,
		       "starting outboard process: user 3999999999: not in the user database, so a "
		       "group is required");
}

/* ---- What a child inherits ---- */

static void fault_21_signals_are_as_if_newly_born(void **unused)
{
	(void)unused;
	sigset_t block, was;
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	sigaddset(&block, SIGRTMIN + 3);
	assert_int_equal(sigprocmask(SIG_BLOCK, &block, &was), 0);
	void (*pipe_was)(int) = signal(SIGPIPE, SIG_IGN);
	void (*hup_was)(int) = signal(SIGHUP, SIG_IGN);
	struct ob_connector_options options = {
	    .argv = COMMAND("grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status")};
	expect_output(&options, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");

	/* And ours are as they were. */
	sigset_t now;
	assert_int_equal(sigprocmask(SIG_SETMASK, &was, &now), 0);
	assert_true(sigismember(&now, SIGUSR1) && sigismember(&now, SIGRTMIN + 3) &&
		    !sigismember(&now, SIGTERM));
	assert_ptr_equal(signal(SIGPIPE, pipe_was), SIG_IGN);
	assert_ptr_equal(signal(SIGHUP, hup_was), SIG_IGN);
}

static void fault_71_environment_is_inherited_without_ours(void **unused)
{
	(void)unused;
	char text[65536];
	struct obi_process process;
	struct ob_error err = {0};
	assert_int_equal(setenv("OUTBOARD_CONFIG", "/stale", 1), 0);
	assert_int_equal(setenv("OUTBOARD_SECRET_OF_THE_PARENT", "1", 1), 0);
	assert_int_equal(setenv("SPAWN_KEPT", "kept", 1), 0);
	assert_int_equal(setenv("SPAWN_CHANGED", "old", 1), 0);
	const char *const extra[] = {"SPAWN_CHANGED=new", "OUTBOARD_CONFIG=/forged",
				     "SPAWN_TWICE=1",	  "SPAWN_TWICE=2",
				     "OUTBOARD_LOG=x",	  NULL};
	struct ob_connector_options options = {.argv = COMMAND("env"), .env = extra};
	if (spawn_into(&options, "/plugins", text, sizeof text, &process, &err) < 0) {
		fail_msg("%s", err.text);
	}
	end_of(&process);
	assert_non_null(strstr(text, "SPAWN_KEPT=kept\n"));
	assert_non_null(strstr(text, "SPAWN_CHANGED=new\n"));
	assert_non_null(strstr(text, "SPAWN_TWICE=2\n"));
	assert_non_null(strstr(text, "OUTBOARD_LOG=x\n"));
	assert_null(strstr(text, "SPAWN_CHANGED=old"));
	assert_null(strstr(text, "SPAWN_TWICE=1"));
	assert_null(strstr(text, "SECRET_OF_THE_PARENT"));
	assert_null(strstr(text, "/forged"));
	assert_null(strstr(text, "/stale"));
	const char *last = "OUTBOARD_PLUGIN_PATH=/plugins\nOUTBOARD_CONFIG=/d/outboard.json\n";
	assert_string_equal(text + strlen(text) - strlen(last), last);
	unsetenv("OUTBOARD_CONFIG");
	unsetenv("OUTBOARD_SECRET_OF_THE_PARENT");
}

static void fault_71_environment_is_empty_when_cleared(void **unused)
{
	(void)unused;
	const char *const extra[] = {"A=b", NULL};
	struct ob_connector_options options = {
	    .argv = COMMAND("env"), .env = extra, .env_clear = true};
	expect_output(&options, "A=b\nOUTBOARD_CONFIG=/d/outboard.json\n");
}

static void fault_72_only_declared_descriptors_are_open(void **unused)
{
	(void)unused;
	int leaky = open("/dev/null", O_RDONLY); /* without CLOEXEC, as a careless library would */
	int high = fcntl(leaky, F_DUPFD, 200);
	assert_true(leaky >= 0 && high >= 200);
	const char *script = "for i in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 200 201; do"
			     " [ -e /proc/self/fd/$i ] && echo $i; done; true";
	struct ob_connector_options options = {.argv = SHELL(script)};
	expect_output(&options, "0\n1\n2\n");
	close(leaky);
	close(high);
}

/* text is "PID TIME\n" of this process. */
static void must_be_signed_by(const char *text, const struct obi_process *process)
{
	struct obi_process found;
	long pid;
	unsigned long long noted;
	char newline;
	assert_int_equal(sscanf(text, "%ld %llu%c", &pid, &noted, &newline), 3);
	assert_int_equal(newline, '\n');
	assert_int_equal(pid, process->id.pid);
	assert_int_equal(getpgid((pid_t)pid), pid);
	assert_int_equal(obi_process_open_pid((int32_t)pid, noted, &found, NULL), OB_OK);
	assert_true(obi_procid_equal(&found.id, &process->id));
	obi_process_close(&found);
	/* A time before the start of the process means another process. */
	assert_int_equal(obi_process_open_pid((int32_t)pid, 1000, &found, NULL), OB_ENOENT);
}

/* A file that the process could not read if it had only this descriptor. */
static int open_new(const char *path, int flags)
{
	int fd = open(path, flags | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	return fd;
}

static struct obi_process spawn_with(int lock, int start)
{
	struct ob_connector_options options = {
	    .argv = SHELL("test $OUTBOARD_LOCK_FD = 3 && ! test -e /proc/self/fd/4 && "
			  "exec sleep 1000")};
	int null = open_new("/dev/null", O_WRONLY);
	struct obi_spawn spawn = {.options = &options,
				  .config_path = "/d",
				  .out_fd = null,
				  .err_fd = null,
				  .lock_fd = lock,
				  .start_fd = start};
	struct obi_process process;
	assert_int_equal(obi_spawn(&spawn, &process, NULL), OB_OK);
	close(null);
	return process;
}

static short lock_seen_at(const char *path)
{
	struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open_new(path, O_RDWR);
	assert_int_equal(fcntl(fd, F_OFD_GETLK, &fl), 0);
	close(fd);
	return fl.l_type;
}

static void lock_is_fd_3_and_the_start_is_signed(void **unused)
{
	(void)unused;
	char *dir = scratch_make(), *path = scratch_text("%s/lock", dir),
	     *start_path = scratch_text("%s/start", dir), text[64] = {0};
	int lock = open_new(path, O_RDONLY), start = open_new(start_path, O_WRONLY);
	struct flock fl = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
	assert_int_equal(fcntl(lock, F_OFD_SETLK, &fl), 0);
	struct obi_process process = spawn_with(lock, start);
	close(lock);
	close(start);
	/* Ours is closed; the child's keeps the lock. */
	assert_int_equal(lock_seen_at(path), F_RDLCK);
	int again = open_new(start_path, O_RDONLY);
	assert_true(pread(again, text, sizeof text - 1, 0) > 0);
	close(again);
	must_be_signed_by(text, &process);
	assert_int_equal(obi_process_signal(&process, SIGTERM, NULL), OB_OK);
	struct obi_exit end = end_of(&process);
	assert_int_equal(end.kind, OB_EXIT_SIGNAL);
	assert_int_equal(end.value, SIGTERM);
	assert_int_equal(lock_seen_at(path), F_UNLCK);
	free(start_path);
	free(path);
	scratch_remove(dir);
}

/* A pipe with numbers that the test does not use. */
static void high_pipe(int fds[2])
{
	int low[2];
	assert_int_equal(pipe2(low, O_CLOEXEC), 0);
	for (int i = 0; i < 2; i++) {
		fds[i] = fcntl(low[i], F_DUPFD_CLOEXEC, 50);
		assert_true(fds[i] >= 50);
		close(low[i]);
	}
}

static void put_back(int fd, int saved)
{
	close(fd);
	if (saved >= 0) {
		assert_int_equal(dup2(saved, fd), fd);
		close(saved);
	}
}

static void descriptors_may_have_any_number(void **unused)
{
	(void)unused;
	char text[64] = {0};
	int out[2], err[2];
	int saved_0 = fcntl(0, F_DUPFD_CLOEXEC, 50), saved_3 = fcntl(3, F_DUPFD_CLOEXEC, 50);
	high_pipe(out);
	high_pipe(err);
	/* stderr's pipe as 0 and stdout's as 3: each is where another one has to go. */
	assert_int_equal(dup2(err[1], 0), 0);
	assert_int_equal(dup2(out[1], 3), 3);
	struct ob_connector_options options = {.argv = SHELL("echo out; echo err >&2; cat")};
	struct obi_spawn spawn = {.options = &options,
				  .config_path = "/d",
				  .out_fd = 3,
				  .err_fd = 0,
				  .lock_fd = -1,
				  .start_fd = -1};
	struct obi_process process;
	int r = obi_spawn(&spawn, &process, NULL);
	put_back(0, saved_0);
	put_back(3, saved_3);
	assert_int_equal(r, OB_OK);
	assert_int_equal(end_of(&process).value, 0);
	assert_int_equal(read(out[0], text, sizeof text), 4);
	assert_string_equal(text, "out\n");
	assert_int_equal(read(err[0], text, sizeof text), 4);
	assert_string_equal(text, "err\n");
	for (int i = 0; i < 2; i++) {
		close(out[i]);
		close(err[i]);
	}
}

static void directory_umask_and_limits_are_set(void **unused)
{
	(void)unused;
	const struct ob_rlimit limits[] = {{"nofile", 77, 99}, {"core", 0, UINT64_MAX}, {0}};
	struct ob_connector_options options = {
	    .argv = SHELL("pwd; umask; ulimit -Sn; ulimit -Hn; ulimit -Sc"),
	    .cwd = "/usr",
	    .umask = 027,
	    .limits = limits,
	};
	expect_output(&options, "/usr\n0027\n77\n99\n0\n");
	options = (struct ob_connector_options){.argv = SHELL("umask"), .umask = -1};
	expect_output(&options, "0000\n");
	mode_t was = umask(011);
	options.umask = 0;
	expect_output(&options, "0011\n");
	umask(was);
}

/* The lock is signed although the child may not write to files. */
static void fault_96_no_limit_kills_before_exec(void **unused)
{
	(void)unused;
	const struct ob_rlimit limits[] = {{"fsize", 0, 0},
					   {"cpu", 9, 9},
					   {"nproc", 0, 0},
					   {"core", 0, 0},
					   {"nice", 0, 0},
					   {"memlock", 0, 0},
					   {0}};
	struct ob_connector_options options = {.argv = SHELL("ulimit -f"), .limits = limits};
	struct obi_process process;
	char text[64] = "", path[] = "/tmp/outboard-lock-XXXXXX";
	int out[2], lock = mkostemp(path, O_CLOEXEC);
	assert_true(lock >= 0 && pipe2(out, O_CLOEXEC) == 0);
	struct obi_spawn spawn = {.options = &options,
				  .config_path = "/c",
				  .out_fd = out[1],
				  .err_fd = out[1],
				  .lock_fd = -1,
				  .start_fd = lock}; /* the write under fsize */
	assert_int_equal(obi_spawn(&spawn, &process, NULL), OB_OK);
	assert_int_equal(end_of(&process).value, 0);
	assert_int_equal(read(out[0], text, sizeof text - 1), 2);
	assert_string_equal(text, "0\n");
	assert_true(pread(lock, text, sizeof text - 1, 0) > 0);
	close(lock);
	close(out[0]);
	close(out[1]);
	unlink(path);
}

static void fault_96_a_limit_that_kills_in_exec_is_named(void **unused)
{
	(void)unused;
	const struct {
		struct ob_rlimit limits[3];
		const char *blame;
	} deadly[] = {{{{"as", 0, 0}}, "as"},
		      {{{"as", 4096, UINT64_MAX}}, "as"},
		      {{{"data", 0, 0}}, "data"},
		      {{{"data", 0, 0}, {"as", UINT64_MAX, UINT64_MAX}}, "data"}};
	for (size_t i = 0; i < sizeof deadly / sizeof deadly[0]; i++) {
		struct ob_connector_options options = {.argv = COMMAND("/bin/true"),
						       .limits = deadly[i].limits};
		char *text = scratch_text("starting outboard process: exec /bin/true: killed by "
					  "signal 11 at once (limit %s)",
					  deadly[i].blame);
		expect_failure(&options, OB_EEXITED, 0, text);
		free(text);
	}
}

static void a_program_that_runs_and_dies_is_not_a_failure_of_exec(void **unused)
{
	(void)unused;
	const struct ob_rlimit limits[] = {{"as", 1 << 30, 1 << 30}, {0}};
	struct ob_connector_options options = {.argv = SHELL("sleep 0.1; kill -SEGV $$"),
					       .limits = limits};
	struct obi_spawn spawn = {
	    .options = &options, .config_path = "/c", .lock_fd = -1, .start_fd = -1};
	struct obi_process process;
	spawn.out_fd = spawn.err_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	assert_int_equal(obi_spawn(&spawn, &process, NULL), OB_OK);
	assert_int_equal(end_of(&process).value, SIGSEGV);
	close(spawn.out_fd);
}

static void stdin_is_dev_null_or_the_given_file(void **unused)
{
	(void)unused;
	struct ob_connector_options options = {.argv = COMMAND("readlink", "/proc/self/fd/0")};
	expect_output(&options, "/dev/null\n");
	char *dir = scratch_make(), *path = scratch_text("%s/input", dir);
	scratch_write(path, "hello\n", 6, 0600);
	options = (struct ob_connector_options){.argv = COMMAND("cat"), .stdin_path = path};
	expect_output(&options, "hello\n");
	/* A FIFO that nobody writes to does not hold up the spawn. */
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	expect_output(&options, "");
	free(path);
	scratch_remove(dir);
}

static void user_and_group_of_the_parent_stay_unchanged(void **unused)
{
	(void)unused;
	if (geteuid() != 0) {
		print_message("skipped: only root can act as another user\n");
		skip();
	}
	struct ob_connector_options options = {
	    .argv = SHELL("id -u; id -g; id -G"), .user = "65533", .group = "65532"};
	expect_output(&options, "65533\n65532\n65532\n");
	options = (struct ob_connector_options){.argv = SHELL("id -un; id -gn"), .user = "nobody"};
	expect_output(&options, "nobody\nnogroup\n");
	options = (struct ob_connector_options){.argv = SHELL("id -u; id -g"), .group = "nogroup"};
	expect_output(&options, "0\n65534\n");
	assert_int_equal(geteuid(), 0);
	assert_int_equal(prctl(PR_GET_DUMPABLE), 1);
	/* What the new user may not enter. */
	char *dir = scratch_make();
	options = (struct ob_connector_options){.argv = SHELL("pwd"), .user = "nobody", .cwd = dir};
	char *text =
	    scratch_text("starting outboard process: directory %s: Permission denied", dir);
	expect_failure(&options, OB_EPERM, EACCES, text);
	assert_int_equal(prctl(PR_GET_DUMPABLE), 1);
	free(text);
	scratch_remove(dir);
}

static void simultaneous_deaths_are_all_reported(void **unused)
{
	(void)unused;
	int fds = scratch_open_fds();
	for (int i = 0; i < 300; i++) {
		char text[8];
		struct obi_process process;
		struct ob_connector_options options = {
		    .argv = COMMAND(i % 2 ? "/bin/true" : "/bin/false")};
		assert_int_equal(spawn_into(&options, NULL, text, sizeof text, &process, NULL),
				 OB_OK);
		assert_true(process.id.pid > 0 && process.own);
		struct obi_exit end = end_of(&process);
		assert_int_equal(end.kind, OB_EXIT_CODE);
		assert_int_equal(end.value, i % 2 ? 0 : 1);
	}
	assert_int_equal(scratch_open_fds(), fds);
	no_child_is_left();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fault_1_program_is_missing),
	    cmocka_unit_test(fault_1_program_cannot_be_executed),
	    cmocka_unit_test(fault_1_program_is_being_written),
	    cmocka_unit_test(fault_1_arguments_are_too_long),
	    cmocka_unit_test(failed_step_is_named),
	    cmocka_unit_test(fault_21_signals_are_as_if_newly_born),
	    cmocka_unit_test(fault_71_environment_is_inherited_without_ours),
	    cmocka_unit_test(fault_71_environment_is_empty_when_cleared),
	    cmocka_unit_test(fault_72_only_declared_descriptors_are_open),
	    cmocka_unit_test(lock_is_fd_3_and_the_start_is_signed),
	    cmocka_unit_test(descriptors_may_have_any_number),
	    cmocka_unit_test(directory_umask_and_limits_are_set),
	    cmocka_unit_test(fault_96_no_limit_kills_before_exec),
	    cmocka_unit_test(fault_96_a_limit_that_kills_in_exec_is_named),
	    cmocka_unit_test(a_program_that_runs_and_dies_is_not_a_failure_of_exec),
	    cmocka_unit_test(stdin_is_dev_null_or_the_given_file),
	    cmocka_unit_test(user_and_group_of_the_parent_stay_unchanged),
	    cmocka_unit_test(simultaneous_deaths_are_all_reported),
	};
	int failed = cmocka_run_group_tests_name("with a copy of the table", tests, NULL, NULL);
	obi_low_files_hold();
	failed += cmocka_run_group_tests_name("with a part of it", tests, NULL, NULL);
	obi_low_files_release();
	return failed;
}
