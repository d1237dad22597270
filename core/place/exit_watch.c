/* SPDX-License-Identifier: MIT */
#include "place/exit_watch.h"

static void end(void *user)
{
	struct obi_exit_watch *watch = user;
	obi_exit_watch_stop(watch);
	watch->fn(watch->user);
}

/* The default loop of libev may have reaped the process. Then its callback brings the status in the
 * same turn, so it is asked for at the end of the turn. */
static void on_death(void *user, int events)
{
	struct obi_exit_watch *watch = user;
	(void)events;
	if (obi_loop_is_default(watch->loop)) {
		obi_io_stop(&watch->io);
		obi_task_queue(watch->loop, &watch->task);
	} else {
		end(watch);
	}
}

static void on_reaped(void *user, int status)
{
	struct obi_exit_watch *watch = user;
	watch->reaped = obi_exit_of_status(status);
	watch->is_reaped = true;
}

void obi_exit_watch_start(struct obi_exit_watch *watch, struct obi_loop *loop,
			  const struct obi_process *process)
{
	watch->loop = loop;
	watch->is_reaped = false;
	watch->io.fn = on_death;
	watch->task.fn = end;
	watch->child.fn = on_reaped;
	watch->io.user = watch->task.user = watch->child.user = watch;
	obi_io_set(loop, &watch->io, process->pidfd, OB_READABLE);
	if (process->own && obi_loop_is_default(loop)) {
		obi_child_watcher_set(loop, &watch->child, process->id.pid);
	}
}

void obi_exit_watch_stop(struct obi_exit_watch *watch)
{
	obi_io_stop(&watch->io);
	obi_task_stop(&watch->task);
	obi_child_watcher_stop(&watch->child);
}

struct obi_exit obi_exit_watch_reap(struct obi_exit_watch *watch, struct obi_process *process,
				    struct obi_orphans *orphans)
{
	struct obi_exit end = {OB_EXIT_UNKNOWN, 0};
	if (obi_process_end(process, &end) == OB_EBUSY) {
		obi_orphans_add(orphans, watch->loop, process);
	}
	return watch->is_reaped && end.kind == OB_EXIT_UNKNOWN ? watch->reaped : end;
}
