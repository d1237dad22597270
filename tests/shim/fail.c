/* SPDX-License-Identifier: MIT */
/*
 * An LD_PRELOAD library that makes one call fail: the Nth of the calls that can fail for lack of
 * resources, counted between fail_arm(N) and fail_disarm(), which the program finds with
 * dlsym(). With N = 0 it only counts. Programs that the process starts do not inherit it.
 *
 * Not failed: the wake-up descriptor of libev, and the epoll descriptor that it makes in place of
 * one that it has just closed, where libev can only abort(); and the calls of a sanitizer when a
 * thread starts.
 */
#include "shim.h"

#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_bool armed;
static atomic_ulong count, victim;
static uintptr_t spared_from, spared_to;
static _Thread_local bool spared;
static _Thread_local bool renews_epoll; /* libev closed its epoll descriptor, and nothing since */
static const char *_Atomic failed;

/* Whether this call is to fail. */
static bool is_victim(const char *name, int sys)
{
	renews_epoll = false;
	if (!atomic_load(&armed) || spared) {
		return false;
	}
	if (atomic_fetch_add(&count, 1) + 1 != atomic_load(&victim)) {
		return false;
	}
	atomic_store(&failed, name);
	errno = sys;
	return true;
}

static bool is_of_libev(const void *caller)
{
	return (uintptr_t)caller >= spared_from && (uintptr_t)caller < spared_to;
}

#define fails(sys) is_victim(__func__, sys)

/* ---- Functions for the program ---- */

static int find_libev(struct dl_phdr_info *info, size_t size, void *unused)
{
	(void)size;
	(void)unused;
	if (strstr(info->dlpi_name, "/libev.so") == NULL) {
		return 0;
	}
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];
		if (part->p_type == PT_LOAD && (part->p_flags & PF_X) != 0) {
			spared_from = info->dlpi_addr + part->p_vaddr;
			spared_to = spared_from + part->p_memsz;
		}
	}
	return 1;
}

VISIBLE void fail_arm(unsigned long n);
VISIBLE unsigned long fail_disarm(void);
VISIBLE const char *fail_name(void);

void fail_arm(unsigned long n)
{
	dl_iterate_phdr(find_libev, NULL);
	atomic_store(&count, 0);
	atomic_store(&victim, n);
	atomic_store(&armed, true);
}

unsigned long fail_disarm(void)
{
	atomic_store(&armed, false);
	return atomic_load(&count);
}

/* The name of the function that failed; NULL: none. */
const char *fail_name(void)
{
	return atomic_load(&failed);
}

__attribute__((constructor)) static void begin(void)
{
	unsetenv("LD_PRELOAD");
}

/* ---- Memory ---- */

VISIBLE void *malloc(size_t size)
{
	REAL(malloc);
	return fails(ENOMEM) ? NULL : real(size);
}

VISIBLE void *calloc(size_t n, size_t size)
{
	REAL(calloc);
	return fails(ENOMEM) ? NULL : real(n, size);
}

VISIBLE void *realloc(void *old, size_t size)
{
	REAL(realloc);
	return size > 0 && fails(ENOMEM) ? NULL : real(old, size);
}

VISIBLE char *strdup(const char *text)
{
	REAL(strdup);
	return fails(ENOMEM) ? NULL : real(text);
}

VISIBLE char *strndup(const char *text, size_t n)
{
	REAL(strndup);
	return fails(ENOMEM) ? NULL : real(text, n);
}

VISIBLE int pthread_getattr_np(pthread_t thread, pthread_attr_t *attr)
{
	REAL(pthread_getattr_np);
	spared = true;
	int r = real(thread, attr);
	spared = false;
	return r;
}

VISIBLE int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
			   void *(*start)(void *), void *argument)
{
	REAL(pthread_create);
	return fails(EAGAIN) ? EAGAIN : real(thread, attributes, start, argument);
}

/* ---- Files and descriptors ---- */

VISIBLE int open(const char *path, int flags, ...)
{
	REAL(open);
	va_list args;
	va_start(args, flags);
	mode_t mode = mode_of(flags, args);
	va_end(args);
	return fails(EMFILE) ? -1 : real(path, flags, mode);
}

VISIBLE int openat(int dir, const char *path, int flags, ...)
{
	REAL(openat);
	va_list args;
	va_start(args, flags);
	mode_t mode = mode_of(flags, args);
	va_end(args);
	return fails(EMFILE) ? -1 : real(dir, path, flags, mode);
}

VISIBLE int fcntl(int fd, int command, ...)
{
	REAL(fcntl);
	va_list args;
	va_start(args, command);
	void *argument = va_arg(args, void *);
	va_end(args);
	return fails(command == F_DUPFD_CLOEXEC || command == F_DUPFD ? EMFILE : ENOLCK)
		   ? -1
		   : real(fd, command, argument);
}

VISIBLE int pipe2(int fds[2], int flags)
{
	REAL(pipe2);
	return fails(EMFILE) ? -1 : real(fds, flags);
}

VISIBLE int eventfd(unsigned first, int flags)
{
	REAL(eventfd);
	return fails(EMFILE) ? -1 : real(first, flags);
}

VISIBLE int signalfd(int fd, const sigset_t *signals, int flags)
{
	REAL(signalfd);
	return fails(EMFILE) ? -1 : real(fd, signals, flags);
}

VISIBLE int pidfd_open(pid_t pid, unsigned flags)
{
	REAL(pidfd_open);
	return fails(EMFILE) ? -1 : real(pid, flags);
}

VISIBLE int mkfifoat(int dir, const char *path, mode_t mode)
{
	REAL(mkfifoat);
	return fails(ENOSPC) ? -1 : real(dir, path, mode);
}

VISIBLE int mkdirat(int dir, const char *path, mode_t mode)
{
	REAL(mkdirat);
	return fails(ENOSPC) ? -1 : real(dir, path, mode);
}

VISIBLE int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	REAL(renameat);
	return fails(ENOSPC) ? -1 : real(from_dir, from, to_dir, to);
}

VISIBLE int fsync(int fd)
{
	REAL(fsync);
	return fails(EIO) ? -1 : real(fd);
}

/* ---- Waiting ---- */

static bool is_anonymous(int fd, const char *kind)
{
	char path[32], target[32] = "";
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return readlink(path, target, sizeof target - 1) > 0 && strcmp(target, kind) == 0;
}

/* libev makes its epoll descriptor anew when the kernel reports a descriptor that was closed, which
 * happens while a process that is being started still has it. */
VISIBLE int close(int fd)
{
	REAL(close);
	renews_epoll =
	    is_of_libev(__builtin_return_address(0)) && is_anonymous(fd, "anon_inode:[eventpoll]");
	return real(fd);
}

VISIBLE int epoll_create1(int flags)
{
	REAL(epoll_create1);
	return !renews_epoll && fails(EMFILE) ? -1 : real(flags);
}

static bool is_wake_up(int fd)
{
	return is_anonymous(fd, "anon_inode:[eventfd]");
}

VISIBLE int epoll_ctl(int epoll, int what, int fd, struct epoll_event *event)
{
	REAL(epoll_ctl);
	bool may_fail = what == EPOLL_CTL_ADD && !is_wake_up(fd);
	return may_fail && fails(ENOMEM) ? -1 : real(epoll, what, fd, event);
}

VISIBLE int inotify_init1(int flags)
{
	REAL(inotify_init1);
	return fails(EMFILE) ? -1 : real(flags);
}

VISIBLE int inotify_add_watch(int fd, const char *path, uint32_t mask)
{
	REAL(inotify_add_watch);
	return fails(ENOSPC) ? -1 : real(fd, path, mask);
}

/* ---- Sockets ---- */

VISIBLE int socket(int domain, int type, int protocol)
{
	REAL(socket);
	return fails(EMFILE) ? -1 : real(domain, type, protocol);
}

VISIBLE int bind(int fd, __CONST_SOCKADDR_ARG address, socklen_t len)
{
	REAL(bind);
	return fails(EACCES) ? -1 : real(fd, address, len);
}

VISIBLE int listen(int fd, int backlog)
{
	REAL(listen);
	return fails(EADDRINUSE) ? -1 : real(fd, backlog);
}

VISIBLE int connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t len)
{
	REAL(connect);
	return fails(ECONNREFUSED) ? -1 : real(fd, address, len);
}

VISIBLE int accept4(int fd, __SOCKADDR_ARG address, socklen_t *len, int flags)
{
	REAL(accept4);
	return fails(EMFILE) ? -1 : real(fd, address, len, flags);
}

VISIBLE ssize_t readv(int fd, const struct iovec *pieces, int n)
{
	REAL(readv);
	return fails(EIO) ? -1 : real(fd, pieces, n);
}

VISIBLE ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	REAL(sendmsg);
	return fails(EPIPE) ? -1 : real(fd, message, flags);
}
