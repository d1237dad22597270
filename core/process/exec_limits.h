/* SPDX-License-Identifier: MIT */
/* process/exec_limits - which limit is to blame for an exec that failed or killed the process. */
#ifndef OBI_PROCESS_EXEC_LIMITS_H
#define OBI_PROCESS_EXEC_LIMITS_H

#include "process/process.h"
#include "process/spawn_child.h"

/*
 * Past a point in exec the kernel cannot return an error any more: when memory is too small for
 * the new program, it kills the process. The parent has gone on by then. So with a limit of memory
 * wait until the new program runs, which is a moment, and say whether the process has been killed
 * instead. A process that was killed before exec is reported, too. One that is reported must be
 * reaped. OB_EEXITED: killed at once, with the limits that may be to blame.
 */
int obi_exec_limits_await(const struct obi_spawn_child *child, const struct obi_process *process,
			  int32_t pid, struct ob_error *reterr);

/* The limits of the child that can make exec fail with this errno, or kill with this negated
 * signal, as " (limit as, data)"; "" if there are none. */
void obi_exec_limits_blame(const struct obi_spawn_child *child, int why, char *text, size_t cap);

#endif
