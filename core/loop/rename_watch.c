/* SPDX-License-Identifier: MIT */
#include "loop/rename_watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/error.h"

struct obi_rename_watch_hub {
	struct obi_loop *loop;
	int fd;
	struct obi_io io;
	struct obi_rename_watch *watches;
};

static void on_task(void *user)
{
	struct obi_rename_watch *watch = user;
	watch->fn(watch->user);
}

/* Callbacks come from tasks, so that they can start and stop watches while the list is walked here.
 */
static void note(struct obi_rename_watch_hub *hub, const struct inotify_event *event)
{
	for (struct obi_rename_watch *w = hub->watches; w != NULL; w = w->next) {
		if ((event->mask & IN_Q_OVERFLOW) != 0 || event->wd == w->wd) {
			obi_task_queue(hub->loop, &w->task);
		}
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
	char path[64];
	int r = *hub == NULL ? make_hub(loop, hub, reterr) : OB_OK;
	if (r < 0 || watch->hub != NULL) {
		return r;
	}
	snprintf(path, sizeof path, "/proc/self/fd/%d", dir_fd);
	watch->wd = inotify_add_watch((*hub)->fd, path, IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR);
	if (watch->wd < 0) {
		return obi_fail(reterr, obi_code_of_errno(errno), errno,
				"watching the data directory");
	}
	/* The descriptor of a loop that sleeps only while somebody watches: an unused one keeps
	 * nothing alive. */
	if ((*hub)->watches == NULL) {
		obi_io_set(loop, &(*hub)->io, (*hub)->fd, OB_READABLE);
	}
	watch->hub = *hub;
	watch->task.fn = on_task;
	watch->task.user = watch;
	watch->next = (*hub)->watches;
	(*hub)->watches = watch;
	return OB_OK;
}

/* Two watches of one directory share the kernel's. */
static bool is_shared(const struct obi_rename_watch_hub *hub, int wd)
{
	for (const struct obi_rename_watch *w = hub->watches; w != NULL; w = w->next) {
		if (w->wd == wd) {
			return true;
		}
	}
	return false;
}

void obi_rename_watch_stop(struct obi_rename_watch *watch)
{
	struct obi_rename_watch_hub *hub = watch->hub;
	if (hub == NULL) {
		return;
	}
	struct obi_rename_watch **slot = &hub->watches;
	while (*slot != watch) {
		slot = &(*slot)->next;
	}
	*slot = watch->next;
	watch->hub = NULL;
	obi_task_stop(&watch->task);
	if (!is_shared(hub, watch->wd)) {
		(void)inotify_rm_watch(hub->fd, watch->wd);
	}
	if (hub->watches == NULL) {
		obi_io_stop(&hub->io);
	}
}

void obi_rename_watch_hub_free(struct obi_rename_watch_hub *hub)
{
	if (hub != NULL) {
		obi_io_stop(&hub->io);
		close(hub->fd);
		free(hub);
	}
}
