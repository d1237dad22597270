/* SPDX-License-Identifier: MIT */
/*
 * outboard/watch.h - watch descriptors, signals and timers on the loop of a runtime.
 *
 * For programs whose loop is the one of the runtime: an inline runtime that ob_runtime_run() turns,
 * or a threaded one. A program with a libev loop of its own can use libev's watchers instead.
 *
 * Callbacks run on the loop's thread and must not block. On an inline runtime they run only while
 * the loop turns: in ob_runtime_run() and in blocking calls.
 *
 * Any watch may be changed or freed at any time, in its own callback too. No callback follows
 * ob_watch_free(). Free all watches before their runtime.
 */
#ifndef OUTBOARD_WATCH_H
#define OUTBOARD_WATCH_H

#include <outboard/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ob_watch ob_watch;

/*
 * Something happened. `what` depends on the kind of the watch:
 *
 *   descriptor   the events that are ready (enum ob_io)
 *   signal       the number of the signal
 *   timer        0
 */
typedef void ob_watch_fn(void *user, int what);

/*
 * Watch a descriptor for events (enum ob_io, both may be set). fd is borrowed and must stay open
 * until the watch is freed. Readiness is level-triggered: fn is called again in each turn until the
 * descriptor is no longer ready. An error or the end of a stream makes it readable and writable.
 */
OB_API int ob_watch_fd(ob_runtime *runtime, int fd, int events, ob_watch_fn *fn, void *user,
		       ob_watch **ret_watch, struct ob_error *reterr);

/* Change what a descriptor is watched for. 0 pauses. */
OB_API void ob_watch_set_events(ob_watch *watch, int events);

/*
 * Watch a signal. The signal is blocked in the calling thread, and so in all threads that it makes
 * later: call this before the program makes threads of its own, or block the signal in all of them.
 * A signal that is not blocked in some thread goes to its handler or has its default action there.
 * The threads of this library block all signals.
 *
 * The signal stays blocked when the watch is freed. At most one watch in a process may watch a
 * signal. Processes that outboard starts get no blocked signals. OB_EINVAL: not a signal, or one
 * that cannot be blocked (SIGKILL, SIGSTOP).
 */
OB_API int ob_watch_signal(ob_runtime *runtime, int signal_number, ob_watch_fn *fn, void *user,
			   ob_watch **ret_watch, struct ob_error *reterr);

/* Call fn once, after_ms milliseconds from now (CLOCK_MONOTONIC). A negative time arms nothing. */
OB_API int ob_watch_timer(ob_runtime *runtime, int64_t after_ms, ob_watch_fn *fn, void *user,
			  ob_watch **ret_watch, struct ob_error *reterr);

/* Arm a timer anew, whether it has expired or not. A negative time disarms it. */
OB_API void ob_watch_set_timer(ob_watch *watch, int64_t after_ms);

/* Stop and free. watch may be NULL. */
OB_API void ob_watch_free(ob_watch *watch);

#ifdef __cplusplus
}
#endif
#endif
