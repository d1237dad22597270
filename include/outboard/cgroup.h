/* SPDX-License-Identifier: MIT */
/*
 * outboard/cgroup.h - the control group of a child: its limits, and what it uses.
 */
#ifndef OUTBOARD_CGROUP_H
#define OUTBOARD_CGROUP_H

#include <outboard/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A cgroup of the child (cgroup v2). One is made for every start, below `parent`, and removed when
 * the child is gone. The child's process joins it before it is executed, so all that it starts is
 * in it, too. What is in it is the child's beyond doubt: it is killed at the end of a stop, and
 * where the leftover policy kills. In limits 0 means: not set.
 *
 * A start fails, and ob_connector_options_check() says it before, where there is no cgroup v2,
 * where a controller is missing that a limit needs, or where `parent` is not delegated to this
 * user.
 */
struct ob_cgroup {
	uint32_t size;
	/* An absolute path of a cgroup, such as "/sys/fs/cgroup/example": it must exist, this user
	 * must be able to make cgroups in it, and if a limit is set no process may be in it. NULL:
	 * the cgroup of this process. If a limit is set, this process then moves itself into a leaf
	 * of that, "outboard-supervisor", since the kernel has limits only below cgroups without
	 * processes; see ob_cgroup_prepare(). */
	const char *parent;
	uint64_t memory_max;  /* bytes */
	uint64_t memory_high; /* bytes: above it the child is slowed down, and memory reclaimed */
	uint64_t pids_max;    /* processes and threads */
	/* Processor time in µs within each period, and the length of that; default 100 000 µs. */
	uint64_t cpu_max_us;
	uint64_t cpu_period_us;
	uint32_t cpu_weight; /* 1 to 10000; the kernel's default is 100 */
	uint32_t io_weight;  /* the same */
	bool oom_group; /* when memory runs out, kill all of the cgroup, not one process of it */
};

/* What a cgroup uses, with all below it. -1: not known, since there is no cgroup, or its parent
 * does not have the controller. */
struct ob_cgroup_usage {
	int64_t memory;	     /* bytes */
	int64_t memory_peak; /* the most since the start */
	int64_t cpu_us;	     /* processor time since the start */
	int64_t pids;	     /* processes and threads */
	int64_t oom_kills;   /* processes killed since the start because memory ran out */
};

/*
 * Do what the first start of a child with this cgroup does for the parent cgroup: enable the
 * controllers that its limits need and, if cgroup->parent is NULL, move this process into a leaf.
 * For a program that also has children without a cgroup: those stay in the cgroup of this process,
 * and if one is started first the kernel refuses the controllers. So call it before the first
 * start.
 *
 *   OB_ENOTSUP  there is no cgroup v2, or no such controller
 *   OB_EPERM    the parent cgroup is not delegated to this user
 *   OB_EBUSY    there are other processes in the parent cgroup
 */
OB_API int ob_cgroup_prepare(const struct ob_cgroup *cgroup, struct ob_error *reterr);

#ifdef __cplusplus
}
#endif
#endif
