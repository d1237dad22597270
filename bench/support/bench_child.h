/* SPDX-License-Identifier: MIT */
/* bench_child - children that end with the benchmark, also where that is killed. */
#ifndef BENCH_CHILD_H
#define BENCH_CHILD_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#define BENCH_PARENT "BENCH_PARENT"

/* In the benchmark, before it starts children. */
static inline void bench_child_lead(void)
{
	char pid[16];
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	setenv(BENCH_PARENT, pid, 1);
}

/* In the child. A parent that has ended already sends no signal. Without one that leads, nothing
 * happens. */
static inline void bench_child_follow(void)
{
	const char *parent = getenv(BENCH_PARENT);
	if (parent == NULL) {
		return;
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != atoi(parent)) {
		_exit(1);
	}
}

#endif
