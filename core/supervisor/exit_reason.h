/* SPDX-License-Identifier: MIT */
/* supervisor/exit_reason - how a process ended, in one line. Pure. */
#ifndef OBI_SUPERVISOR_EXIT_REASON_H
#define OBI_SUPERVISOR_EXIT_REASON_H

#include "place/place.h"

enum { OBI_EXIT_REASON_SIZE = 128 };

/*
 * "process 12 exited with status 3". If the kernel has killed processes of its cgroup since the
 * start for want of memory, it says so: a SIGKILL that we did not send is taken to be that, any
 * other failure may have come of it. ended: we were ending the process.
 */
void obi_exit_reason(int32_t pid, const struct obi_exit *end, bool ended,
		     const struct ob_cgroup_usage *usage, char text[OBI_EXIT_REASON_SIZE]);

#endif
