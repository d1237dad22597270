/* SPDX-License-Identifier: MIT */
/*
 * process/kernel_calls - /proc, and the system calls without which a process must not be started,
 * because it could not be found again or stopped. A kernel may be too old for them, and a filter
 * (seccomp) may deny them.
 */
#ifndef OBI_PROCESS_KERNEL_CALLS_H
#define OBI_PROCESS_KERNEL_CALLS_H

#include <outboard/abi.h>

/*
 * See whether /proc is mounted, and try pidfd_open, pidfd_send_signal, waitid(P_PIDFD) and
 * close_range on ourselves; nothing is changed. An error names what is missing:
 * "pidfd_send_signal: Operation not permitted (seccomp?); ...".
 *
 * The answer is not kept: a filter may be added at any time, and to one thread only. It takes some
 * microseconds.
 */
int obi_kernel_calls_check(struct ob_error *reterr);

/* The error of a system call that ended with the errno sys. */
int obi_kernel_call_failed(const char *call, int sys, struct ob_error *reterr);

#endif
