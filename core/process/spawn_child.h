/* SPDX-License-Identifier: MIT */
/* process/spawn_child - what the child does between clone and exec: in the parent's memory, on a
 * stack of its own, with plain system calls only. */
#ifndef OBI_PROCESS_SPAWN_CHILD_H
#define OBI_PROCESS_SPAWN_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

/* In this order. Limits come after all that they could hinder, such as a write under fsize, but
 * before the change of the user, since only a privileged one may raise them. */
enum obi_spawn_step {
	OBI_SPAWN_SESSION = 0,
	OBI_SPAWN_SIGNALS,
	OBI_SPAWN_START,
	OBI_SPAWN_CGROUP,
	OBI_SPAWN_FILES,
	OBI_SPAWN_LIMIT,
	OBI_SPAWN_USER,
	OBI_SPAWN_CWD,
	OBI_SPAWN_EXEC
};

struct obi_spawn_limit {
	int resource;
	struct rlimit64 limit;
	const char *name;
};

/* The child's input, made by the parent; and its result. */
struct obi_spawn_child {
	const char *file;
	char *const *argv;
	char *const *envp;
	int fds[4]; /* become 0 to 3; each is above 3, the last may be -1 */
	/* The table of descriptors is the parent's, until the child makes one of the numbers below
	 * this, among which are fds. 0: it has its own from the beginning. */
	unsigned unshare_from;
	int start_fd;		/* where to write who we are; -1: nowhere. It is not inherited */
	int cgroup_fd;		/* of cgroup.procs of its cgroup; 0: none. It is not inherited */
	int64_t boot_offset_ns; /* of our time namespace */
	const struct obi_spawn_limit *limits;
	size_t limit_count;
	bool change_user;
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t group_count;
	int mask;	 /* the umask; -1: unchanged */
	const char *cwd; /* NULL: unchanged */
	/* Written by the child: */
	volatile int step; /* enum obi_spawn_step: the current one */
	volatile size_t limit;
	volatile int sys; /* errno of that step, if it failed */
};

/* The function for clone(2): does not return. */
int obi_spawn_child(void *child);

#endif
