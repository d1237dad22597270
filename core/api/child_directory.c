/* SPDX-License-Identifier: MIT */
#include "api/child_directory.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/error.h"

int obi_child_directory_open(const char *path, struct obi_datadir *ret, struct ob_error *reterr)
{
	struct stat st;
	char *real = realpath(path, NULL);
	if (real == NULL || stat(real, &st) < 0) {
		int sys = errno;
		free(real);
		return obi_fail(reterr, obi_code_of_errno(sys), sys, "%s", path);
	}
	int r = S_ISDIR(st.st_mode)
		    ? obi_datadir_open(real, false, st.st_uid, st.st_gid, ret, reterr)
		    : obi_fail(reterr, OB_EINVAL, 0, "%s: not a directory", path);
	free(real);
	return r;
}
