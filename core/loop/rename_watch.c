/* SPDX-License-Identifier: MIT */
#include "loop/rename_watch.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/error.h"

/* The interval of reports for a directory that the kernel does not watch any more, because the user
 * has no watches left; and the time until a report that comes again. */
enum { POLL_MS = 1000 };

struct obi_rename_watch_hub {
	struct obi_loop *loop;
	int fd;
	struct obi_io io;
	uint32_t watches;
	struct obi_key_table table; /* the watches in the kernel, by watch descriptor */
};

static struct obi_rename_watch *watch_of(struct obi_key_node *node)
{
	return (struct obi_rename_watch *)(void *)((char *)node -
						   offsetof(struct obi_rename_watch, node));
}

/* ---- Kernel watches ---- */

/* The kernel removes the watch with its first event (IN_ONESHOT). Two watches of one directory
 * share one kernel watch. */
static int enter_kernel(struct obi_rename_watch *watch)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/self/fd/%d", watch->dir_fd);
	int wd = inotify_add_watch(watch->hub->fd, path,
				   IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR | IN_ONESHOT);
	if (wd < 0) {
		return -errno;
	}
	obi_key_add(&watch->hub->table, &watch->node, (uint64_t)wd);
	watch->in_kernel = true;
	return 0;
}

static void leave_table(struct obi_rename_watch *watch)
{
	obi_key_remove(&watch->hub->table, &watch->node);
	watch->in_kernel = false;
}

/* ---- Reports ---- */

/* The time until the next report. Each report moves paid_at by one gap; OBI_RENAME_BURST reports
 * may come at once. */
static int64_t wait_ms(const struct obi_rename_watch *watch)
{
	int64_t most = (OBI_RENAME_BURST - 1) * OBI_RENAME_GAP_MS;
	int64_t ms = watch->paid_at - most - obi_now_ms();
	return ms > 0 ? ms : 0;
}

/* Watch again before the report: later changes get a report of their own. */
static void report(void *user)
{
	struct obi_rename_watch *watch = user;
	int64_t now = obi_now_ms();
	watch->paid_at = (watch->paid_at > now ? watch->paid_at : now) + OBI_RENAME_GAP_MS;
	if (enter_kernel(watch) < 0) {
		obi_timer_set(watch->hub->loop, &watch->timer, POLL_MS);
	}
	watch->fn(watch->user);
}

/* Tasks and timers make the reports, because a report may start and stop watches while the events
 * are read here. */
static void note_change(struct obi_rename_watch *watch)
{
	int64_t ms = wait_ms(watch);
	leave_table(watch);
	if (ms > 0) {
		obi_timer_set(watch->hub->loop, &watch->timer, ms);
	} else {
		obi_task_queue(watch->hub->loop, &watch->task);
	}
}

static void note_all(struct obi_rename_watch_hub *hub)
{
	struct obi_key_node *node = obi_key_next(&hub->table, NULL);
	while (node != NULL) {
		struct obi_rename_watch *watch = watch_of(node);
		node = obi_key_next(&hub->table, node);
		note_change(watch);
	}
}

/* After an overflow of the kernel's queue, any directory may have changed. */
static void note(struct obi_rename_watch_hub *hub, const struct inotify_event *event)
{
	struct obi_key_node *node;
	if ((event->mask & IN_Q_OVERFLOW) != 0) {
		note_all(hub);
		return;
	}
	while ((node = obi_key_find(&hub->table, (uint64_t)event->wd)) != NULL) {
		note_change(watch_of(node));
	}
}

static void on_events(void *user, int events)
{
	struct obi_rename_watch_hub *hub = user;
	_Alignas(struct inotify_event) char data[4096];
	(void)events;
	ssize_t n = read(hub->fd, data, sizeof data);
	for (char *p = data; n > 0 && p < data + n;) {
		const struct inotify_event *event = (const struct inotify_event *)(void *)p;
		note(hub, event);
		p += sizeof *event + event->len;
	}
}

/* ---- Watches ---- */

static int make_hub(struct obi_loop *loop, struct obi_rename_watch_hub **ret_hub,
		    struct ob_error *reterr)
{
	struct obi_rename_watch_hub *hub = calloc(1, sizeof *hub);
	if (hub == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	hub->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (hub->fd < 0) {
		int sys = errno;
		free(hub);
		return obi_fail(reterr, obi_code_of_errno(sys), sys, "inotify_init1");
	}
	hub->loop = loop;
	hub->io.fn = on_events;
	hub->io.user = hub;
	*ret_hub = hub;
	return OB_OK;
}

int obi_rename_watch_start(struct obi_loop *loop, struct obi_rename_watch_hub **hub,
			   struct obi_rename_watch *watch, int dir_fd, struct ob_error *reterr)
{
	int r = *hub == NULL ? make_hub(loop, hub, reterr) : OB_OK;
	if (r < 0 || watch->hub != NULL) {
		return r;
	}
	watch->hub = *hub;
	watch->dir_fd = dir_fd;
	watch->task.fn = watch->timer.fn = report;
	watch->task.user = watch->timer.user = watch;
	int sys = -enter_kernel(watch);
	if (sys != 0) {
		watch->hub = NULL;
		return obi_fail(reterr, obi_code_of_errno(sys), sys,
				"watching the data directory: inotify_add_watch");
	}
	/* A watched descriptor keeps the application's loop running: watch it only while there are
	 * watches. */
	if ((*hub)->watches++ == 0) {
		obi_io_set(loop, &(*hub)->io, (*hub)->fd, OB_READABLE);
	}
	return OB_OK;
}

static void leave_kernel(struct obi_rename_watch *watch)
{
	leave_table(watch);
	if (obi_key_find(&watch->hub->table, watch->node.key) == NULL) {
		(void)inotify_rm_watch(watch->hub->fd, (int)watch->node.key);
	}
}

void obi_rename_watch_again(struct obi_rename_watch *watch)
{
	/* Outside the kernel a report is due anyway. */
	if (watch->hub != NULL && watch->in_kernel) {
		leave_kernel(watch);
		obi_timer_set(watch->hub->loop, &watch->timer, POLL_MS);
	}
}

void obi_rename_watch_stop(struct obi_rename_watch *watch)
{
	struct obi_rename_watch_hub *hub = watch->hub;
	if (hub == NULL) {
		return;
	}
	obi_task_stop(&watch->task);
	obi_timer_stop(&watch->timer);
	if (watch->in_kernel) {
		leave_kernel(watch);
	}
	watch->hub = NULL;
	if (--hub->watches == 0) {
		obi_io_stop(&hub->io);
	}
}

void obi_rename_watch_hub_free(struct obi_rename_watch_hub *hub)
{
	if (hub != NULL) {
		obi_io_stop(&hub->io);
		close(hub->fd);
		obi_key_table_free(&hub->table);
		free(hub);
	}
}
