/* SPDX-License-Identifier: MIT */
/*
 * loop/loop - the event loop, and the one file that knows libev is loop.c.
 *
 * Watchers are embedded in their owners; zeroed memory is a stopped watcher. Stopping a stopped one
 * is no error, and no callback comes after a stop. A callback may stop and free any watcher, its
 * own included.
 */
#ifndef OBI_LOOP_LOOP_H
#define OBI_LOOP_LOOP_H

#include <outboard/abi.h>
#include <outboard/transport.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/job.h"

struct ev_loop;
struct obi_loop;

/* Room for a libev watcher; loop.c asserts that it is enough. */
struct obi_watcher {
	union {
		void *align;
		unsigned char bytes[64];
	} memory;
};

struct obi_io {
	struct obi_watcher watcher;
	struct obi_loop *loop; /* NULL: stopped */
	bool refused; /* the kernel would not watch it; it is asked again, and the watcher is a
			 timer until then */
	int fd;
	int events;
	void (*fn)(void *user, int events); /* enum ob_io */
	void *user;
};

struct obi_timer {
	struct obi_watcher watcher;
	struct obi_loop *loop; /* NULL: not armed */
	int64_t at;	       /* when it is due, CLOCK_MONOTONIC ms */
	void (*fn)(void *user);
	void *user;
};

/* Something to do once, before the loop sleeps next. */
struct obi_task {
	struct obi_task *next;
	struct obi_task **slot; /* what points to us; NULL: not queued */
	struct obi_loop *loop;
	void (*fn)(void *user);
	void *user;
};

/* A child of ours whose status the default loop may have reaped. */
struct obi_child_watcher {
	struct obi_watcher watcher;
	struct obi_loop *loop;
	void (*fn)(void *user, int status);
	void *user;
};

/* A loop of our own (given NULL), or one over the application's. */
int obi_loop_new(struct ev_loop *given, uint32_t busy_poll_us, struct obi_loop **ret_loop,
		 struct ob_error *reterr);

/* Whoever posts from another thread holds a reference, so that the loop can be closed meanwhile. */
struct obi_loop *obi_loop_ref(struct obi_loop *loop);
void obi_loop_unref(struct obi_loop *loop);

/* Run the jobs and tasks that wait. loop may be NULL. */
void obi_loop_drain(struct obi_loop *loop);

/* Run the jobs that wait, stop the loop for good, and give up the reference of its maker. loop may
 * be NULL. */
void obi_loop_close(struct obi_loop *loop);

/* Hold lock whenever the loop's thread is not asleep in a turn; the caller holds it around
 * obi_loop_turn(). */
void obi_loop_set_lock(struct obi_loop *loop, pthread_mutex_t *lock);

/* Whether it is the application's; then nobody here may turn it. */
bool obi_loop_is_attached(const struct obi_loop *loop);
/* Whether it is libev's default loop, which reaps every child of the process. */
bool obi_loop_is_default(const struct obi_loop *loop);

/* One turn: run the tasks that wait and return; or when there are none, wait for something (block)
 * or not, and handle it. */
void obi_loop_turn(struct obi_loop *loop, bool block);

/* CLOCK_MONOTONIC ms: read once a turn while callbacks run, anew each time outside of one.
 * obi_now_ms() always reads. */
int64_t obi_loop_now(struct obi_loop *loop);

/* (Re)start watching; fn and user must be set. events may be 0: stopped. */
void obi_io_set(struct obi_loop *loop, struct obi_io *io, int fd, int events);
void obi_io_stop(struct obi_io *io);

/* (Re)arm to be due in ms from now; fn and user must be set. */
void obi_timer_set(struct obi_loop *loop, struct obi_timer *timer, int64_t ms);
void obi_timer_stop(struct obi_timer *timer);

/* Queue a task, unless it is queued already. */
void obi_task_queue(struct obi_loop *loop, struct obi_task *task);
void obi_task_stop(struct obi_task *task);

/* Default loop only: hear of pid's end from libev, which reaps it. */
void obi_child_watcher_set(struct obi_loop *loop, struct obi_child_watcher *child, int pid);
void obi_child_watcher_stop(struct obi_child_watcher *child);

/*
 * Queue job and wake the loop, which calls job->fn on its thread. Any thread. The job is the
 * caller's, and may be freed in fn. Returns false, and does nothing, once the loop was closed.
 */
bool obi_loop_post(struct obi_loop *loop, struct obi_job *job);

/* Wake a sleeping loop. Any thread; async-signal-safe. */
void obi_loop_wake(struct obi_loop *loop);

#endif
