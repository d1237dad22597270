/* SPDX-License-Identifier: MIT */
/* support/timens - time namespaces: processes whose clocks are shifted by the kernel. */
#ifndef OB_TESTS_SUPPORT_TIMENS_H
#define OB_TESTS_SUPPORT_TIMENS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What the kernel adds to CLOCK_MONOTONIC and CLOCK_BOOTTIME, in seconds and, for the latter, ns
 * more. */
struct timens {
	int64_t monotonic;
	int64_t boot;
	int64_t boot_ns;
};

/* Skips the test where time namespaces are not permitted. */
void timens_need(void);

/* Processes that we start from now on have these clocks; we keep ours. */
void timens_for_children(struct timens shift);

/* Processes that we start from now on have our own clocks again. */
void timens_end(void);

/* Whether the process has our clocks. */
bool timens_is_ours(pid_t pid);

#endif
