/* SPDX-License-Identifier: MIT */
/*
 * process/cgroup - one cgroup of a child: made, joined, looked at, killed, removed.
 *
 * It is named by path and inode. Every function opens it anew and compares the inode, so that
 * nothing is done to another cgroup that has the path by now; no descriptor is kept. The kernel
 * does not use an inode number again until the next boot.
 */
#ifndef OBI_PROCESS_CGROUP_H
#define OBI_PROCESS_CGROUP_H

#include <outboard/connector.h>

#include "process/cgroup_text.h"

struct obi_cgroup_id {
	char path[OBI_CGROUP_PATH_SIZE]; /* "": none */
	uint64_t inode;
};

/*
 * Make a cgroup and set its limits. One that exists is removed before, unless it has processes:
 * OB_EBUSY. name: of its directory in the parent. On an error nothing is left. The controllers must
 * be enabled (process/cgroup_parent).
 */
int obi_cgroup_make(const struct ob_cgroup *options, const char *parent, const char *name,
		    struct obi_cgroup_id *ret, struct ob_error *reterr);

/* Open its cgroup.procs: whoever writes "0" there joins it. *ret_fd is above 2. */
int obi_cgroup_open_procs(const struct obi_cgroup_id *id, int *ret_fd, struct ob_error *reterr);

/* Whether the cgroup exists. False also if that is not known. */
bool obi_cgroup_exists(const struct obi_cgroup_id *id);

/* Whether processes live in it or below. True also if that is not known, for want of descriptors.
 */
bool obi_cgroup_is_populated(const struct obi_cgroup_id *id);

/* Send SIGKILL to all in it and below. They take a moment to die. */
void obi_cgroup_kill(const struct obi_cgroup_id *id);

/* The same on kernels without cgroup.kill (before 5.14): freeze, kill each, thaw. A fork that was
 * not seen is left alive: call it again until nobody is there. */
void obi_cgroup_kill_each(const struct obi_cgroup_id *id);

/* Remove it, with what is below. OB_EBUSY: it has processes. OB_OK if it does not exist. */
int obi_cgroup_remove(const struct obi_cgroup_id *id, struct ob_error *reterr);

/* What it uses. All -1 if it does not exist. */
struct ob_cgroup_usage obi_cgroup_usage(const struct obi_cgroup_id *id);

/* Write names and pids of some of its processes as a list for a person; those below are left out.
 */
void obi_cgroup_names(const struct obi_cgroup_id *id, char *text, size_t size);

#define OBI_CGROUP_USAGE_NONE ((struct ob_cgroup_usage){-1, -1, -1, -1, -1})

#endif
