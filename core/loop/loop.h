/* SPDX-License-Identifier: MIT */
/*
 * loop/loop - the event loop. Only loop.c uses libev.
 *
 * Watchers are embedded in their owners. Zeroed memory is a stopped watcher. A stopped watcher may
 * be stopped again. No callback comes after a stop. A callback may stop and free any watcher, also
 * its own.
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
	bool refused;	       /* the kernel refused the watch; the watcher is the timer of the next
				  attempt */
	int fd;
	int events;
	void (*fn)(void *user, int events); /* enum ob_io */
	void *user;
};

struct obi_timer {
	struct obi_watcher watcher;
	struct obi_loop *loop; /* NULL: not armed */
	int64_t at;	       /* CLOCK_MONOTONIC ms */
	void (*fn)(void *user);
	void *user;
};

/* A function to call once, before the next sleep of the loop. */
struct obi_task {
	struct obi_task *next;
	struct obi_task **slot; /* the pointer to this task; NULL: not queued */
	struct obi_loop *loop;
	void (*fn)(void *user);
	void *user;
};

/* A child process that the default loop of libev may reap. */
struct obi_child_watcher {
	struct obi_watcher watcher;
	struct obi_loop *loop;
	void (*fn)(void *user, int status);
	void *user;
};

/* Make a loop: on the loop `given` of the application, or a new one if it is NULL. */
int obi_loop_new(struct ev_loop *given, uint32_t busy_poll_us, struct obi_loop **ret_loop,
		 struct ob_error *reterr);

/* A thread that posts to the loop holds a reference: the loop may be closed at any time. */
struct obi_loop *obi_loop_ref(struct obi_loop *loop);
void obi_loop_unref(struct obi_loop *loop);

/* Run the pending jobs and tasks. loop may be NULL. */
void obi_loop_drain(struct obi_loop *loop);

/* Run the pending jobs and tasks, stop the loop for good, and drop the reference of obi_loop_new().
 * loop may be NULL. */
void obi_loop_close(struct obi_loop *loop);

/*
 * A lock that the loop holds but for its sleeps. A loop with much to do sleeps for a moment only,
 * and a mutex goes to whoever is quick: other threads would wait for ever. So who wants the mutex
 * waits at the gate, and the loop comes back behind them.
 */
struct obi_loop_lock {
	pthread_mutex_t gate; /* held while waiting for the mutex */
	pthread_mutex_t mutex;
};
void obi_loop_lock(struct obi_loop_lock *lock);

/* Release the mutex of lock while the loop sleeps in a turn. The caller holds it around
 * obi_loop_turn(). */
void obi_loop_set_lock(struct obi_loop *loop, struct obi_loop_lock *lock);

/* Whether it is libev's default loop, which reaps every child of the process. */
bool obi_loop_is_default(const struct obi_loop *loop);

/* One turn: run the pending tasks and return. If there are none, handle the events that are there;
 * with block, wait for the first one. */
void obi_loop_turn(struct obi_loop *loop, bool block);

/* CLOCK_MONOTONIC ms: cached during the callbacks of a turn, read again outside of a turn.
 * obi_now_ms() always reads it. */
int64_t obi_loop_now(struct obi_loop *loop);

/* Start or restart the watch; fn and user must be set. events may be 0: stop it. */
void obi_io_set(struct obi_loop *loop, struct obi_io *io, int fd, int events);
void obi_io_stop(struct obi_io *io);

/* Longer times, which may be read from files, are taken for this one: a hundred years. */
#define OBI_TIMER_MAX_MS (INT64_C(100) * 366 * 24 * 3600 * 1000)

/* Set or reset the timer to ms from now; fn and user must be set. Timers are called after the I/O
 * of a turn. When those of one turn have taken 10 ms, the others wait for the next. */
void obi_timer_set(struct obi_loop *loop, struct obi_timer *timer, int64_t ms);
void obi_timer_stop(struct obi_timer *timer);

/* Queue a task, unless it is queued already. */
void obi_task_queue(struct obi_loop *loop, struct obi_task *task);
void obi_task_stop(struct obi_task *task);

/* Default loop only: watch for the end of pid, which libev reaps. */
void obi_child_watcher_set(struct obi_loop *loop, struct obi_child_watcher *child, int pid);
void obi_child_watcher_stop(struct obi_child_watcher *child);

/*
 * Queue job and wake the loop, which calls job->fn on its thread. Any thread. The job belongs to
 * the caller and may be freed in fn. Returns false, and does nothing, if the loop is closed; all
 * jobs that were posted before have then been run.
 */
bool obi_loop_post(struct obi_loop *loop, struct obi_job *job);

/* Wake a sleeping loop. Any thread; async-signal-safe. */
void obi_loop_wake(struct obi_loop *loop);

#endif
