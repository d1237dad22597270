/* SPDX-License-Identifier: MIT */
#include <outboard/file.h>

#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "files/file.h"

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
