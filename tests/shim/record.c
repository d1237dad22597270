/* SPDX-License-Identifier: MIT */
/*
 * An LD_PRELOAD library that records what happens to the files below OB_RECORD_ROOT: a line for
 * each change, in order, is appended to the file OB_RECORD_TO. Processes that the program starts
 * record, too, unless they get another environment.
 *
 *   mkdir|mkfifo|socket PATH MODE   create PATH INODE MODE     rename PATH PATH
 *   write INODE OFFSET HEX          truncate INODE LENGTH      unlink PATH
 *   sync INODE                      sync-dir PATH
 *
 * Calls that failed are not recorded. What a process does by plain system calls, without the C
 * library, is not seen.
 */
#include "shim.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

enum { LINE = 160 * 1024 };

static int log_fd = -1;
static char root[PATH_MAX];

__attribute__((constructor)) static void begin(void)
{
	const char *to = getenv("OB_RECORD_TO"), *below = getenv("OB_RECORD_ROOT");
	if (to != NULL && below != NULL && strlen(below) < sizeof root) {
		strcpy(root, below);
		log_fd = (int)syscall(SYS_openat, AT_FDCWD, to,
				      O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	}
}

/* One write for each line, so that lines of several processes do not mix. */
static void __attribute__((format(printf, 1, 2))) record(const char *format, ...)
{
	static _Thread_local char line[LINE];
	int saved = errno;
	va_list args;
	va_start(args, format);
	int len = vsnprintf(line, sizeof line, format, args);
	va_end(args);
	if (len < 0 || len >= LINE || syscall(SYS_write, log_fd, line, (size_t)len) != (long)len) {
		abort();
	}
	errno = saved;
}

/* ---- Paths ---- */

/* Whether it is below the root. */
static bool is_ours(const char *path)
{
	size_t len = strlen(root);
	return log_fd >= 0 && strncmp(path, root, len) == 0 &&
	       (path[len] == '/' || path[len] == '\0');
}

/* The path of a descriptor. False: it is not below the root. */
static bool path_of(int fd, char path[PATH_MAX])
{
	char link[48];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	int saved = errno;
	ssize_t n = readlink(link, path, PATH_MAX - 1);
	errno = saved;
	path[n > 0 ? n : 0] = '\0';
	return n > 0 && is_ours(path);
}

/* The path of name in dir, without links on the way. */
static bool path_at(int dir, const char *name, char path[2 * PATH_MAX])
{
	char copy[PATH_MAX], parent[PATH_MAX] = "";
	const char *last = strrchr(name, '/');
	int saved = errno;
	if (last != NULL) {
		snprintf(copy, sizeof copy, "%.*s", (int)(last - name) + 1, name);
		if (realpath(copy, parent) == NULL) {
			parent[0] = '\0';
		}
	} else if (dir != AT_FDCWD) {
		(void)path_of(dir, parent);
	}
	errno = saved;
	snprintf(path, 2 * PATH_MAX, "%s/%s", parent, last != NULL ? last + 1 : name);
	return parent[0] != '\0' && is_ours(path);
}

/* The number of the file, 0: it is no regular file below the root. */
static unsigned long inode_of(int fd)
{
	char path[PATH_MAX];
	struct stat st;
	int saved = errno;
	bool ours = path_of(fd, path) && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	errno = saved;
	return ours ? (unsigned long)st.st_ino : 0;
}

/* ---- Files ---- */

static bool is_there(int dir, const char *path)
{
	struct stat st;
	int saved = errno;
	bool there = fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
	errno = saved;
	return there;
}

static int note_open(int fd, bool created, int flags)
{
	char path[PATH_MAX];
	struct stat st;
	if (fd >= 0 && created && path_of(fd, path) && fstat(fd, &st) == 0) {
		record("create %s %lu %o\n", path, (unsigned long)st.st_ino,
		       (unsigned)st.st_mode & 07777);
	} else if (fd >= 0 && (flags & O_TRUNC) != 0 && inode_of(fd) != 0) {
		record("truncate %lu 0\n", inode_of(fd));
	}
	return fd;
}

VISIBLE int open(const char *path, int flags, ...)
{
	REAL(open);
	va_list args;
	va_start(args, flags);
	mode_t mode = mode_of(flags, args);
	va_end(args);
	bool creates = (flags & O_CREAT) != 0 && !is_there(AT_FDCWD, path);
	return note_open(real(path, flags, mode), creates, flags);
}

VISIBLE int openat(int dir, const char *path, int flags, ...)
{
	REAL(openat);
	va_list args;
	va_start(args, flags);
	mode_t mode = mode_of(flags, args);
	va_end(args);
	bool creates = (flags & O_CREAT) != 0 && !is_there(dir, path);
	return note_open(real(dir, path, flags, mode), creates, flags);
}

static void note_write(int fd, const uint8_t *data, ssize_t len, off_t end)
{
	static const char digits[] = "0123456789abcdef";
	static _Thread_local char hex[LINE - 64];
	unsigned long inode = len > 0 ? inode_of(fd) : 0;
	if (inode == 0) {
		return;
	}
	for (ssize_t i = 0; i < len && 2 * i + 2 < (ssize_t)sizeof hex; i++) {
		hex[2 * i] = digits[data[i] >> 4];
		hex[2 * i + 1] = digits[data[i] & 15];
		hex[2 * i + 2] = '\0';
	}
	record("write %lu %lld %s\n", inode, (long long)(end - len), hex);
}

VISIBLE ssize_t write(int fd, const void *data, size_t len)
{
	REAL(write);
	ssize_t n = real(fd, data, len);
	if (n > 0 && log_fd >= 0) {
		int saved = errno;
		off_t end = lseek(fd, 0, SEEK_CUR);
		errno = saved;
		note_write(fd, data, end >= 0 ? n : 0, end);
	}
	return n;
}

VISIBLE ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
	REAL(pwrite);
	ssize_t n = real(fd, data, len, at);
	note_write(fd, data, n, at + n);
	return n;
}

VISIBLE int ftruncate(int fd, off_t len)
{
	REAL(ftruncate);
	int r = real(fd, len);
	if (r == 0 && inode_of(fd) != 0) {
		record("truncate %lu %lld\n", inode_of(fd), (long long)len);
	}
	return r;
}

VISIBLE int fsync(int fd)
{
	REAL(fsync);
	char path[PATH_MAX];
	int r = real(fd);
	if (r == 0 && inode_of(fd) != 0) {
		record("sync %lu\n", inode_of(fd));
	} else if (r == 0 && path_of(fd, path)) {
		record("sync-dir %s\n", path);
	}
	return r;
}

/* ---- Names ---- */

VISIBLE int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	REAL(renameat);
	char before[2 * PATH_MAX], after[2 * PATH_MAX];
	int r = real(from_dir, from, to_dir, to);
	if (r == 0 && path_at(from_dir, from, before) && path_at(to_dir, to, after)) {
		record("rename %s %s\n", before, after);
	}
	return r;
}

VISIBLE int unlinkat(int dir, const char *path, int flags)
{
	REAL(unlinkat);
	char whole[2 * PATH_MAX];
	int r = real(dir, path, flags);
	if (r == 0 && path_at(dir, path, whole)) {
		record("unlink %s\n", whole);
	}
	return r;
}

static int note_new(int r, const char *what, int dir, const char *path)
{
	char whole[2 * PATH_MAX];
	struct stat st;
	if (r == 0 && path_at(dir, path, whole) &&
	    fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		record("%s %s %o\n", what, whole, (unsigned)st.st_mode & 07777);
	}
	return r;
}

VISIBLE int mkdir(const char *path, mode_t mode)
{
	REAL(mkdir);
	return note_new(real(path, mode), "mkdir", AT_FDCWD, path);
}

VISIBLE int mkdirat(int dir, const char *path, mode_t mode)
{
	REAL(mkdirat);
	return note_new(real(dir, path, mode), "mkdir", dir, path);
}

VISIBLE int mkfifoat(int dir, const char *path, mode_t mode)
{
	REAL(mkfifoat);
	return note_new(real(dir, path, mode), "mkfifo", dir, path);
}

VISIBLE int bind(int fd, __CONST_SOCKADDR_ARG address, socklen_t len)
{
	REAL(bind);
	int r = real(fd, address, len);
	const struct sockaddr_un *name = (const void *)address.__sockaddr__;
	if (r == 0 && name->sun_family == AF_UNIX && name->sun_path[0] == '/') {
		(void)note_new(0, "socket", AT_FDCWD, name->sun_path);
	}
	return r;
}
