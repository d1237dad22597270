/* SPDX-License-Identifier: MIT */
/*
 * An LD_PRELOAD library that makes one call fail: the Nth of the calls that can fail for lack of
 * resources, counted between fail_arm(N) and fail_disarm(), which the program finds with
 * dlsym(). With N = 0 it only counts, and notes the first call at each place of the code:
 * fail_print_places(). Programs that the process starts do not inherit it.
 *
 * A program that knows nothing of this is armed while its main() runs by OB_FAIL_CALL=N in the
 * environment. With N = 0 and OB_FAIL_PLACE=ID the first call at this place fails. The file
 * OB_FAIL_REPORT then gets what is to tell: "calls COUNT", "failed FUNCTION" and the places. With
 * OB_FAIL_TRACE stderr gets the callers of the call that failed.
 *
 * Not failed: the wake-up descriptor of libev, and the epoll descriptor that it makes in place of
 * one that it has just closed, where libev can only abort(); and the calls of a sanitizer when a
 * thread starts.
 */
#include "shim.h"

#include <dirent.h>
#include <errno.h>
#include <execinfo.h>
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
#include <sys/file.h>
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
static unsigned long victim_place; /* the first call there fails; 0: none */
static bool traced;

/* ---- Places: which callers called ---- */

enum { PLACES = 4096, OURS = 3, CALLERS = 3 }; /* OURS: frames, with the function that fails */

#define OWN_FRAME __attribute__((noinline))

static struct place {
	atomic_ulong id; /* the same in each process; 0: free */
	unsigned long first;
} places[PLACES];

static unsigned long mix(unsigned long hash, unsigned long more)
{
	return (hash ^ more) * 0x100000001b3 + (hash >> 29);
}

/* Of the addresses relative to their libraries. */
static OWN_FRAME unsigned long id_of_callers(void)
{
	void *frames[OURS + CALLERS];
	unsigned long id = 0xcbf29ce484222325;
	spared = true;
	int n = backtrace(frames, OURS + CALLERS);
	for (int i = OURS; i < n; i++) {
		Dl_info info;
		if (dladdr(frames[i], &info) != 0) {
			const char *slash = strrchr(info.dli_fname, '/');
			for (const char *at = slash != NULL ? slash : info.dli_fname; *at != '\0';
			     at++) {
				id = mix(id, (unsigned char)*at);
			}
			id = mix(id, (uintptr_t)frames[i] - (uintptr_t)info.dli_fbase);
		}
	}
	spared = false;
	return id != 0 ? id : 1;
}

static void note_place(unsigned long id, unsigned long call)
{
	for (unsigned long i = 0; i < PLACES; i++) {
		struct place *place = &places[(id + i) % PLACES];
		unsigned long free_id = 0;
		if (atomic_compare_exchange_strong(&place->id, &free_id, id)) {
			place->first = call;
			return;
		}
		if (free_id == id) {
			return;
		}
	}
}

/* Whether this call is to fail. */
static OWN_FRAME bool is_victim(const char *name, int sys)
{
	renews_epoll = false;
	if (!atomic_load(&armed) || spared) {
		return false;
	}
	unsigned long call = atomic_fetch_add(&count, 1) + 1, only = atomic_load(&victim);
	if (only == 0) {
		unsigned long id = id_of_callers();
		if (victim_place == 0) {
			note_place(id, call);
		}
		if (id != victim_place || atomic_load(&failed) != NULL) {
			return false;
		}
	} else if (call != only) {
		return false;
	}
	atomic_store(&failed, name);
	if (traced) {
		void *frames[32];
		backtrace_symbols_fd(frames, backtrace(frames, 32), STDERR_FILENO);
	}
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
VISIBLE void fail_print_places(FILE *file);

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

/* A line "place CALL ID" for each place, with the first call there. */
void fail_print_places(FILE *file)
{
	for (int i = 0; i < PLACES; i++) {
		if (atomic_load(&places[i].id) != 0) {
			fprintf(file, "place %lu %lx\n", places[i].first,
				atomic_load(&places[i].id));
		}
	}
}

__attribute__((constructor)) static void begin(void)
{
	void *frame;
	(void)backtrace(&frame, 1); /* its first call allocates */
	unsetenv("LD_PRELOAD");
	traced = getenv("OB_FAIL_TRACE") != NULL;
}

/* ---- A program that knows nothing of this ---- */

typedef int main_fn(int argc, char **argv, char **env);

static main_fn *main_of_program;

static void tell(void)
{
	unsigned long calls = fail_disarm();
	const char *report = getenv("OB_FAIL_REPORT");
	FILE *file = report != NULL ? fopen(report, "we") : NULL;
	if (file != NULL) {
		fprintf(file, "calls %lu\nfailed %s\n", calls, failed != NULL ? failed : "nothing");
		fail_print_places(file);
		fclose(file);
	}
}

static int run_armed(int argc, char **argv, char **env)
{
	atexit(tell);
	const char *place = getenv("OB_FAIL_PLACE");
	victim_place = place != NULL ? strtoul(place, NULL, 16) : 0;
	fail_arm(strtoul(getenv("OB_FAIL_CALL"), NULL, 10));
	return main_of_program(argc, argv, env);
}

/* Calls main(). */
VISIBLE int __libc_start_main(main_fn *main, int argc, char **argv, void (*init)(void),
			      void (*fini)(void), void (*rtld_fini)(void), void *stack_end);

int __libc_start_main(main_fn *main, int argc, char **argv, void (*init)(void), void (*fini)(void),
		      void (*rtld_fini)(void), void *stack_end)
{
	REAL(__libc_start_main);
	main_of_program = main;
	return real(getenv("OB_FAIL_CALL") != NULL ? run_armed : main, argc, argv, init, fini,
		    rtld_fini, stack_end);
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

VISIBLE FILE *fopen(const char *path, const char *mode)
{
	REAL(fopen);
	return fails(EMFILE) ? NULL : real(path, mode);
}

VISIBLE DIR *opendir(const char *path)
{
	REAL(opendir);
	return fails(EMFILE) ? NULL : real(path);
}

VISIBLE DIR *fdopendir(int fd)
{
	REAL(fdopendir);
	return fails(ENOMEM) ? NULL : real(fd);
}

VISIBLE char *realpath(const char *path, char *room)
{
	REAL(realpath);
	return fails(EIO) ? NULL : real(path, room);
}

VISIBLE int mkostemp(char *path, int flags)
{
	REAL(mkostemp);
	return fails(ENOSPC) ? -1 : real(path, flags);
}

VISIBLE int fstat(int fd, struct stat *st)
{
	REAL(fstat);
	return fails(EIO) ? -1 : real(fd, st);
}

VISIBLE int stat(const char *path, struct stat *st)
{
	REAL(stat);
	return fails(EIO) ? -1 : real(path, st);
}

VISIBLE int lstat(const char *path, struct stat *st)
{
	REAL(lstat);
	return fails(EIO) ? -1 : real(path, st);
}

VISIBLE int fchmod(int fd, mode_t mode)
{
	REAL(fchmod);
	return fails(EROFS) ? -1 : real(fd, mode);
}

VISIBLE int fchown(int fd, uid_t user, gid_t group)
{
	REAL(fchown);
	return fails(EROFS) ? -1 : real(fd, user, group);
}

VISIBLE int rename(const char *from, const char *to)
{
	REAL(rename);
	return fails(ENOSPC) ? -1 : real(from, to);
}

VISIBLE int ftruncate(int fd, off_t size)
{
	REAL(ftruncate);
	return fails(EIO) ? -1 : real(fd, size);
}

VISIBLE ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
	REAL(pwrite);
	return fails(ENOSPC) ? -1 : real(fd, data, size, at);
}

VISIBLE int flock(int fd, int what)
{
	REAL(flock);
	return fails(ENOLCK) ? -1 : real(fd, what);
}

static bool is_file(int fd)
{
	struct stat st;
	return fstatat(fd, "", &st, AT_EMPTY_PATH) == 0 && S_ISREG(st.st_mode);
}

VISIBLE ssize_t write(int fd, const void *data, size_t size)
{
	REAL(write);
	return is_file(fd) && fails(ENOSPC) ? -1 : real(fd, data, size);
}

VISIBLE ssize_t read(int fd, void *room, size_t size)
{
	REAL(read);
	return is_file(fd) && fails(EIO) ? -1 : real(fd, room, size);
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
