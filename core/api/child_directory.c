/* SPDX-License-Identifier: MIT */
#include "api/child_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

/* The absolute path, without links in it. The last component may be missing. */
static int resolve(const char *path, char real[PATH_MAX], struct ob_error *reterr)
{
	char copy[PATH_MAX], above[PATH_MAX];
	if (realpath(path, real) != NULL) {
		return OB_OK;
	}
	int sys = errno;
	size_t len = strlen(path);
	while (len > 1 && path[len - 1] == '/') {
		len--;
	}
	if (sys != ENOENT || len >= sizeof copy) {
		return obi_fail(reterr, obi_code_of_errno(sys), sys, "%s", path);
	}
	snprintf(copy, sizeof copy, "%.*s", (int)len, path);
	char *slash = strrchr(copy, '/');
	const char *name = slash != NULL ? slash + 1 : copy;
	if (slash != NULL) {
		*slash = '\0';
	}
	const char *parent = slash == NULL ? "." : slash == copy ? "/" : copy;
	if (realpath(parent, above) == NULL ||
	    snprintf(real, PATH_MAX, "%s/%s", above, name) >= PATH_MAX) {
		return obi_fail(reterr, OB_ENOENT, ENOENT, "%s", path);
	}
	return OB_OK;
}

static bool is_missing(int sys)
{
	return sys == ENOENT || sys == ENOTDIR || sys == ELOOP || sys == EACCES ||
	       sys == ENAMETOOLONG;
}

/* Open a state directory that this process may believe. OB_ENOENT: it is missing, or not ours. Any
 * other failure is none of that: the child's own word must not take the place of the state. */
static int open_state(const char *path, struct obi_child_directory *dir, struct ob_error *reterr)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		return is_missing(errno)
			   ? OB_ENOENT
			   : obi_fail(reterr, obi_code_of_errno(errno), errno, "%s", path);
	}
	if (fstat(fd, &st) < 0) {
		int sys = errno;
		close(fd);
		return obi_fail(reterr, OB_EIO, sys, "%s", path);
	}
	if (st.st_uid != geteuid() && geteuid() != 0) {
		close(fd);
		return OB_ENOENT;
	}
	dir->state_dir = (struct obi_statedir){.path = strdup(path), .fd = fd, .parent_lock = -1};
	int r = obi_statefile_find(&dir->state_dir, &dir->state, &dir->has_state, reterr);
	if (r < 0) {
		return r;
	}
	/* Only root can have a child of another user. */
	dir->believed_uid = st.st_uid == 0 && dir->has_state ? dir->state.local.uid : st.st_uid;
	return dir->state_dir.path != NULL
		   ? OB_OK
		   : obi_fail(reterr, OB_ENOMEM, 0, "%s: out of memory", path);
}

static int open_named_state(const char *path, struct obi_child_directory *dir,
			    struct ob_error *reterr)
{
	int r = open_state(path, dir, reterr);
	return r == OB_ENOENT ? obi_fail(reterr, r, 0, "%s: no state directory of this user", path)
			      : r;
}

static int find_state(const char *real, const char *state_path, struct obi_child_directory *dir,
		      struct ob_error *reterr)
{
	char path[PATH_MAX + 16];
	const char *slash = strrchr(real, '/');
	if (state_path != NULL) {
		return open_named_state(state_path, dir, reterr);
	}
	snprintf(path, sizeof path, "%s.state", real);
	int r = open_state(path, dir, reterr);
	if (r == OB_ENOENT) {
		snprintf(path, sizeof path, "%.*s/.state%s", (int)(slash - real), real, slash);
		r = open_state(path, dir, reterr);
	}
	return r == OB_ENOENT ? OB_OK : r;
}

static int open_data(const char *real, struct obi_child_directory *dir, struct ob_error *reterr)
{
	struct stat st;
	int fd = open(real, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && dir->state_dir.fd >= 0) {
		return OB_OK;
	}
	if (fd < 0) {
		return obi_fail(reterr, obi_code_of_errno(errno), errno, "%s", real);
	}
	if (fstat(fd, &st) < 0) {
		close(fd);
		return obi_fail(reterr, OB_EIO, errno, "%s", real);
	}
	bool stranger =
	    dir->state_dir.fd < 0 ? st.st_uid != geteuid() : st.st_uid != dir->believed_uid;
	if (stranger) {
		close(fd);
		return dir->state_dir.fd >= 0
			   ? OB_OK
			   : obi_fail(reterr, OB_EPERM, 0,
				      "%s: belongs to user %u, and no state directory of this user "
				      "was found",
				      real, (unsigned)st.st_uid);
	}
	dir->believed_uid = st.st_uid;
	dir->data = (struct obi_datadir){
	    .path = strdup(real), .fd = fd, .uid = st.st_uid, .gid = st.st_gid};
	return dir->data.path != NULL ? OB_OK : OB_ENOMEM;
}

int obi_child_directory_open(const char *data_path, const char *state_path,
			     struct obi_child_directory *ret, struct ob_error *reterr)
{
	char real[PATH_MAX];
	*ret =
	    (struct obi_child_directory){.state_dir = OBI_STATEDIR_NONE, .data = OBI_DATADIR_NONE};
	int r = resolve(data_path, real, reterr);
	r = r == OB_OK ? find_state(real, state_path, ret, reterr) : r;
	r = r == OB_OK ? open_data(real, ret, reterr) : r;
	if (r < 0) {
		obi_child_directory_close(ret);
	}
	return r;
}

int obi_child_directory_open_state(const char *state_path, struct obi_child_directory *ret,
				   struct ob_error *reterr)
{
	*ret =
	    (struct obi_child_directory){.state_dir = OBI_STATEDIR_NONE, .data = OBI_DATADIR_NONE};
	int r = open_named_state(state_path, ret, reterr);
	if (r < 0) {
		obi_child_directory_close(ret);
	}
	return r;
}

void obi_child_directory_close(struct obi_child_directory *dir)
{
	obi_statedir_close(&dir->state_dir);
	obi_datadir_close(&dir->data);
	explicit_bzero(&dir->state, sizeof dir->state);
}
