/* SPDX-License-Identifier: MIT */
/*
 * files/datadir - the data directory of one child, its locks and its config.
 *
 * A connector in charge holds parent.lock; a living child holds outboard.lock, which it inherits as
 * fd 3. Both are open file description locks. outboard.lock is queried with F_OFD_GETLK, and taken
 * only to start a child.
 */
#ifndef OBI_FILES_DATADIR_H
#define OBI_FILES_DATADIR_H

#include "process/process.h"

#include <outboard/outboard.h>
#include <sys/types.h>

#define OBI_FILE_CONFIG "outboard.json"
#define OBI_FILE_STATE	"state.json"
#define OBI_FILE_STDOUT "stdout.fifo"
#define OBI_FILE_STDERR "stderr.fifo"
#define OBI_FILE_SOCKET "rpc.sock"

struct obi_datadir {
	char *path;
	int fd;		 /* the directory; -1: closed */
	int parent_lock; /* -1: not held */
	uid_t uid;	 /* of the child; it gets the files that it must read */
	gid_t gid;
};

#define OBI_DATADIR_NONE ((struct obi_datadir){.fd = -1, .parent_lock = -1})

/*
 * Open the directory at path (absolute); make it, and those above it, with mode 0700 if create. It
 * must belong to us or to uid and be closed to others. uid and gid are the child's
 * (obi_spawn_user). OB_ENOENT: it is not there. "creating data directory: ..."
 */
int obi_datadir_open(const char *path, bool create, uid_t uid, gid_t gid, struct obi_datadir *ret,
		     struct ob_error *reterr);

/* Release parent.lock and close. */
void obi_datadir_close(struct obi_datadir *dir);

/* Take parent.lock; no error if we hold it already. OB_EBUSY: another connector holds it. */
int obi_datadir_lock(struct obi_datadir *dir, struct ob_error *reterr);
void obi_datadir_unlock(struct obi_datadir *dir);

/* Whether parent.lock is held. It is not taken. */
int obi_datadir_has_parent(const struct obi_datadir *dir, bool *ret_has, struct ob_error *reterr);

enum obi_occupant_kind {
	OBI_OCCUPANT_NONE = 0,	/* outboard.lock is free */
	OBI_OCCUPANT_LIVE,	/* held, and the recorded process lives: `process` is open */
	OBI_OCCUPANT_LEFTOVERS, /* held, but the recorded process is dead: `process.id` has it, or
				   pid 0 */
};

struct obi_occupant {
	enum obi_occupant_kind kind;
	bool recorded; /* live: it is in state.json; else its parent died right after the clone */
	struct obi_process process;
};

/*
 * Find out who occupies the directory. known is the procid of state.json (pid 0: none); a newer pid
 * in outboard.lock takes precedence. Nothing is changed.
 */
int obi_datadir_probe(const struct obi_datadir *dir, const struct obi_procid *known,
		      struct obi_occupant *ret, struct ob_error *reterr);

/* Take outboard.lock for a new child, and empty it. *ret_fd is for obi_spawn(); close it after
 * that. parent.lock must be held. OB_EBUSY: it is held. */
int obi_datadir_lock_child(const struct obi_datadir *dir, int *ret_fd, struct ob_error *reterr);

/* Unlink outboard.lock, so that a lock that leftovers hold has no effect. parent.lock must be held.
 */
int obi_datadir_replace_lock(const struct obi_datadir *dir, struct ob_error *reterr);

/* Remove temporary files; with all, also the config, the FIFOs and the socket. parent.lock must be
 * held, and outboard.lock must be free. */
void obi_datadir_clean(const struct obi_datadir *dir, bool all);

/* Read and write outboard.json; see files/child_config. It is written without fsync: its content is
 * void after a reboot. */
int obi_datadir_read_config(const struct obi_datadir *dir, struct ob_config *ret,
			    struct ob_error *reterr);
int obi_datadir_write_config(const struct obi_datadir *dir, const struct ob_config *config,
			     struct ob_error *reterr);

#endif
