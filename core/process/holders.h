/* SPDX-License-Identifier: MIT */
/*
 * process/holders - find the processes that keep a child's lock held.
 *
 * A child inherits an open file description with a shared OFD lock as descriptor 3. Whatever
 * inherits it further, in a container or out of its process group, keeps the lock. The kernel names
 * the lock in /proc/PID/fdinfo/FD as MAJ:MIN:INODE; a mapping of the file keeps the lock, too, and
 * is in /proc/PID/maps.
 *
 * A scan looks at descriptor 3 of all processes first, then at all their descriptors, then at their
 * mappings, each for the locks that are not found yet. It goes on in steps, so that it can be
 * spread over turns of a loop. One scan serves many locks. Processes of other users can be hidden
 * from a parent that is not root.
 */
#ifndef OBI_PROCESS_HOLDERS_H
#define OBI_PROCESS_HOLDERS_H

#include "process/process.h"

#define OBI_LOCK_ID_SIZE 48

/* The identity of a lock, as the kernel writes it: "fe:01:1234". Empty: not known. */
struct obi_lock_id {
	char text[OBI_LOCK_ID_SIZE];
};

/* The identity of the OFD lock that is held through fd. OB_ENOENT: fd holds none. */
int obi_lock_id_of(int fd, struct obi_lock_id *ret, struct ob_error *reterr);

/* One process that keeps a lock held. */
struct obi_holder {
	size_t lock; /* index of the lock in the scan */
	struct obi_process process;
	uid_t uid;
	int32_t session;
	bool descendant; /* of this process */
	char name[16];	 /* as the kernel has it in comm: the process chooses it */
};

struct obi_holder_scan;

/* Begin a scan for these locks; they are copied. thorough: do not leave out a lock in the later
 * passes because it was found in an earlier one. */
int obi_holder_scan_new(const struct obi_lock_id *locks, size_t count, bool thorough,
			struct obi_holder_scan **ret, struct ob_error *reterr);

/* Look at up to `files` more files of /proc, or a little more: one process is looked at in one go,
 * at most 1024 of its descriptors and 8192 lines of a file. False: the scan is over. */
bool obi_holder_scan_step(struct obi_holder_scan *scan, unsigned files);

/* Whether everything could be looked at: false, if descriptors or memory ran out, or a lock has
 * more than 64 holders. */
bool obi_holder_scan_is_complete(const struct obi_holder_scan *scan);

/* What was found so far. The processes stay the scan's; a caller that wants to keep one takes it
 * out by setting its pidfd to -1. */
struct obi_holder *obi_holder_scan_results(struct obi_holder_scan *scan, size_t *ret_count);

void obi_holder_scan_free(struct obi_holder_scan *scan);

/* Whom of the holders a parent may kill. */
struct obi_holder_rule {
	int32_t session; /* of the runner; 0: not known */
	uid_t child_uid; /* the user that the child was given */
	/* OUTBOARD_CONFIG in the environment of what the child starts; NULL: not known. */
	const char *config_path;
	const int32_t *spared; /* sessions of other children, which are never killed for this one */
	size_t spared_count;
};

/*
 * True for a holder that is in the runner's session, is a descendant of this process, runs as the
 * child's own user where that is neither root nor ours, or was executed with the child's
 * OUTBOARD_CONFIG in its environment, which it inherited. A descriptor can be passed to an innocent
 * process, so any other is not to be killed; nor is one in a spared session.
 */
bool obi_holder_may_be_killed(const struct obi_holder *holder, const struct obi_holder_rule *rule);

#endif
