/* SPDX-License-Identifier: MIT */
/*
 * The child shares the parent's memory, with errno, the locks of libc and the state of the
 * sanitizers. So this file calls syscall() only, and is not instrumented. The parent's thread waits
 * until exec or exit; its other threads run on.
 *
 * The ids are set by system calls: setuid() of libc would change those of all threads of the
 * parent.
 */
#include "process/spawn_child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#if defined(__has_attribute)
#if __has_attribute(disable_sanitizer_instrumentation)
#define BARE __attribute__((disable_sanitizer_instrumentation))
#endif
#endif
#ifndef BARE
#define BARE __attribute__((no_sanitize("address", "thread", "undefined")))
#endif

/* On 32-bit systems the plain names take 16-bit ids. */
#ifdef SYS_setresuid32
#define SETRESUID SYS_setresuid32
#define SETRESGID SYS_setresgid32
#define SETGROUPS SYS_setgroups32
#else
#define SETRESUID SYS_setresuid
#define SETRESGID SYS_setresgid
#define SETGROUPS SYS_setgroups
#endif

enum { SIGNALS = 64, LOCK_FD = 3 };

/* The kernel's struct sigaction; zeroed it is SIG_DFL. libc refuses the signals that it uses
 * itself. */
struct kernel_sigaction {
	unsigned long words[8];
};

BARE static bool set_signals(void)
{
	static const struct kernel_sigaction dfl;
	static const uint64_t empty;
	for (int sig = 1; sig <= SIGNALS; sig++) {
		if (sig != SIGKILL && sig != SIGSTOP) {
			syscall(SYS_rt_sigaction, sig, &dfl, NULL, sizeof empty);
		}
	}
	return syscall(SYS_rt_sigprocmask, SIG_SETMASK, &empty, NULL, sizeof empty) == 0;
}

/*
 * Only descriptors 0 to 3 stay open. The others are closed here, because exec lets the parent run
 * on before it closes them: if the parent was killed at that moment, its lock would stay with the
 * child, and the next parent would find the directory in use. dup3 clears CLOEXEC.
 */
BARE static bool set_files(const struct obi_spawn_child *child)
{
	unsigned int first = child->fds[LOCK_FD] < 0 ? LOCK_FD : LOCK_FD + 1;
	/* Before this the table is the parent's, and must not be changed. */
	if (child->unshare_from > 0 &&
	    syscall(SYS_close_range, child->unshare_from, ~0U, CLOSE_RANGE_UNSHARE) < 0) {
		return false;
	}
	for (unsigned int i = 0; i < first; i++) {
		if (syscall(SYS_dup3, child->fds[i], i, 0) < 0) {
			return false;
		}
	}
	return syscall(SYS_close_range, first, ~0U, 0) == 0;
}

BARE static bool set_limits(struct obi_spawn_child *child)
{
	for (size_t i = 0; i < child->limit_count; i++) {
		child->limit = i;
		if (syscall(SYS_prlimit64, 0, child->limits[i].resource, &child->limits[i].limit,
			    NULL) < 0) {
			return false;
		}
	}
	return true;
}

BARE static bool set_user(const struct obi_spawn_child *child)
{
	if (!child->change_user) {
		return true;
	}
	return syscall(SETGROUPS, child->group_count, child->groups) == 0 &&
	       syscall(SETRESGID, child->gid, child->gid, child->gid) == 0 &&
	       syscall(SETRESUID, child->uid, child->uid, child->uid) == 0;
}

BARE static bool set_cwd(const struct obi_spawn_child *child)
{
	if (child->mask >= 0) {
		syscall(SYS_umask, child->mask);
	}
	return child->cwd == NULL || syscall(SYS_chdir, child->cwd) == 0;
}

/* Append the digits of number; returns the end. */
BARE static char *digits(char *at, uint64_t number)
{
	char reversed[20];
	int count = 0;
	do {
		reversed[count++] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	while (count > 0) {
		*at++ = reversed[--count];
	}
	return at;
}

/* "PID BOOTTIME_NS\n": from here on a later parent can find this process. It is written before the
 * descriptors change, and before a limit could kill us for it. */
BARE static bool sign_start(const struct obi_spawn_child *child)
{
	char text[48];
	struct timespec now = {0, 0};
	if (child->start_fd < 0) {
		return true;
	}
	if (syscall(SYS_clock_gettime, CLOCK_BOOTTIME, &now) < 0) {
		return false;
	}
	char *at = digits(text, (uint64_t)syscall(SYS_getpid));
	*at++ = ' ';
	at = digits(at, (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec -
			    (uint64_t)child->boot_offset_ns);
	*at++ = '\n';
	long len = at - text;
	return syscall(SYS_write, child->start_fd, text, len) == len;
}

/*
 * "0" is the process that writes. It comes behind the signature: who is in the cgroup can be found.
 * It comes before the change of the user, who may not write there. Until exec the memory is the
 * parent's and stays charged to it, and when the cgroup runs out of memory the kernel spares who is
 * in a vfork.
 */
BARE static bool join_cgroup(const struct obi_spawn_child *child)
{
	return child->cgroup_fd == 0 || syscall(SYS_write, child->cgroup_fd, "0", 1) == 1;
}

BARE static bool take_step(struct obi_spawn_child *child, enum obi_spawn_step step)
{
	child->step = (int)step;
	switch (step) {
	case OBI_SPAWN_SESSION:
		return syscall(SYS_setsid) >= 0;
	case OBI_SPAWN_SIGNALS:
		return set_signals();
	case OBI_SPAWN_START:
		return sign_start(child);
	case OBI_SPAWN_CGROUP:
		return join_cgroup(child);
	case OBI_SPAWN_FILES:
		return set_files(child);
	case OBI_SPAWN_LIMIT:
		return set_limits(child);
	case OBI_SPAWN_USER:
		return set_user(child);
	case OBI_SPAWN_CWD:
		return set_cwd(child);
	case OBI_SPAWN_EXEC:
		return syscall(SYS_execve, child->file, child->argv, child->envp) == 0;
	}
	return false;
}

BARE int obi_spawn_child(void *user)
{
	struct obi_spawn_child *child = user;
	for (int step = OBI_SPAWN_SESSION; step <= OBI_SPAWN_EXEC; step++) {
		if (!take_step(child, (enum obi_spawn_step)step)) {
			break;
		}
	}
	child->sys = errno;
	for (;;) {
		syscall(SYS_exit_group, 127);
	}
}
