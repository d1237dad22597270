/* SPDX-License-Identifier: MIT */
#include "files/fifo.h"

#include "base/error.h"
#include "base/failpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PARENT = O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK };

/* Whether fd is a FIFO of the right owner; and, if other is not -1, the same FIFO as other. */
static bool is_ours(int fd, uid_t owner, int other)
{
	struct stat st, st_other;
	if (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode) ||
	    (st.st_uid != owner && st.st_uid != geteuid())) {
		return false;
	}
	return other < 0 || (fstat(other, &st_other) == 0 && st.st_dev == st_other.st_dev &&
			     st.st_ino == st_other.st_ino);
}

static int failed(const char *doing, const char *what, struct ob_error *reterr)
{
	return obi_fail(reterr, obi_code_of_errno(errno), errno, "%s %s FIFO", doing, what);
}

static int refused(const char *doing, const char *what, struct ob_error *reterr)
{
	return obi_fail(reterr, OB_EPERM, 0,
			"%s %s FIFO: not a FIFO, or it belongs to another user", doing, what);
}

static int open_end(int dirfd, const char *name, const char *doing, const char *what, uid_t owner,
		    int *ret_fd, struct ob_error *reterr)
{
	int fd = OBI_FAILPOINT("fifo_open") ? -1 : openat(dirfd, name, PARENT);
	if (fd < 0) {
		return errno == ELOOP ? refused(doing, what, reterr) : failed(doing, what, reterr);
	}
	if (!is_ours(fd, owner, -1)) {
		close(fd);
		return refused(doing, what, reterr);
	}
	*ret_fd = fd;
	return OB_OK;
}

/* Another open file description of the same FIFO. The name may have been replaced meanwhile. */
static int open_child_end(int dirfd, const char *name, const char *what, uid_t owner,
			  struct obi_fifo *fifo, struct ob_error *reterr)
{
	fifo->child_fd = openat(dirfd, name, PARENT & ~O_NONBLOCK);
	if (fifo->child_fd < 0) {
		return failed("creating", what, reterr);
	}
	return is_ours(fifo->child_fd, owner, fifo->fd) ? OB_OK : refused("creating", what, reterr);
}

static int make_name(int dirfd, const char *name, const char *what, struct ob_error *reterr)
{
	if (unlinkat(dirfd, name, 0) < 0 && errno != ENOENT) {
		return failed("creating", what, reterr);
	}
	if (OBI_FAILPOINT("fifo_make") || mkfifoat(dirfd, name, 0600) < 0) {
		return failed("creating", what, reterr);
	}
	return OB_OK;
}

/* Give what was opened to the child. The directory is the child's, so what stands at the name now
 * may be another file: it must be a FIFO of ours that has no other name. */
static int give(int fd, const char *what, uid_t uid, gid_t gid, struct ob_error *reterr)
{
	struct stat st;
	if ((uid == (uid_t)-1 || uid == geteuid()) && (gid == (gid_t)-1 || gid == getegid())) {
		return OB_OK;
	}
	if (fstat(fd, &st) < 0 || st.st_uid != geteuid() || st.st_nlink != 1) {
		return refused("creating", what, reterr);
	}
	return fchown(fd, uid, gid) == 0 ? OB_OK : failed("creating", what, reterr);
}

int obi_fifo_make(int dirfd, const char *name, const char *what, uint32_t bytes, uid_t uid,
		  gid_t gid, struct obi_fifo *ret, struct ob_error *reterr)
{
	struct obi_fifo fifo = OBI_FIFO_NONE;
	int r = make_name(dirfd, name, what, reterr);
	r = r < 0 ? r : open_end(dirfd, name, "creating", what, geteuid(), &fifo.fd, reterr);
	r = r < 0 ? r : give(fifo.fd, what, uid, gid, reterr);
	r = r < 0 ? r : open_child_end(dirfd, name, what, uid, &fifo, reterr);
	if (r < 0) {
		obi_fifo_close(&fifo);
		return r;
	}
	/* The pipes of a user share one limit. Beyond it this fails, and the size stays as it is.
	 */
	fcntl(fifo.fd, F_SETPIPE_SZ, bytes < INT32_MAX ? (int)bytes : INT32_MAX);
	*ret = fifo;
	return OB_OK;
}

int obi_fifo_open(int dirfd, const char *name, const char *what, uid_t owner, struct obi_fifo *ret,
		  struct ob_error *reterr)
{
	struct obi_fifo fifo = OBI_FIFO_NONE;
	int r = open_end(dirfd, name, "opening", what, owner, &fifo.fd, reterr);
	if (r == OB_OK) {
		*ret = fifo;
	}
	return r;
}

static void close_end(int *fd)
{
	if (*fd >= 0) {
		close(*fd);
	}
	*fd = -1;
}

void obi_fifo_close_child(struct obi_fifo *fifo)
{
	close_end(&fifo->child_fd);
}

void obi_fifo_close(struct obi_fifo *fifo)
{
	close_end(&fifo->fd);
	close_end(&fifo->child_fd);
}
