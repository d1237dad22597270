/* SPDX-License-Identifier: MIT */
#include "process/kernel_calls.h"

#include "base/error.h"
#include "base/proc_mount.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* What filters answer, or a kernel that does not know the call. */
static bool is_denial(int sys)
{
	return sys == EPERM || sys == EACCES || sys == ENOSYS;
}

int obi_kernel_call_failed(const char *call, int sys, struct ob_error *reterr)
{
	int code = obi_fail(reterr, obi_code_of_errno(sys), sys, "%s", call);
	if (reterr != NULL && is_denial(sys)) {
		size_t len = strlen(reterr->text);
		snprintf(reterr->text + len, sizeof reterr->text - len,
			 " (seccomp?); Linux 5.9 or later is required, and a filter must allow "
			 "the call");
	}
	return code;
}

/* Errors that are no denial, such as an interruption, say nothing. We are no child of ours: a
 * waitid that is permitted fails with ECHILD. */
static int try_pidfd(int pidfd, struct ob_error *reterr)
{
	siginfo_t info;
	if (pidfd_send_signal(pidfd, 0, NULL, 0) < 0 && is_denial(errno)) {
		return obi_kernel_call_failed("pidfd_send_signal", errno, reterr);
	}
	if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOWAIT | WNOHANG) < 0 &&
	    is_denial(errno)) {
		return obi_kernel_call_failed("waitid of a pidfd", errno, reterr);
	}
	/* No descriptor has this number. As in the child, the call is not made through libc. */
	if (syscall(SYS_close_range, UINT_MAX, UINT_MAX, 0) < 0 && is_denial(errno)) {
		return obi_kernel_call_failed("close_range", errno, reterr);
	}
	return OB_OK;
}

int obi_kernel_calls_check(struct ob_error *reterr)
{
	if (!obi_proc_is_mounted()) {
		return obi_fail(reterr, OB_ENOTSUP, 0, OBI_PROC_MISSING);
	}
	int pidfd = pidfd_open(getpid(), 0);
	if (pidfd < 0) {
		return obi_kernel_call_failed("pidfd_open", errno, reterr);
	}
	int r = try_pidfd(pidfd, reterr);
	close(pidfd);
	return r;
}
