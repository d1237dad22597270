/* SPDX-License-Identifier: MIT */
/* Watches of the application on the loop of a runtime: descriptors, signals, timers. */
#include <outboard/watch.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "api/runtime.h"
#include "base/error.h"

struct ob_watch {
	struct ob_runtime *rt;
	ob_watch_fn *fn;
	void *user;
	int fd;	       /* what `io` watches */
	int signal_fd; /* owned; -1: not a signal */
	struct obi_io io;
	struct obi_timer timer;
};

static void on_timer(void *user)
{
	struct ob_watch *w = user;
	w->fn(w->user, 0);
}

static void on_fd(void *user, int events)
{
	struct ob_watch *w = user;
	w->fn(w->user, events);
}

/* One signal a turn: fn may free the watch. */
static void on_signal(void *user, int events)
{
	struct ob_watch *w = user;
	struct signalfd_siginfo got;
	(void)events;
	if (read(w->signal_fd, &got, sizeof got) == (ssize_t)sizeof got) {
		w->fn(w->user, (int)got.ssi_signo);
	}
}

/* NULL: out of memory. */
static struct ob_watch *make(struct ob_runtime *rt, ob_watch_fn *fn, void *user,
			     struct ob_error *reterr)
{
	struct ob_watch *w = calloc(1, sizeof *w);
	if (w == NULL) {
		(void)obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
		return NULL;
	}
	w->rt = rt;
	w->fn = fn;
	w->user = user;
	w->fd = w->signal_fd = -1;
	w->io.user = w->timer.user = w;
	w->timer.fn = on_timer;
	return w;
}

static void set_events(struct ob_watch *w, int events)
{
	obi_enter(w->rt);
	obi_io_set(w->rt->loop, &w->io, w->fd, events);
	obi_leave(w->rt);
}

int ob_watch_fd(ob_runtime *rt, int fd, int events, ob_watch_fn *fn, void *user,
		ob_watch **ret_watch, struct ob_error *reterr)
{
	if (fd < 0 || (events & ~(OB_READABLE | OB_WRITABLE)) != 0) {
		return obi_fail(reterr, OB_EINVAL, 0, "watching descriptor %d for events 0x%x: %s",
				fd, (unsigned)events, fd < 0 ? "no descriptor" : "unknown events");
	}
	struct ob_watch *w = make(rt, fn, user, reterr);
	if (w == NULL) {
		return OB_ENOMEM;
	}
	w->fd = fd;
	w->io.fn = on_fd;
	*ret_watch = w; /* before fn can run, on another thread perhaps */
	set_events(w, events);
	return OB_OK;
}

void ob_watch_set_events(ob_watch *w, int events)
{
	set_events(w, events & (OB_READABLE | OB_WRITABLE));
}

static int open_signal(int number, int *ret_fd, struct ob_error *reterr)
{
	sigset_t set;
	sigemptyset(&set);
	if (number == SIGKILL || number == SIGSTOP || sigaddset(&set, number) < 0) {
		return obi_fail(reterr, OB_EINVAL, 0, "watching signal %d: %s", number,
				number == SIGKILL || number == SIGSTOP ? "it cannot be blocked"
								       : "no such signal");
	}
	*ret_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (*ret_fd < 0) {
		return obi_fail(reterr, OB_EIO, errno, "watching signal %d: signalfd", number);
	}
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	return OB_OK;
}

int ob_watch_signal(ob_runtime *rt, int number, ob_watch_fn *fn, void *user, ob_watch **ret_watch,
		    struct ob_error *reterr)
{
	int fd = -1, r = open_signal(number, &fd, reterr);
	if (r < 0) {
		return r;
	}
	struct ob_watch *w = make(rt, fn, user, reterr);
	if (w == NULL) {
		close(fd);
		return OB_ENOMEM;
	}
	w->fd = w->signal_fd = fd;
	w->io.fn = on_signal;
	*ret_watch = w;
	set_events(w, OB_READABLE);
	return OB_OK;
}

int ob_watch_timer(ob_runtime *rt, int64_t after_ms, ob_watch_fn *fn, void *user,
		   ob_watch **ret_watch, struct ob_error *reterr)
{
	struct ob_watch *w = make(rt, fn, user, reterr);
	if (w == NULL) {
		return OB_ENOMEM;
	}
	*ret_watch = w;
	ob_watch_set_timer(w, after_ms);
	return OB_OK;
}

void ob_watch_set_timer(ob_watch *w, int64_t after_ms)
{
	obi_enter(w->rt);
	if (after_ms < 0) {
		obi_timer_stop(&w->timer);
	} else {
		obi_timer_set(w->rt->loop, &w->timer, after_ms);
	}
	obi_leave(w->rt);
}

void ob_watch_free(ob_watch *w)
{
	if (w == NULL) {
		return;
	}
	struct ob_runtime *rt = w->rt;
	obi_enter(rt);
	obi_io_stop(&w->io);
	obi_timer_stop(&w->timer);
	obi_leave(rt);
	if (w->signal_fd >= 0) {
		close(w->signal_fd);
	}
	free(w);
}
