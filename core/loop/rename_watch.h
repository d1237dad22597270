/* SPDX-License-Identifier: MIT */
/*
 * loop/rename_watch - watch directories for files that are renamed into them or written, with one
 * inotify instance for each runtime.
 *
 * Start a watch before the change can happen. The callbacks of a watch are limited in rate, so that
 * a process that changes its directory all the time causes a bounded amount of work: the first few
 * changes are reported at once, further ones at most every OBI_RENAME_GAP_MS. The last change is
 * always reported. Between a change and its report the kernel does not watch the directory, so
 * changes without a report cost nothing.
 */
#ifndef OBI_LOOP_RENAME_WATCH_H
#define OBI_LOOP_RENAME_WATCH_H

#include "base/key_table.h"
#include "loop/loop.h"

/* The number of reports at once; then one for each gap. */
enum { OBI_RENAME_BURST = 4, OBI_RENAME_GAP_MS = 20 };

struct obi_rename_watch_hub;

struct obi_rename_watch {
	struct obi_rename_watch_hub *hub; /* NULL: not watching */
	struct obi_key_node node;	  /* in the table of the hub, by watch descriptor */
	int dir_fd;
	bool in_kernel;	 /* false: a change waits for its report */
	int64_t paid_at; /* when all reports so far are covered, at one for each gap */
	struct obi_task task;
	struct obi_timer timer;
	void (*fn)(void *user); /* the directory has changed, or may have */
	void *user;
};

/* Watch the directory of dir_fd, which must stay open until the stop. *hub is created on first use.
 * fn and user must be set; the other members must be zero before the first start. */
int obi_rename_watch_start(struct obi_loop *loop, struct obi_rename_watch_hub **hub,
			   struct obi_rename_watch *watch, int dir_fd, struct ob_error *reterr);

/* Report once more within a second, though nothing changes: what has changed could not be looked
 * at.
 */
void obi_rename_watch_again(struct obi_rename_watch *watch);

/* No callback comes after it. */
void obi_rename_watch_stop(struct obi_rename_watch *watch);

/* hub may be NULL. All watches must be stopped. */
void obi_rename_watch_hub_free(struct obi_rename_watch_hub *hub);

#endif
