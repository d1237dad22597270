/* SPDX-License-Identifier: MIT */
#include "process/spawn.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/failpoint.h"
#include "base/signal_names.h"
#include "process/environ.h"
#include "process/exec_limits.h"
#include "process/kernel_calls.h"
#include "process/low_files.h"
#include "process/nofile.h"
#include "process/spawn_child.h"
#include "process/user.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* TSan treats every clone as a fork and would attach the child to our memory. libc's internal name
 * avoids its interceptor. */
#if defined(__SANITIZE_THREAD__)
#define PAST_TSAN
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PAST_TSAN
#endif
#endif
#ifdef PAST_TSAN
int __clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);
#define clone __clone
#endif

enum { STACK = 64 * 1024, MEMORY = 16 << 20 };

/* Everything of one spawn. */
struct job {
	const struct obi_spawn *given;
	struct obi_arena arena;
	struct obi_spawn_child child;
	int made[4]; /* descriptors to be closed; -1: none */
};

static int no_memory(struct ob_error *reterr)
{
	return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
}

/* "NAME=value" in the job's arena. */
static const char *variable(struct job *job, const char *name, const char *value)
{
	size_t len = strlen(name) + strlen(value) + 2;
	char *text = ob_arena_alloc(&job->arena.ob, len);
	if (text != NULL) {
		snprintf(text, len, "%s=%s", name, value);
	}
	return text;
}

static int prepare_exec(struct job *job, struct ob_error *reterr)
{
	const struct ob_connector_options *options = job->given->options;
	const char *ours[4] = {NULL};
	int count = 0;
	int r =
	    obi_environ_find(options->argv[0], options->env, &job->arena, &job->child.file, reterr);
	if (r < 0) {
		return r;
	}
	if (job->given->plugin_path != NULL) {
		ours[count++] = variable(job, "OUTBOARD_PLUGIN_PATH", job->given->plugin_path);
	}
	if (job->given->lock_fd >= 0) {
		ours[count++] = "OUTBOARD_LOCK_FD=3";
	}
	if (job->given->config_path != NULL) {
		ours[count++] = variable(job, "OUTBOARD_CONFIG", job->given->config_path);
	}
	for (int i = 0; i < count; i++) {
		if (ours[i] == NULL) {
			return no_memory(reterr);
		}
	}
	job->child.argv = (char *const *)(uintptr_t)options->argv;
	job->child.envp = obi_environ_make(options->env, options->env_clear, ours, &job->arena);
	return job->child.envp != NULL ? OB_OK : no_memory(reterr);
}

static int prepare_limits(struct job *job, struct ob_error *reterr)
{
	const struct ob_rlimit *given = job->given->options->limits;
	size_t count = 0;
	while (given != NULL && given[count].name != NULL) {
		count++;
	}
	struct obi_spawn_limit *all = ob_arena_alloc(&job->arena.ob, (count + 1) * sizeof *all);
	if (all == NULL) {
		return no_memory(reterr);
	}
	/* First what this process has raised for itself: an option may set it again. */
	all[0] = (struct obi_spawn_limit){.name = "nofile", .resource = RLIMIT_NOFILE};
	size_t own = obi_nofile_of_children(&all[0].limit) ? 1 : 0;
	struct obi_spawn_limit *limits = all + own;
	for (size_t i = 0; i < count; i++) {
		limits[i].name = given[i].name;
		limits[i].resource = obi_rlimit_number(ob_bytes_text(given[i].name));
		limits[i].limit = (struct rlimit64){given[i].soft, given[i].hard};
		if (limits[i].resource < 0) {
			return obi_fail(reterr, OB_EINVAL, 0, "limit \"%s\": no such limit",
					given[i].name);
		}
	}
	job->child.limits = all;
	job->child.limit_count = own + count;
	return OB_OK;
}

static int prepare_user(struct job *job, struct ob_error *reterr)
{
	const struct ob_connector_options *options = job->given->options;
	struct obi_user user;
	int r = obi_spawn_user(options, &user, reterr);
	if (r < 0 || !user.change) {
		return r;
	}
	job->child.change_user = true;
	job->child.uid = user.uid;
	job->child.gid = user.gid;
	return obi_user_groups(options->user, user.gid, &job->arena, &job->child.groups,
			       &job->child.group_count, reterr);
}

/* Opened here, so that a FIFO does not block the child and a failure can be named. */
static int open_stdin(struct job *job, struct ob_error *reterr)
{
	const char *path = job->given->options->stdin_path;
	path = path != NULL ? path : "/dev/null";
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	job->made[0] = fd;
	if (fd < 0 || fcntl(fd, F_SETFL, 0) < 0) {
		return obi_fail(reterr, obi_code_of_errno(errno), errno, "stdin %s", path);
	}
	job->child.fds[0] = fd;
	return OB_OK;
}

/* Above 3, so that no dup3 in the child overwrites one that is still needed. */
static int lift_files(struct job *job, struct ob_error *reterr)
{
	for (int i = 0; i < 4; i++) {
		if (job->child.fds[i] < 0 || job->child.fds[i] > OBI_LOCK_FD) {
			continue;
		}
		int fd = fcntl(job->child.fds[i], F_DUPFD_CLOEXEC, OBI_LOCK_FD + 1);
		if (fd < 0) {
			return obi_fail(reterr, obi_code_of_errno(errno), errno,
					"file descriptors");
		}
		if (job->made[i] >= 0) {
			close(job->made[i]);
		}
		job->made[i] = job->child.fds[i] = fd;
	}
	return OB_OK;
}

static int prepare(struct job *job, struct ob_error *reterr)
{
	const struct ob_connector_options *options = job->given->options;
	job->child.fds[1] = job->given->out_fd;
	job->child.fds[2] = job->given->err_fd;
	job->child.fds[3] = job->given->lock_fd;
	job->child.start_fd = job->given->start_fd;
	job->child.cgroup_fd = job->given->cgroup_fd;
	job->child.boot_offset_ns = obi_clock_boot_offset_ns();
	job->child.cwd = options->cwd;
	job->child.mask = options->umask == 0 ? -1 : options->umask > 0 ? options->umask : 0;
	int r = prepare_exec(job, reterr);
	r = r < 0 ? r : prepare_limits(job, reterr);
	r = r < 0 ? r : prepare_user(job, reterr);
	r = r < 0 ? r : open_stdin(job, reterr);
	return r < 0 ? r : lift_files(job, reterr);
}

/*
 * clone, with all signals blocked: a handler of the parent must not run in the child. When the
 * child changes its user, the kernel clears "dumpable" of the shared memory; it is restored when
 * the child has memory of its own.
 */
static int clone_child(struct obi_spawn_child *child, int *ret_pidfd)
{
	sigset_t all, was;
	void *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (stack == MAP_FAILED) {
		return -errno;
	}
	int dumpable = child->change_user ? prctl(PR_GET_DUMPABLE) : 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &was);
	OBI_CRASHPOINT("before_fork");
	int flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD;
	flags |= child->unshare_from > 0 ? CLONE_FILES : 0;
	int pid = OBI_FAILPOINT("clone")
		      ? -1
		      : clone(obi_spawn_child, (char *)stack + STACK, flags, child, ret_pidfd);
	int sys = errno;
	OBI_CRASHPOINT("after_clone");
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	if (dumpable == 1) {
		prctl(PR_SET_DUMPABLE, 1);
	}
	munmap(stack, STACK);
	return pid < 0 ? -sys : pid;
}

/* The table of descriptors is shared until the child has a small one, if that is possible. */
static int clone_cheaply(struct obi_spawn_child *child, int *ret_pidfd)
{
	int low[OBI_LOW_FILES];
	child->unshare_from = (unsigned)obi_low_files_borrow(child->fds, low);
	if (child->unshare_from == 0) {
		return clone_child(child, ret_pidfd);
	}
	memcpy(child->fds, low, sizeof low);
	int pid = clone_child(child, ret_pidfd);
	obi_low_files_return();
	return pid;
}

static int code_of(const struct obi_spawn_child *child)
{
	return child->sys == E2BIG ? OB_ETOOBIG : obi_code_of_errno(child->sys);
}

/* The step that failed in the child. */
static int tell_step(const struct obi_spawn_child *child, struct ob_error *reterr)
{
	const char *what[] = {"session (setsid)",
			      "signals",
			      "start file",
			      "joining its cgroup (cgroup.procs)",
			      "file descriptors (dup3, close_range)",
			      "limit",
			      "user and group",
			      "directory",
			      "exec"};
	const char *name = "";
	char blame[128] = "";
	switch (child->step) {
	case OBI_SPAWN_LIMIT:
		name = child->limits[child->limit].name;
		break;
	case OBI_SPAWN_CWD:
		name = child->cwd;
		break;
	case OBI_SPAWN_EXEC:
		name = child->file;
		obi_exec_limits_blame(child, child->sys, blame, sizeof blame);
		break;
	default:
		break;
	}
	return obi_fail(reterr, code_of(child), child->sys, "%s%s%s%s", what[child->step],
			name[0] != '\0' ? " " : "", name, blame);
}

static int run(struct obi_spawn_child *child, struct obi_process *ret, struct ob_error *reterr)
{
	struct obi_process process = {.pidfd = -1, .own = true};
	int pid = clone_cheaply(child, &process.pidfd);
	if (pid < 0) {
		return obi_kernel_call_failed("clone", -pid, reterr);
	}
	if (child->sys != 0) {
		obi_process_reap(&process);
		close(process.pidfd);
		return tell_step(child, reterr);
	}
	int r = obi_exec_limits_await(child, &process, pid, reterr);
	if (r < 0) {
		obi_process_reap(&process);
		close(process.pidfd);
		return r;
	}
	r = obi_procid_of(process.pidfd, pid, &process.id, reterr);
	if (r == OB_ENOENT) {
		process.id.pid = pid; /* dead and reaped already, as its pidfd will show */
		r = obi_boot_id(process.id.boot, reterr);
	}
	if (r < 0) {
		process.id.pid = pid;
		obi_process_signal_group(&process, SIGKILL, NULL);
		obi_process_reap(&process);
		obi_process_close(&process);
		*ret = OBI_PROCESS_NONE;
		ret->id.pid = pid;
		return r;
	}
	*ret = process;
	return OB_OK;
}

int obi_spawn(const struct obi_spawn *spawn, struct obi_process *ret, struct ob_error *reterr)
{
	struct job job = {.given = spawn, .made = {-1, -1, -1, -1}};
	struct ob_error err = {0};
	obi_arena_init(&job.arena, MEMORY);
	int r = obi_kernel_calls_check(&err);
	r = r == OB_OK ? prepare(&job, &err) : r;
	if (r == OB_OK) {
		r = run(&job.child, ret, &err);
	}
	for (int i = 0; i < 4; i++) {
		if (job.made[i] >= 0) {
			close(job.made[i]);
		}
	}
	obi_arena_free(&job.arena);
	if (r < 0) {
		obi_wrap(&err, "starting outboard process");
		if (reterr != NULL) {
			*reterr = err;
		}
	}
	return r;
}
