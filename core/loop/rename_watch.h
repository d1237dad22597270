/* SPDX-License-Identifier: MIT */
/*
 * loop/rename_watch - hear of files that are renamed into directories, through one inotify instance
 * for a whole runtime.
 *
 * Set a watch before the thing can happen that it waits for. An overflow of the kernel's queue
 * counts as a change of everything.
 */
#ifndef OBI_LOOP_RENAME_WATCH_H
#define OBI_LOOP_RENAME_WATCH_H

#include "loop/loop.h"

struct obi_rename_watch_hub;

struct obi_rename_watch {
	struct obi_rename_watch_hub *hub; /* NULL: not watching */
	struct obi_rename_watch *next;
	int wd;
	struct obi_task task;
	void (*fn)(void *user); /* something was renamed into the directory, or may have been */
	void *user;
};

/* Watch the directory of dir_fd. *hub is made on first use. fn and user must be set. */
int obi_rename_watch_start(struct obi_loop *loop, struct obi_rename_watch_hub **hub,
			   struct obi_rename_watch *watch, int dir_fd, struct ob_error *reterr);

/* No callback comes after it. */
void obi_rename_watch_stop(struct obi_rename_watch *watch);

/* hub may be NULL; no watch may be left. */
void obi_rename_watch_hub_free(struct obi_rename_watch_hub *hub);

#endif
