/* SPDX-License-Identifier: MIT */
/* root_lock - run.lock in data_root: one supervisor at a time, and who that is. */
#ifndef OBI_CLI_RUN_ROOT_LOCK_H
#define OBI_CLI_RUN_ROOT_LOCK_H

#include <outboard/outboard.h>
#include <sys/types.h>

/*
 * Lock the data_root that root_fd is; *ret is closed to unlock it. kept (-1: none) is a lock that
 * this process holds already: if it is this one, *ret is another descriptor of it. OB_EBUSY:
 * another supervisor holds it; the error names its pid.
 */
int obi_root_lock(int root_fd, int kept, int *ret, struct ob_error *reterr);

/* Whether run.lock in the data_root is this one. */
bool obi_root_lock_is_in_place(int root_fd, int lock);

struct obi_root_holder {
	bool held; /* a supervisor has the data_root */
	/* Its pid. 0: not known, since it is in another pid namespace, or its descriptors must not
	 * be read. A pid in the file is believed only if that process has the lock. */
	pid_t pid;
};

/* Who holds the lock of this data_root. */
struct obi_root_holder obi_root_holder(const char *path);

/* The same in words: "outboard run (pid 4711)". */
void obi_root_holder_text(const struct obi_root_holder *holder, char *text, size_t size);

#endif
