/* SPDX-License-Identifier: MIT */
/*
 * files/statedir - the parent's own directory for one child. The child never has access to it.
 *
 * It holds parent.lock, which says which connector is in charge; outboard.lock, which says whether
 * anything that inherited the child's descriptor 3 still lives; `start`, into which a new process
 * writes its pid before it executes anything; and state.json (files/statefile). The directory has
 * mode 0700 and belongs to us; what is in it is trusted for that reason.
 *
 * Both locks are open file description locks. outboard.lock is made anew for each start: a holder
 * of an old one could keep it for ever. It is never read and never written.
 */
#ifndef OBI_FILES_STATEDIR_H
#define OBI_FILES_STATEDIR_H

#include "process/holders.h"

#include <outboard/abi.h>
#include <sys/types.h>

struct obi_statedir {
	char *path;
	int fd;		 /* -1: closed */
	int parent_lock; /* -1: not held */
};

#define OBI_STATEDIR_NONE ((struct obi_statedir){.fd = -1, .parent_lock = -1})

/*
 * Open the directory at path (absolute); make it, and those above it, if create. child is the
 * child's user: no directory above may be writable by it (files/trusted_path). A mode that was
 * changed is set to 0700 again. OB_ENOENT: it is not there. OB_EPERM: it is another user's.
 * "opening state directory: ..."
 */
int obi_statedir_open(const char *path, bool create, uid_t child, struct obi_statedir *ret,
		      struct ob_error *reterr);

/* Release the lock and close. */
void obi_statedir_close(struct obi_statedir *dir);

/* Take parent.lock, and remove temporary files of a dead parent. No error if it is ours already.
 * OB_EBUSY: another connector holds it. */
int obi_statedir_lock(struct obi_statedir *dir, struct ob_error *reterr);
void obi_statedir_unlock(struct obi_statedir *dir);

/* Whether path still leads to this directory, and parent.lock in it is the one that we hold. */
bool obi_statedir_is_in_place(const struct obi_statedir *dir, const char *path);

/* Whether any process holds parent.lock. Takes nothing. */
int obi_statedir_has_parent(const struct obi_statedir *dir, bool *ret_has, struct ob_error *reterr);

/*
 * Make a new outboard.lock. *ret_fd is a read-only descriptor with a shared lock: it is given to
 * the child as descriptor 3, and closed here after the spawn. *ret_id is the lock's identity, for
 * state.json and for the search of holders. parent.lock must be held.
 */
int obi_statedir_make_lock(const struct obi_statedir *dir, int *ret_fd, struct obi_lock_id *ret_id,
			   struct ob_error *reterr);

/* Remove outboard.lock: whoever holds it does not count any more. parent.lock must be held. */
void obi_statedir_forget_lock(const struct obi_statedir *dir);

/* Whether any process holds the current outboard.lock. */
int obi_statedir_is_held(const struct obi_statedir *dir, bool *ret_held, struct ob_error *reterr);

/* Make a new `start`: "BOOT ", to which the new process appends "PID BOOTTIME_NS\n" through *ret_fd
 * before it executes anything. It does not inherit the descriptor. */
int obi_statedir_make_start(const struct obi_statedir *dir, int *ret_fd, struct ob_error *reterr);

/* What lives of a child. */
struct obi_runner {
	bool alive;    /* the process that was started lives: `process` is open */
	bool recorded; /* alive: state.json names it; else only `start` does */
	bool held;     /* something that inherited the current lock lives */
	/* Not alive: `process.id` is the dead one, the latest that is known, or has pid 0. What it
	 * left behind is in its group. */
	struct obi_process process;
};

/*
 * Look for the child. known is the process of state.json (pid 0: none); where it is dead, or is
 * none, the process that signed `start` is looked for: its parent died before it wrote state.json.
 * Changes nothing. A failure says nothing about the child.
 */
int obi_statedir_probe(const struct obi_statedir *dir, const struct obi_procid *known,
		       struct obi_runner *ret, struct ob_error *reterr);

/* What the last process wrote into `start`. OB_ENOENT: nothing, or in another boot. */
int obi_statedir_read_start(const struct obi_statedir *dir, int32_t *ret_pid,
			    uint64_t *ret_noted_ns, struct ob_error *reterr);

#endif
