/* SPDX-License-Identifier: MIT */
/*
 * base/failpoint - named places where a test makes the process fail. Compiled to nothing unless
 * OB_FAILPOINTS is defined.
 *
 * OUTBOARD_FP="after_clone=kill;config_rename=error(ENOSPC)@2;state_written=exit(3)" sets what
 * happens at a place, each time or, with '@', only at its Nth time. kill is SIGKILL, exit(N) is
 * _exit, error(NAME) makes the call fail with that errno. An invalid name or action ends the
 * process with a message, because a test whose injection is ignored proves nothing.
 */
#ifndef OBI_BASE_FAILPOINT_H
#define OBI_BASE_FAILPOINT_H

#include <stdbool.h>

#ifdef OB_FAILPOINTS
/* True, with errno set: fail here. May not return. */
bool obi_failpoint(const char *name);
#define OBI_FAILPOINT(name)  obi_failpoint(name)
#define OBI_CRASHPOINT(name) ((void)obi_failpoint(name))
#else
/* In front of a call that can fail: if (OBI_FAILPOINT("config_rename") || renameat(...) < 0) */
#define OBI_FAILPOINT(name)  false
/* A statement, at a place where only the process itself can fail. */
#define OBI_CRASHPOINT(name) ((void)0)
#endif

#endif
