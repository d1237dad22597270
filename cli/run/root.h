/* SPDX-License-Identifier: MIT */
/* root - data_root: its lock, and the record of the children that `outboard run` supervises. */
#ifndef OBI_CLI_RUN_ROOT_H
#define OBI_CLI_RUN_ROOT_H

#include <outboard/outboard.h>
#include <sys/types.h>

#include "base/arena.h"

/* How long a child may take to stop before SIGKILL, where its config does not say. */
enum { OBI_STOP_TIMEOUT_MS = 10000 };

/* A child of this supervisor, or of an earlier one: enough to end it without its config. */
struct obi_record_entry {
	struct obi_record_entry *next;
	const char *name;
	const char *data_path;
	int stop_signal;
	int64_t stop_timeout_ms; /* negative: none */
};

struct obi_root {
	const char *path; /* borrowed */
	bool shared;
	int fd;
	int lock; /* -1: not held */
	/* Of a data_root that was moved away: as long as we run, nobody may start the children
	 * there. -1: none. */
	int kept_lock;
	struct obi_arena arena;
	struct obi_record_entry *record; /* as it was read; in arena */
};

#define OBI_ROOT_NONE ((struct obi_root){.fd = -1, .lock = -1, .kept_lock = -1})

/* Open data_root, make it if it does not exist, lock it and read the record. shared: children of
 * other users must be able to pass through what is made. OB_EBUSY: another `outboard run` holds the
 * lock. */
int obi_root_open(const char *path, bool shared, struct obi_root *ret, struct ob_error *reterr);
void obi_root_close(struct obi_root *root);

/* Whether the path still leads to this directory. */
bool obi_root_is_in_place(const struct obi_root *root);

/*
 * Open data_root anew, by the same rules as at first, because it or its lock was removed or
 * replaced. On failure nothing has changed. OB_EBUSY: another supervisor has the new one. The
 * record is not written.
 */
int obi_root_renew(struct obi_root *root, struct ob_error *reterr);

/* Write the record: a later `outboard run` ends the children in it that its config lacks. */
int obi_root_write(const struct obi_root *root, const struct obi_record_entry *entries,
		   struct ob_error *reterr);

/* Read the record of the data_root that fd is, which belongs to owner. The entries are made in
 * arena. NULL: none, or not readable. */
struct obi_record_entry *obi_root_read(int fd, uid_t owner, struct obi_arena *arena);

#endif
