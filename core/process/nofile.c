/* SPDX-License-Identifier: MIT */
#include "process/nofile.h"

#include <errno.h>
#include <stdatomic.h>

#include "base/error.h"

/* The soft limit from before it was raised; 0: it was not. One for the process, as the limit is. */
static atomic_ullong before;

int obi_nofile_raise(uint64_t *ret, struct ob_error *reterr)
{
	struct rlimit64 limit, raised;
	if (getrlimit64(RLIMIT_NOFILE, &limit) < 0) {
		return obi_fail(reterr, OB_EIO, errno,
				"reading the limit of descriptors: prlimit64");
	}
	raised = (struct rlimit64){limit.rlim_max, limit.rlim_max};
	if (limit.rlim_cur != limit.rlim_max) {
		if (setrlimit64(RLIMIT_NOFILE, &raised) < 0) {
			return obi_fail(reterr, obi_code_of_errno(errno), errno,
					"raising the limit of descriptors to %llu",
					(unsigned long long)limit.rlim_max);
		}
		atomic_store(&before, limit.rlim_cur);
	}
	if (ret != NULL) {
		*ret = raised.rlim_cur;
	}
	return OB_OK;
}

bool obi_nofile_of_children(struct rlimit64 *ret)
{
	unsigned long long soft = atomic_load(&before);
	if (soft == 0 || getrlimit64(RLIMIT_NOFILE, ret) < 0) {
		return false;
	}
	ret->rlim_cur = soft < ret->rlim_max ? soft : ret->rlim_max;
	return true;
}
