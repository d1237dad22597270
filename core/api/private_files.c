/* SPDX-License-Identifier: MIT */
#include <outboard/file.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "files/file.h"
#include "files/trusted_path.h"

int ob_file_read(int dirfd, const char *name, uint32_t owner, struct ob_sink *out,
		 struct ob_error *reterr)
{
	return obi_file_read(dirfd, name, owner != (uint32_t)-1 ? owner : geteuid(), out, reterr);
}

int ob_file_replace(int dirfd, const char *name, struct ob_bytes data, uint32_t flags,
		    struct ob_error *reterr)
{
	if (name[0] == '\0' || strchr(name, '/') != NULL) {
		return obi_fail(reterr, OB_EINVAL, 0, "replacing \"%s\": not a name in a directory",
				name);
	}
	return obi_file_replace(dirfd, name, name, data,
				(flags & OB_FILE_SYNC) != 0 ? OBI_FILE_SYNC : 0, (uid_t)-1,
				(gid_t)-1, reterr);
}

void ob_file_sweep(int dirfd)
{
	obi_file_sweep(dirfd);
}

int ob_directory_open(const char *path, uint32_t make_mode, int *ret_fd, struct ob_error *reterr)
{
	struct obi_trusted_path at = OBI_TRUSTED_PATH_NONE;
	char itself[PATH_MAX];
	int n = snprintf(itself, sizeof itself, "%s/.", path);
	if (n < 0 || (size_t)n >= sizeof itself) {
		return obi_fail(reterr, OB_EINVAL, ENAMETOOLONG, "%.200s", path);
	}
	int r = obi_trusted_path_walk(itself, (mode_t)make_mode, geteuid(), &at, reterr);
	if (r < 0) {
		return r;
	}
	*ret_fd = openat(at.parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret_fd < 0) {
		r = obi_fail(reterr, obi_code_of_errno(errno), errno, "%s", path);
	}
	obi_trusted_path_close(&at);
	return r;
}
