/* SPDX-License-Identifier: MIT */
/* place/exit_watch - waits for the death of a process, and reaps it. */
#ifndef OBI_PLACE_EXIT_WATCH_H
#define OBI_PLACE_EXIT_WATCH_H

#include "loop/loop.h"
#include "process/orphans.h"

struct obi_exit_watch {
	struct obi_loop *loop;
	struct obi_io io;
	struct obi_task task;
	struct obi_child_watcher child;
	struct obi_exit reaped; /* by the default loop */
	bool is_reaped;
	void (*fn)(void *user); /* the process is dead; the watch is stopped */
	void *user;
};

/* fn and user must be set. The process must stay open until the watch is stopped. */
void obi_exit_watch_start(struct obi_exit_watch *watch, struct obi_loop *loop,
			  const struct obi_process *process);
void obi_exit_watch_stop(struct obi_exit_watch *watch);

/* The process is dead: kill the rest of its group, reap it, close it, and return how it ended. One
 * that is still traced is left to orphans. */
struct obi_exit obi_exit_watch_reap(struct obi_exit_watch *watch, struct obi_process *process,
				    struct obi_orphans *orphans);

#endif
