/* SPDX-License-Identifier: MIT */
#include "common/small_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

/* Coarser than the timestamps of any file system in use. */
enum { SETTLE_SECONDS = 3 };

static bool bad(const char *path, const char *reason, char why[OBI_SMALL_FILE_WHY])
{
	snprintf(why, OBI_SMALL_FILE_WHY, "%.300s: %s", path, reason);
	return false;
}

static bool check(const char *path, const struct stat *st, mode_t forbidden, size_t room,
		  char why[OBI_SMALL_FILE_WHY])
{
	char text[80];
	if (!S_ISREG(st->st_mode)) {
		return bad(path, "not a regular file", why);
	}
	if (st->st_uid != geteuid() && st->st_uid != 0) {
		return bad(path, "it belongs neither to root nor to this user", why);
	}
	if ((st->st_mode & forbidden) != 0) {
		snprintf(text, sizeof text, "its mode is %04o, and must not have any of %04o",
			 (unsigned)(st->st_mode & 07777), (unsigned)forbidden);
		return bad(path, text, why);
	}
	if ((uintmax_t)st->st_size > room) {
		snprintf(text, sizeof text, "it is larger than %zu bytes", room);
		return bad(path, text, why);
	}
	return true;
}

/* ---- The directories above ---- */

static const char *directory_fault(const struct stat *st)
{
	if (S_ISLNK(st->st_mode)) {
		return "a symbolic link above the file: its path must have none";
	}
	if (st->st_uid != geteuid() && st->st_uid != 0) {
		return "a directory above the file belongs neither to root nor to this user";
	}
	return (st->st_mode & 0022) != 0 && (st->st_mode & S_ISVTX) == 0
		   ? "others can write to a directory above the file"
		   : NULL;
}

/* Whoever can write to a directory above could put an older list in the place of the file. */
static bool check_directories(const char *path, char why[OBI_SMALL_FILE_WHY])
{
	char above[PATH_MAX];
	struct stat st;
	for (const char *end = path; (end = strchr(end, '/')) != NULL; end++) {
		size_t len = end > path ? (size_t)(end - path) : 1;
		if (len >= sizeof above) {
			return bad(path, strerror(ENAMETOOLONG), why);
		}
		memcpy(above, path, len);
		above[len] = '\0';
		if (lstat(above, &st) != 0) {
			return bad(path, strerror(errno), why);
		}
		const char *fault = directory_fault(&st);
		if (fault != NULL) {
			return bad(above, fault, why);
		}
	}
	return true;
}

/* ---- The file ---- */

static struct obi_small_file_stamp stamp_of(const struct stat *st, enum obi_links links,
					    const struct timespec *now)
{
	struct obi_small_file_stamp stamp = {
	    .dev = st->st_dev,
	    .ino = st->st_ino,
	    .size = st->st_size,
	    .modified = st->st_mtim,
	    .changed = st->st_ctim,
	    .links = links,
	    .settled = st->st_ctim.tv_sec + SETTLE_SECONDS < now->tv_sec,
	};
	return stamp;
}

/* The file may grow while it is read: one byte more than there is room for is asked for. */
static bool read_all(int fd, const char *path, struct ob_sink *out, char why[OBI_SMALL_FILE_WHY])
{
	for (;;) {
		uint8_t beyond;
		size_t room = out->cap - out->len;
		ssize_t n =
		    read(fd, room > 0 ? out->data + out->len : &beyond, room > 0 ? room : 1);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			return bad(path, strerror(errno), why);
		}
		if (n == 0) {
			return true;
		}
		if (room == 0) {
			return bad(path, "it grew while it was read", why);
		}
		ob_sink_commit(out, (size_t)n);
	}
}

bool obi_small_file_read(const char *path, enum obi_links links, mode_t forbidden,
			 struct ob_sink *out, struct obi_small_file_stamp *ret_stamp,
			 char why[OBI_SMALL_FILE_WHY])
{
	bool refused = links == OBI_LINKS_REFUSED;
	struct stat st;
	struct timespec now;
	if (refused && path[0] == '/' && !check_directories(path, why)) {
		return false;
	}
	int fd =
	    open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (refused ? O_NOFOLLOW : 0));
	if (fd < 0) {
		return bad(path, refused && errno == ELOOP ? "a symbolic link" : strerror(errno),
			   why);
	}
	clock_gettime(CLOCK_REALTIME, &now);
	bool good = fstat(fd, &st) == 0 || bad(path, strerror(errno), why);
	good = good && check(path, &st, forbidden, out->cap - out->len, why) &&
	       read_all(fd, path, out, why);
	close(fd);
	if (good && ret_stamp != NULL) {
		*ret_stamp = stamp_of(&st, links, &now);
	}
	return good;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool obi_small_file_unchanged(const char *path, const struct obi_small_file_stamp *stamp)
{
	struct stat st;
	const int flags = stamp->links == OBI_LINKS_REFUSED ? AT_SYMLINK_NOFOLLOW : 0;
	return stamp->settled && fstatat(AT_FDCWD, path, &st, flags) == 0 &&
	       st.st_dev == stamp->dev && st.st_ino == stamp->ino && st.st_size == stamp->size &&
	       same_time(&st.st_mtim, &stamp->modified) && same_time(&st.st_ctim, &stamp->changed);
}
