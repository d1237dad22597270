/* SPDX-License-Identifier: MIT */
#include "tls/file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Coarser than the timestamps of any file system in use. */
enum { SETTLE_SECONDS = 3 };

static bool bad(const char *path, const char *reason, char why[OBI_TLS_WHY])
{
	snprintf(why, OBI_TLS_WHY, "%.250s: %s", path, reason);
	return false;
}

static bool check(const char *path, const struct stat *st, mode_t forbidden, size_t max,
		  char why[OBI_TLS_WHY])
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
	if ((uintmax_t)st->st_size > max) {
		snprintf(text, sizeof text, "it is larger than %zu bytes", max);
		return bad(path, text, why);
	}
	return true;
}

static struct obi_tls_stamp stamp_of(const struct stat *st, const struct timespec *now)
{
	struct obi_tls_stamp stamp = {
	    .dev = st->st_dev,
	    .ino = st->st_ino,
	    .size = st->st_size,
	    .modified = st->st_mtim,
	    .changed = st->st_ctim,
	    .settled = st->st_ctim.tv_sec + SETTLE_SECONDS < now->tv_sec,
	};
	return stamp;
}

/* One byte more than the size is asked for, because the file may grow while it is read. */
static bool read_all(int fd, const char *path, size_t size, struct obi_tls_content *ret,
		     char why[OBI_TLS_WHY])
{
	ret->data = malloc(size + 1);
	if (ret->data == NULL) {
		return bad(path, "out of memory", why);
	}
	while (ret->len <= size) {
		ssize_t n = read(fd, ret->data + ret->len, size + 1 - ret->len);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			return bad(path, strerror(errno), why);
		}
		if (n == 0) {
			return true;
		}
		ret->len += (size_t)n;
	}
	return bad(path, "it grew while it was read", why);
}

bool obi_tls_read(const char *path, mode_t forbidden, size_t max, struct obi_tls_content *ret,
		  char why[OBI_TLS_WHY])
{
	struct obi_tls_content content = {0};
	struct stat st;
	struct timespec now;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		return bad(path, strerror(errno), why);
	}
	clock_gettime(CLOCK_REALTIME, &now);
	bool good = fstat(fd, &st) == 0 || bad(path, strerror(errno), why);
	good = good && check(path, &st, forbidden, max, why) &&
	       read_all(fd, path, (size_t)st.st_size, &content, why);
	close(fd);
	if (!good) {
		obi_tls_content_free(&content);
		return false;
	}
	content.stamp = stamp_of(&st, &now);
	*ret = content;
	return true;
}

void obi_tls_content_free(struct obi_tls_content *content)
{
	if (content->data != NULL) {
		OPENSSL_cleanse(content->data, content->len);
		free(content->data);
	}
	*content = (struct obi_tls_content){0};
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool obi_tls_unchanged(const char *path, const struct obi_tls_stamp *stamp)
{
	struct stat st;
	return stamp->settled && stat(path, &st) == 0 && st.st_dev == stamp->dev &&
	       st.st_ino == stamp->ino && st.st_size == stamp->size &&
	       same_time(&st.st_mtim, &stamp->modified) && same_time(&st.st_ctim, &stamp->changed);
}
