/* SPDX-License-Identifier: MIT */
/* Watches of descriptors, signals and timers, in the three modes of a runtime. */
#include <outboard/outboard.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ev.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "support/clock.h"

enum { WAIT_S = 60 };

/* One runtime, and what its watches report. */
struct bench {
	ob_runtime *runtime;
	struct ev_loop *loop; /* attached */
	enum ob_runtime_mode mode;
	sem_t reported;
	ob_watch *watch;
	int what;
	int calls;
	int pipe[2];
};

static const enum ob_runtime_mode modes[] = {OB_RUNTIME_INLINE, OB_RUNTIME_THREADED,
					     OB_RUNTIME_ATTACHED};
enum { MODES = sizeof modes / sizeof modes[0] };

static void set_up(struct bench *b, enum ob_runtime_mode mode)
{
	struct ob_error err;
	memset(b, 0, sizeof *b);
	b->mode = mode;
	b->loop = mode == OB_RUNTIME_ATTACHED ? ev_loop_new(EVFLAG_AUTO) : NULL;
	struct ob_runtime_options o = {.size = sizeof o, .mode = mode, .loop = b->loop};
	sem_init(&b->reported, 0, 0);
	assert_int_equal(pipe(b->pipe), 0);
	if (ob_runtime_new(&o, &b->runtime, &err) < 0) {
		fail_msg("%s", err.text);
	}
}

static void tear_down(struct bench *b)
{
	ob_watch_free(b->watch);
	ob_runtime_free(b->runtime);
	if (b->loop != NULL) {
		ev_loop_destroy(b->loop);
	}
	close(b->pipe[0]);
	close(b->pipe[1]);
	sem_destroy(&b->reported);
}

static void report(struct bench *b, int what)
{
	b->what = what;
	b->calls++;
	if (b->mode == OB_RUNTIME_INLINE) {
		ob_runtime_stop(b->runtime);
	} else if (b->mode == OB_RUNTIME_ATTACHED) {
		ev_break(b->loop, EVBREAK_ALL);
	}
	sem_post(&b->reported);
}

/* Let the loop go on until the next report. */
static void await_report(struct bench *b)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_S;
	if (b->mode == OB_RUNTIME_INLINE) {
		assert_int_equal(ob_runtime_run(b->runtime, WAIT_S * 1000), OB_OK);
	} else if (b->mode == OB_RUNTIME_ATTACHED) {
		ev_run(b->loop, 0);
	}
	assert_int_equal(sem_timedwait(&b->reported, &until), 0);
}

static void on_report(void *user, int what)
{
	report(user, what);
}

/* ---- Descriptors ---- */

static void on_data(void *user, int what)
{
	struct bench *b = user;
	char byte;
	assert_int_equal(read(b->pipe[0], &byte, 1), 1);
	report(b, what);
}

static void data_in_a_pipe_is_reported(void **state)
{
	struct bench b;
	(void)state;
	for (int i = 0; i < MODES; i++) {
		set_up(&b, modes[i]);
		assert_int_equal(
		    ob_watch_fd(b.runtime, b.pipe[0], OB_READABLE, on_data, &b, &b.watch, NULL),
		    OB_OK);
		assert_int_equal(write(b.pipe[1], "ab", 2), 2);
		await_report(&b);
		await_report(&b);
		assert_int_equal(b.what, OB_READABLE);
		tear_down(&b);
	}
}

static void on_room(void *user, int what)
{
	struct bench *b = user;
	ob_watch_set_events(b->watch, 0);
	report(b, what);
}

static void a_paused_descriptor_is_not_reported(void **state)
{
	struct bench b;
	(void)state;
	for (int i = 0; i < MODES; i++) {
		ob_watch *timer;
		set_up(&b, modes[i]);
		/* The watch must be known before its callback pauses it. */
		assert_int_equal(ob_watch_fd(b.runtime, b.pipe[1], 0, on_room, &b, &b.watch, NULL),
				 OB_OK);
		ob_watch_set_events(b.watch, OB_WRITABLE);
		await_report(&b);
		assert_int_equal(b.what, OB_WRITABLE);
		/* The pipe has room all the time: without the pause its watch would report again.
		 */
		assert_int_equal(ob_watch_timer(b.runtime, 20, on_report, &b, &timer, NULL), OB_OK);
		await_report(&b);
		assert_int_equal(b.what, 0);
		assert_int_equal(b.calls, 2);
		ob_watch_free(timer);
		tear_down(&b);
	}
}

/* ---- Signals ---- */

static void a_signal_is_reported_and_blocked(void **state)
{
	struct bench b;
	(void)state;
	for (int i = 0; i < MODES; i++) {
		sigset_t blocked;
		set_up(&b, modes[i]);
		assert_int_equal(ob_watch_signal(b.runtime, SIGUSR2, on_report, &b, &b.watch, NULL),
				 OB_OK);
		/* By default this signal would end the process. */
		assert_int_equal(kill(getpid(), SIGUSR2), 0);
		await_report(&b);
		assert_int_equal(b.what, SIGUSR2);
		ob_watch_free(b.watch);
		b.watch = NULL;
		sigprocmask(SIG_SETMASK, NULL, &blocked);
		assert_true(sigismember(&blocked, SIGUSR2));
		tear_down(&b);
	}
}

/* ---- Timers ---- */

static void a_timer_expires_once_and_can_be_armed_anew(void **state)
{
	struct bench b;
	(void)state;
	for (int i = 0; i < MODES; i++) {
		set_up(&b, modes[i]);
		int64_t began = now_ms();
		assert_int_equal(ob_watch_timer(b.runtime, 30, on_report, &b, &b.watch, NULL),
				 OB_OK);
		await_report(&b);
		assert_true(now_ms() - began >= 29);
		ob_watch_set_timer(b.watch, 3600 * 1000);
		ob_watch_set_timer(b.watch, 0);
		await_report(&b);
		assert_int_equal(b.calls, 2);
		tear_down(&b);
	}
}

static void on_end(void *user, int what)
{
	struct bench *b = user;
	ob_watch_free(b->watch);
	b->watch = NULL;
	report(b, what);
}

static void a_watch_can_be_freed_in_its_callback(void **state)
{
	struct bench b;
	(void)state;
	for (int i = 0; i < MODES; i++) {
		set_up(&b, modes[i]);
		assert_int_equal(ob_watch_timer(b.runtime, -1, on_end, &b, &b.watch, NULL), OB_OK);
		ob_watch_set_timer(b.watch, 0);
		await_report(&b);
		assert_int_equal(ob_watch_fd(b.runtime, b.pipe[1], 0, on_end, &b, &b.watch, NULL),
				 OB_OK);
		ob_watch_set_events(b.watch, OB_WRITABLE);
		await_report(&b);
		assert_null(b.watch);
		assert_int_equal(b.calls, 2);
		tear_down(&b);
	}
}

/* ---- Refusals ---- */

static void bad_arguments_are_refused(void **state)
{
	struct bench b;
	struct ob_error err;
	(void)state;
	set_up(&b, OB_RUNTIME_INLINE);
	assert_int_equal(ob_watch_fd(b.runtime, -1, OB_READABLE, on_data, &b, &b.watch, &err),
			 OB_EINVAL);
	assert_string_equal(err.text, "watching descriptor -1 for events 0x1: no descriptor");
	assert_int_equal(ob_watch_fd(b.runtime, 0, 4, on_data, &b, &b.watch, &err), OB_EINVAL);
	assert_string_equal(err.text, "watching descriptor 0 for events 0x4: unknown events");
	assert_int_equal(ob_watch_signal(b.runtime, SIGKILL, on_report, &b, &b.watch, &err),
			 OB_EINVAL);
	assert_string_equal(err.text, "watching signal 9: it cannot be blocked");
	assert_int_equal(ob_watch_signal(b.runtime, 999, on_report, &b, &b.watch, &err), OB_EINVAL);
	assert_string_equal(err.text, "watching signal 999: no such signal");
	assert_null(b.watch);
	ob_watch_free(NULL);
	tear_down(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(data_in_a_pipe_is_reported),
	    cmocka_unit_test(a_paused_descriptor_is_not_reported),
	    cmocka_unit_test(a_signal_is_reported_and_blocked),
	    cmocka_unit_test(a_timer_expires_once_and_can_be_armed_anew),
	    cmocka_unit_test(a_watch_can_be_freed_in_its_callback),
	    cmocka_unit_test(bad_arguments_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
