/* SPDX-License-Identifier: MIT */
#include "loop/loop.h"

#include "base/error.h"
#include "loop/spare_memory.h"

#include <errno.h>
#include <ev.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

struct obi_loop {
	struct ev_loop *ev;
	bool attached;
	ev_prepare prepare;   /* attached: runs the tasks before each sleep; on our own loop
				 obi_loop_turn() does */
	ev_check check;	      /* clears the cached time after each sleep */
	ev_async async;	      /* wakes the loop from other threads */
	int64_t now;	      /* the cached time; 0 if not read in this turn */
	int64_t timers_since; /* when the first timer of this turn was called; 0: none was */
	bool awake;	      /* between a sleep and the end of the turn: the time is cached */
	struct obi_task *tasks;
	struct obi_task **tasks_end;
	atomic_uint refs;
	struct obi_loop_lock *outer; /* released in sleeps; NULL: none */
	pthread_mutex_t lock;	     /* of closed and jobs */
	bool closed;
	struct obi_job *jobs;
	struct obi_job **jobs_end;
	uint32_t busy_poll_us;
	uint32_t io_seen; /* I/O callbacks since the last sleep */
	uint32_t ran;	  /* callbacks of any kind so far */
};

/* TIMERS_MS: the timers of one turn. */
enum { RETRY_MS = 50, TIMERS_MS = 10 };

_Static_assert(sizeof(ev_io) <= sizeof(struct obi_watcher), "room for a libev watcher");
_Static_assert(sizeof(ev_timer) <= sizeof(struct obi_watcher), "room for a libev watcher");
_Static_assert(sizeof(ev_child) <= sizeof(struct obi_watcher), "room for a libev watcher");
_Static_assert((int)OB_READABLE == EV_READ && (int)OB_WRITABLE == EV_WRITE,
	       "events need no translation");

int64_t obi_loop_now(struct obi_loop *loop)
{
	if (!loop->awake) {
		return obi_now_ms();
	}
	if (loop->now == 0) {
		loop->now = obi_now_ms();
	}
	return loop->now;
}

static bool run_tasks(struct obi_loop *loop)
{
	bool ran = false;
	while (loop->tasks != NULL) {
		struct obi_task *task = loop->tasks;
		obi_task_stop(task);
		task->fn(task->user);
		ran = true;
	}
	return ran;
}

static void on_prepare(struct ev_loop *ev, ev_prepare *prepare, int events)
{
	(void)ev;
	(void)events;
	(void)run_tasks(prepare->data);
	((struct obi_loop *)prepare->data)->awake = false;
}

static void on_check(struct ev_loop *ev, ev_check *check, int events)
{
	(void)ev;
	(void)events;
	struct obi_loop *loop = check->data;
	loop->now = loop->timers_since = 0;
	loop->awake = true;
}

static void run_jobs(struct obi_loop *loop)
{
	pthread_mutex_lock(&loop->lock);
	struct obi_job *job = loop->jobs;
	loop->jobs = NULL;
	loop->jobs_end = &loop->jobs;
	pthread_mutex_unlock(&loop->lock);
	while (job != NULL) {
		struct obi_job *next = job->next;
		job->fn(job);
		job = next;
	}
}

static void on_async(struct ev_loop *ev, ev_async *async, int events)
{
	(void)ev;
	(void)events;
	((struct obi_loop *)async->data)->ran++;
	run_jobs(async->data);
}

/* In an application's loop, these watchers alone must not keep ev_run() from returning. */
static void start_own_watchers(struct obi_loop *loop)
{
	ev_prepare_init(&loop->prepare, on_prepare);
	ev_check_init(&loop->check, on_check);
	ev_set_priority(&loop->check, EV_MAXPRI); /* before any other callback of the turn */
	ev_async_init(&loop->async, on_async);
	loop->prepare.data = loop->check.data = loop->async.data = loop;
	if (loop->attached) {
		ev_prepare_start(loop->ev, &loop->prepare);
	}
	ev_check_start(loop->ev, &loop->check);
	ev_async_start(loop->ev, &loop->async);
	if (loop->attached) {
		ev_unref(loop->ev);
		ev_unref(loop->ev);
		ev_unref(loop->ev);
	}
}

static void *memory_for_libev(void *piece, long size) EV_NOEXCEPT
{
	return obi_spare_realloc(piece, (size_t)size);
}

/* When the program is loaded: before it makes loops, and before it sets an allocator of its own,
 * which then holds. */
__attribute__((constructor)) static void give_libev_memory(void)
{
	ev_set_allocator(memory_for_libev);
}

/*
 * Only with epoll. libev's other backends do not allow one thread to close a descriptor while the
 * thread of the loop sleeps (poll fails an assertion), and select is limited to 1024 descriptors.
 */
static struct ev_loop *new_ev(void)
{
	errno = 0;
	return ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
}

int obi_loop_new(struct ev_loop *given, uint32_t busy_poll_us, struct obi_loop **ret_loop,
		 struct ob_error *reterr)
{
	struct obi_loop *loop = calloc(1, sizeof *loop);
	if (loop == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	loop->attached = given != NULL;
	loop->ev = given != NULL ? given : new_ev();
	if (loop->ev == NULL) {
		int sys = errno;
		free(loop);
		return obi_fail(reterr, OB_ENOMEM, sys, "creating an event loop (epoll)");
	}
	atomic_init(&loop->refs, 1);
	pthread_mutex_init(&loop->lock, NULL);
	loop->tasks_end = &loop->tasks;
	loop->jobs_end = &loop->jobs;
	loop->busy_poll_us = busy_poll_us;
	start_own_watchers(loop);
	*ret_loop = loop;
	return OB_OK;
}

struct obi_loop *obi_loop_ref(struct obi_loop *loop)
{
	atomic_fetch_add(&loop->refs, 1);
	return loop;
}

void obi_loop_unref(struct obi_loop *loop)
{
	if (atomic_fetch_sub(&loop->refs, 1) == 1) {
		pthread_mutex_destroy(&loop->lock);
		free(loop);
	}
}

void obi_loop_drain(struct obi_loop *loop)
{
	if (loop != NULL) {
		run_jobs(loop);
		(void)run_tasks(loop);
	}
}

/* Only when no job waits: whoever is refused may then free what his earlier jobs use. */
static bool close_for_jobs(struct obi_loop *loop)
{
	pthread_mutex_lock(&loop->lock);
	loop->closed = loop->jobs == NULL;
	bool closed = loop->closed;
	pthread_mutex_unlock(&loop->lock);
	return closed;
}

void obi_loop_close(struct obi_loop *loop)
{
	if (loop == NULL) {
		return;
	}
	while (!close_for_jobs(loop)) {
		run_jobs(loop);
	}
	(void)run_tasks(loop);
	if (loop->attached) {
		ev_ref(loop->ev);
		ev_ref(loop->ev);
		ev_ref(loop->ev);
	}
	ev_prepare_stop(loop->ev, &loop->prepare);
	ev_check_stop(loop->ev, &loop->check);
	ev_async_stop(loop->ev, &loop->async);
	if (!loop->attached) {
		ev_loop_destroy(loop->ev);
	}
	obi_loop_unref(loop);
}

void obi_loop_lock(struct obi_loop_lock *lock)
{
	pthread_mutex_lock(&lock->gate);
	pthread_mutex_lock(&lock->mutex);
	pthread_mutex_unlock(&lock->gate);
}

static void release(struct ev_loop *ev) EV_NOEXCEPT
{
	const struct obi_loop *loop = ev_userdata(ev);
	pthread_mutex_unlock(&loop->outer->mutex);
}

static void acquire(struct ev_loop *ev) EV_NOEXCEPT
{
	const struct obi_loop *loop = ev_userdata(ev);
	obi_loop_lock(loop->outer);
}

void obi_loop_set_lock(struct obi_loop *loop, struct obi_loop_lock *lock)
{
	loop->outer = lock;
	ev_set_userdata(loop->ev, loop);
	ev_set_loop_release_cb(loop->ev, release, acquire);
}

bool obi_loop_is_default(const struct obi_loop *loop)
{
	return ev_is_default_loop(loop->ev) != 0;
}

static int64_t now_us(void)
{
	return obi_clock_ns(CLOCK_MONOTONIC) / 1000;
}

/* Poll without sleeping while I/O keeps coming. Yield between polls: the peer may need this
 * processor. Any callback ends it, also that of a timer or a wake: it may have queued a task, which
 * must run before a sleep. */
static bool busy_poll(struct obi_loop *loop)
{
	uint32_t ran = loop->ran;
	int64_t until = now_us() + loop->busy_poll_us;
	do {
		ev_run(loop->ev, EVRUN_NOWAIT);
		loop->awake = false;
		if (loop->ran != ran) {
			return true;
		}
		sched_yield();
	} while (now_us() < until);
	return false;
}

void obi_loop_turn(struct obi_loop *loop, bool block)
{
	/* A task may have caused what the caller waits for, so return before any sleep. */
	if (run_tasks(loop)) {
		return;
	}
	if (block && loop->busy_poll_us > 0 && loop->io_seen != 0 && busy_poll(loop)) {
		return;
	}
	loop->io_seen = 0;
	ev_run(loop->ev, block ? EVRUN_ONCE : EVRUN_NOWAIT);
	loop->awake = false;
}

/* ---- I/O ---- */

static void on_io(struct ev_loop *ev, ev_io *watcher, int events);

static void start_io(struct obi_io *io)
{
	ev_io *watcher = (ev_io *)(void *)io->watcher.memory.bytes;
	io->refused = false;
	ev_io_init(watcher, on_io, io->fd, io->events);
	watcher->data = io;
	ev_io_start(io->loop->ev, watcher);
}

static void on_retry(struct ev_loop *ev, ev_timer *watcher, int events)
{
	(void)ev;
	(void)events;
	start_io(watcher->data);
}

/*
 * The kernel has no memory or no watches left: libev has stopped the watcher and reports all
 * events. Taken as real, they would mean that a living process is dead. So the watch is tried again
 * later.
 */
static void watch_later(struct obi_io *io)
{
	ev_timer *watcher = (ev_timer *)(void *)io->watcher.memory.bytes;
	io->refused = true;
	ev_timer_init(watcher, on_retry, (double)RETRY_MS / 1000.0, 0.0);
	watcher->data = io;
	ev_timer_start(io->loop->ev, watcher);
}

static void on_io(struct ev_loop *ev, ev_io *watcher, int events)
{
	struct obi_io *io = watcher->data;
	(void)ev;
	if ((events & EV_ERROR) != 0) {
		watch_later(io);
		return;
	}
	io->loop->io_seen++;
	io->loop->ran++;
	io->fn(io->user, events & (EV_READ | EV_WRITE));
}

void obi_io_set(struct obi_loop *loop, struct obi_io *io, int fd, int events)
{
	if (io->loop == loop && io->fd == fd && io->events == events) {
		return;
	}
	obi_io_stop(io);
	if (events == 0) {
		return;
	}
	io->loop = loop;
	io->fd = fd;
	io->events = events;
	start_io(io);
}

void obi_io_stop(struct obi_io *io)
{
	if (io->loop != NULL && io->refused) {
		ev_timer_stop(io->loop->ev, (ev_timer *)(void *)io->watcher.memory.bytes);
	} else if (io->loop != NULL) {
		ev_io_stop(io->loop->ev, (ev_io *)(void *)io->watcher.memory.bytes);
	}
	io->loop = NULL;
}

/* ---- Timers ---- */

/* Whether the timers of this turn have taken their time: a thousand children that are started again
 * in one moment would else take seconds in which nobody is answered. */
static bool timers_are_late(struct obi_loop *loop)
{
	int64_t now = obi_now_ms();
	if (loop->timers_since == 0) {
		loop->timers_since = now;
	}
	return now - loop->timers_since >= TIMERS_MS;
}

static void on_timer(struct ev_loop *ev, ev_timer *watcher, int events)
{
	struct obi_timer *timer = watcher->data;
	(void)events;
	if (timers_are_late(timer->loop)) {
		ev_timer_set(watcher, 0.0, 0.0); /* in the next turn, after its I/O */
		ev_timer_start(ev, watcher);
		return;
	}
	timer->loop->ran++;
	timer->loop = NULL;
	timer->fn(timer->user);
}

void obi_timer_set(struct obi_loop *loop, struct obi_timer *timer, int64_t ms)
{
	ev_timer *watcher = (ev_timer *)(void *)timer->watcher.memory.bytes;
	obi_timer_stop(timer);
	ms = ms < OBI_TIMER_MAX_MS ? ms : OBI_TIMER_MAX_MS;
	timer->loop = loop;
	timer->at = obi_now_ms() + ms;
	/* libev counts from the start of the turn, which may be long past. */
	ev_now_update(loop->ev);
	ev_timer_init(watcher, on_timer, (double)ms / 1000.0, 0.0);
	/* After all I/O of the same turn: input that has arrived is not late, even if we are. */
	ev_set_priority(watcher, EV_MINPRI);
	watcher->data = timer;
	ev_timer_start(loop->ev, watcher);
}

void obi_timer_stop(struct obi_timer *timer)
{
	if (timer->loop != NULL) {
		ev_timer_stop(timer->loop->ev, (ev_timer *)(void *)timer->watcher.memory.bytes);
		timer->loop = NULL;
	}
}

/* ---- Tasks ---- */

void obi_task_queue(struct obi_loop *loop, struct obi_task *task)
{
	if (task->slot != NULL) {
		return;
	}
	task->next = NULL;
	task->loop = loop;
	task->slot = loop->tasks_end;
	*loop->tasks_end = task;
	loop->tasks_end = &task->next;
}

void obi_task_stop(struct obi_task *task)
{
	if (task->slot == NULL) {
		return;
	}
	*task->slot = task->next;
	if (task->next != NULL) {
		task->next->slot = task->slot;
	} else {
		task->loop->tasks_end = task->slot;
	}
	task->slot = NULL;
}

/* ---- Children, on the default loop ---- */

static void on_child(struct ev_loop *ev, ev_child *watcher, int events)
{
	struct obi_child_watcher *child = watcher->data;
	int status = watcher->rstatus;
	(void)ev;
	(void)events;
	obi_child_watcher_stop(child);
	child->fn(child->user, status);
}

void obi_child_watcher_set(struct obi_loop *loop, struct obi_child_watcher *child, int pid)
{
	ev_child *watcher = (ev_child *)(void *)child->watcher.memory.bytes;
	obi_child_watcher_stop(child);
	child->loop = loop;
	ev_child_init(watcher, on_child, pid, 0);
	watcher->data = child;
	ev_child_start(loop->ev, watcher);
}

void obi_child_watcher_stop(struct obi_child_watcher *child)
{
	if (child->loop != NULL) {
		ev_child_stop(child->loop->ev, (ev_child *)(void *)child->watcher.memory.bytes);
		child->loop = NULL;
	}
}

/* ---- Other threads ---- */

bool obi_loop_post(struct obi_loop *loop, struct obi_job *job)
{
	job->next = NULL;
	pthread_mutex_lock(&loop->lock);
	bool open = !loop->closed;
	if (open) {
		*loop->jobs_end = job;
		loop->jobs_end = &job->next;
		/* Under the lock, so that the loop cannot be closed in between. */
		ev_async_send(loop->ev, &loop->async);
	}
	pthread_mutex_unlock(&loop->lock);
	return open;
}

void obi_loop_wake(struct obi_loop *loop)
{
	ev_async_send(loop->ev, &loop->async);
}
