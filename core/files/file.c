/* SPDX-License-Identifier: MIT */
#include "files/file.h"

#include "base/error.h"
#include "base/failpoint.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMP_PREFIX "outboard-config-"
#define TEMP_SUFFIX ".tmp"

enum { PIECE = 16 * 1024 };

/* ---- Reading ---- */

static int check(int fd, const char *name, uid_t owner, size_t max, struct ob_error *reterr)
{
	struct stat st;
	if (fstat(fd, &st) < 0) {
		return obi_fail(reterr, OB_EIO, errno, "%s", name);
	}
	if (!S_ISREG(st.st_mode)) {
		return obi_fail(reterr, OB_EPERM, 0, "%s: not a regular file", name);
	}
	if (st.st_uid != owner && st.st_uid != geteuid()) {
		return obi_fail(reterr, OB_EPERM, 0, "%s: belongs to user %u", name,
				(unsigned)st.st_uid);
	}
	if ((st.st_mode & 077) != 0) {
		return obi_fail(reterr, OB_EPERM, 0,
				"%s: accessible to group or others (mode %04o)", name,
				(unsigned)st.st_mode & 07777);
	}
	if (st.st_size < 0 || (uintmax_t)st.st_size > max) {
		return obi_fail(reterr, OB_ETOOBIG, 0, "%s: larger than %zu bytes", name, max);
	}
	return OB_OK;
}

static int read_all(int fd, const char *name, struct ob_sink *out, struct ob_error *reterr)
{
	uint8_t piece[PIECE];
	for (;;) {
		ssize_t n = OBI_FAILPOINT("file_read") ? -1 : read(fd, piece, sizeof piece);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			return obi_fail(reterr, OB_EIO, errno, "%s", name);
		}
		if (n == 0) {
			return OB_OK;
		}
		bool fits = ob_sink_put(out, piece, (size_t)n);
		explicit_bzero(piece, (size_t)n);
		if (!fits && (size_t)n <= out->max - out->len) {
			return obi_fail(reterr, OB_ENOMEM, 0, "%s: out of memory", name);
		}
		if (!fits) {
			return obi_fail(reterr, OB_ETOOBIG, 0, "%s: larger than %zu bytes", name,
					out->max);
		}
	}
}

int obi_file_read(int dirfd, const char *name, uid_t owner, struct ob_sink *out,
		  struct ob_error *reterr)
{
	int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0) {
		if (errno == ELOOP) {
			return obi_fail(reterr, OB_EPERM, 0, "%s: is a symbolic link", name);
		}
		/* ENXIO: a socket. */
		return obi_fail(reterr, errno == ENXIO ? OB_EPERM : obi_code_of_errno(errno), errno,
				"%s", name);
	}
	int r = check(fd, name, owner, out->max, reterr);
	if (r == OB_OK) {
		r = read_all(fd, name, out, reterr);
	}
	close(fd);
	return r;
}

/* ---- Writing ---- */

struct writing {
	int dirfd;
	const char *what;
	int fd;
	char temp[sizeof TEMP_PREFIX + 16 + sizeof TEMP_SUFFIX];
};

/* There is a failpoint before each call that can fail ("config_rename"), and one after it
 * ("config_rename_done"). */
static bool point(const struct writing *w, const char *step)
{
#ifdef OB_FAILPOINTS
	char name[64];
	snprintf(name, sizeof name, "%s_%s", w->what, step);
	return OBI_FAILPOINT(name);
#else
	(void)w, (void)step;
	return false;
#endif
}

static int failed(const struct writing *w, const char *doing, struct ob_error *reterr)
{
	return obi_fail(reterr, obi_code_of_errno(errno), errno, "%s temp %s file", doing, w->what);
}

static int create_temp(struct writing *w, uid_t uid, gid_t gid, struct ob_error *reterr)
{
	uint64_t nonce;
	if (getrandom(&nonce, sizeof nonce, 0) != (ssize_t)sizeof nonce) {
		return obi_fail(reterr, OB_EIO, errno, "naming temp %s file: getrandom", w->what);
	}
	snprintf(w->temp, sizeof w->temp, TEMP_PREFIX "%016" PRIx64 TEMP_SUFFIX, nonce);
	w->fd = point(w, "create")
		    ? -1
		    : openat(w->dirfd, w->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (w->fd < 0) {
		w->temp[0] = '\0';
		return failed(w, "creating", reterr);
	}
	bool give =
	    (uid != (uid_t)-1 && uid != geteuid()) || (gid != (gid_t)-1 && gid != getegid());
	if (fchmod(w->fd, 0600) < 0 || (give && fchown(w->fd, uid, gid) < 0)) {
		return failed(w, "creating", reterr);
	}
	point(w, "create_done");
	return OB_OK;
}

static int write_all(struct writing *w, struct ob_bytes data, struct ob_error *reterr)
{
	while (data.len > 0) {
		ssize_t n = point(w, "write") ? -1 : write(w->fd, data.data, data.len);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			return failed(w, "writing", reterr);
		}
		data = ob_bytes_of(data.data + n, data.len - (size_t)n);
	}
	point(w, "write_done");
	return OB_OK;
}

static int sync_and_close(struct writing *w, bool sync, struct ob_error *reterr)
{
	if (sync && (point(w, "fsync") || fsync(w->fd) < 0)) {
		return failed(w, "syncing", reterr);
	}
	int fd = w->fd;
	w->fd = -1;
	if (close(fd) < 0 || point(w, "close")) {
		return failed(w, "closing", reterr);
	}
	return OB_OK;
}

static int rename_temp(struct writing *w, const char *name, bool sync, struct ob_error *reterr)
{
	if (point(w, "rename") || renameat(w->dirfd, w->temp, w->dirfd, name) < 0) {
		return failed(w, "renaming", reterr);
	}
	w->temp[0] = '\0';
	point(w, "rename_done");
	if (sync && (point(w, "fsync_dir") || fsync(w->dirfd) < 0)) {
		return obi_fail(reterr, obi_code_of_errno(errno), errno,
				"syncing the directory of %s", name);
	}
	return OB_OK;
}

int obi_file_replace(int dirfd, const char *name, const char *what, struct ob_bytes data,
		     uint32_t flags, uid_t uid, gid_t gid, struct ob_error *reterr)
{
	struct writing w = {.dirfd = dirfd, .what = what, .fd = -1};
	bool sync = (flags & OBI_FILE_SYNC) != 0;
	int r = create_temp(&w, uid, gid, reterr);
	r = r < 0 ? r : write_all(&w, data, reterr);
	r = r < 0 ? r : sync_and_close(&w, sync, reterr);
	r = r < 0 ? r : rename_temp(&w, name, sync, reterr);
	if (w.fd >= 0) {
		close(w.fd);
	}
	if (w.temp[0] != '\0') {
		unlinkat(dirfd, w.temp, 0);
	}
	return r;
}

static bool is_temp(const char *name)
{
	size_t len = strlen(name), prefix = sizeof TEMP_PREFIX - 1, suffix = sizeof TEMP_SUFFIX - 1;
	return len > prefix + suffix && memcmp(name, TEMP_PREFIX, prefix) == 0 &&
	       strcmp(name + len - suffix, TEMP_SUFFIX) == 0;
}

/* The owner of the directory decides how much is in it. */
enum { SWEEP_MAX = 10000 };

void obi_file_sweep(int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (dir == NULL) {
		if (fd >= 0) {
			close(fd);
		}
		return;
	}
	for (int i = 0; i < SWEEP_MAX; i++) {
		const struct dirent *entry = readdir(dir);
		if (entry == NULL) {
			break;
		}
		if (is_temp(entry->d_name)) {
			unlinkat(dirfd, entry->d_name, 0);
		}
	}
	closedir(dir);
}
